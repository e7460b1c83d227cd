import { asAgentError } from "../../src/core/errors.ts";
import type { Target } from "../../src/core/ports.ts";
import type { CommandContext } from "../context.ts";
import { hintFor } from "../hints.ts";
import { within } from "../time-limit.ts";
import { type CheckResult, failed } from "./result.ts";

const probeTimeoutMs = 15_000;

export async function targetCheck({ signal }: CommandContext, target: Target): Promise<CheckResult> {
  const check = `target ${target.id}`;
  try {
    await within(probeTimeoutMs, signal, (limited) => target.probe(limited));
    const found = target.kind === "folder" ? "its folder takes files" : `${target.kind} is reachable and lets us in`;
    return { check, result: "ok", found };
  } catch (error) {
    signal.throwIfAborted();
    const { code } = asAgentError(error, "probe");
    if (code === "TARGET_LOCAL_ONLY")
      return { check, result: "ok", found: "held: privacy.localOnly lets nothing leave" };
    if (code !== "ABORTED") return failed(check, error);
    const found = `no answer within ${probeTimeoutMs / 1_000} s (NET_TIMEOUT)`;
    return { check, result: "failed", found, mend: hintFor("NET_TIMEOUT") ?? "" };
  }
}
