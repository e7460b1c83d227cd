import { asAgentError } from "../../src/core/errors.ts";
import { HttpStream } from "../../src/link/http-stream.ts";
import { fetchRelease } from "../../src/update/fetch-release.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { hintFor } from "../hints.ts";
import { type CheckResult, failed } from "./result.ts";

/** Whether the release that the config points at is there, signed, and still good. Takes nothing of it. Undefined where no updates are wanted. */
export async function updatesCheck(
  { clock, signal }: CommandContext,
  { updates, model, manifest }: Pick<FramepostConfig["detector"], "updates" | "model" | "manifest">,
): Promise<CheckResult | undefined> {
  const check = "updates";
  if (updates === undefined) return undefined;
  if (model !== undefined || manifest !== undefined) {
    const found = `detector.updates has no effect while detector.${model === undefined ? "manifest" : "model"} is set`;
    return { check, result: "warning", found, mend: "take one of the two out of the config" };
  }
  const http = new HttpStream();
  try {
    const { name, version, sequence, expiresAtMs } = await fetchRelease(http, updates, signal);
    const until = new Date(expiresAtMs).toISOString();
    const found = `the release there is ${name}@${version}, number ${sequence}, rightly signed, good until ${until}`;
    if (expiresAtMs > clock.nowMs()) return { check, result: "ok", found };
    return { check, result: "warning", found, mend: hintFor("RELEASE_EXPIRED") ?? "" };
  } catch (error) {
    signal.throwIfAborted();
    return { ...failed(check, error), ...serverTrouble(error) };
  } finally {
    http.close();
  }
}

/** The model in use stays until it answers: that is no failure of this machine. */
function serverTrouble(error: unknown): Partial<CheckResult> {
  const { code } = asAgentError(error, "asking for the release");
  if (!/^(NET|HTTP|TLS)_/.test(code)) return {};
  return { result: "warning", mend: "check detector.updates.url, its server, the network and the firewall" };
}
