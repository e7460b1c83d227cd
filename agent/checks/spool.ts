import { asAgentError } from "../../src/core/errors.ts";
import type { QueueStats } from "../../src/core/queue.ts";
import type { Seams } from "../../src/core/ports.ts";
import { openSpool } from "../open-spool.ts";
import type { CommandContext } from "../context.ts";
import type { Settings } from "../settings.ts";
import { counted, sizeText } from "../terminal.ts";
import { within } from "../time-limit.ts";
import type { RunningDaemon } from "./daemon.ts";
import { type CheckResult, failed } from "./result.ts";

const check = "spool";
/** A rebuild of an index of 100,000 records from a card takes about a minute. */
const openTimeoutMs = 120_000;

/** Whether the records can be read, with the key that the config has: asked of the daemon, else the folder is opened. */
export async function spoolCheck(
  context: CommandContext,
  settings: Pick<Settings, "config" | "dataFolder" | "log">,
  daemon: RunningDaemon | undefined,
): Promise<CheckResult> {
  try {
    const stats = await within(openTimeoutMs, context.signal, async (signal) =>
      daemon === undefined ? await statsOf(context, settings, signal) : await daemon.queue.stats(),
    );
    return verdict(stats);
  } catch (error) {
    context.signal.throwIfAborted();
    const { code } = asAgentError(error, check);
    if (code !== "SPOOL_LOCKED") return failed(check, error);
    const found = "another command has it just now";
    return { check, result: "warning", found, mend: "wait for it to end, then: framepost doctor" };
  }
}

async function statsOf(
  { clock, random }: CommandContext,
  { config, dataFolder, log }: Pick<Settings, "config" | "dataFolder" | "log">,
  signal: AbortSignal,
): Promise<QueueStats> {
  const seams: Seams = { clock, random, log };
  const { spool } = await openSpool(config, dataFolder, seams, { readOnly: true });
  try {
    await spool.start(signal);
    return await spool.stats();
  } finally {
    await spool.stop();
  }
}

function verdict({ records, bytes, encrypted, damaged, missing, targets }: QueueStats): CheckResult {
  const quarantined = targets.reduce((sum, target) => sum + target.quarantined, 0);
  const found = [
    `${counted(records, "record")}, ${sizeText(bytes)}`,
    ...(encrypted === 0 ? [] : [`${encrypted} encrypted, and the key is the right one`]),
    ...(quarantined === 0 ? [] : [`${counted(quarantined, "delivery", "deliveries")} set aside`]),
    ...(damaged + missing === 0 ? [] : [`${damaged} damaged and ${missing} missing ones were given up`]),
  ].join("; ");
  if (quarantined > 0) {
    return {
      check,
      result: "warning",
      found,
      mend: "framepost queue ls --state quarantined says why; then queue retry, or queue drop",
    };
  }
  if (damaged + missing > 0) {
    return {
      check,
      result: "warning",
      found,
      mend: "framepost queue verify; a card that damages files is worn out: replace it",
    };
  }
  return { check, result: "ok", found };
}
