import { spoolLimits } from "../../../src/core/spool-limits.ts";
import type { SentEntry } from "../../../src/core/ports.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { withQueue } from "../../queue-access.ts";
import { loadSettings } from "../../settings.ts";
import { mustKnow } from "./selection.ts";

export interface QueueSentOptions {
  readonly limit: number;
  readonly target?: string;
  readonly record?: string;
}

/** What targets accepted, newest first. With `--json` one line per entry, then `{"listed":n}` as the end. */
export async function queueSent(context: CommandContext, options: QueueSentOptions): Promise<ExitCode> {
  const { terminal, json, signal } = context;
  const { limit, target, record } = options;
  const fitting = {
    ...(target === undefined ? {} : { targetId: target }),
    ...(record === undefined ? {} : { record }),
  };
  const settings = await loadSettings(context);
  return await withQueue(context, settings, async (queue) => {
    let listed = 0;
    let before: number | undefined;
    while (listed < limit && !signal.aborted) {
      const entriesMax = Math.min(limit - listed, spoolLimits.listRecordsMax);
      const page = await queue.sent({ ...fitting, entriesMax, ...(before === undefined ? {} : { before }) });
      for (const entry of page) terminal.data(json ? JSON.stringify(entry) : textLine(entry));
      listed += page.length;
      before = page.at(-1)?.number;
      if (before === undefined) break;
    }
    if (listed === 0 && target !== undefined) mustKnow(target, settings, await queue.stats());
    if (json) terminal.data(JSON.stringify({ listed }));
    else terminal.note(listed === 1 ? "1 delivery" : `${listed} deliveries`);
    return exitCodes.ok;
  });
}

function textLine({ atMs, targetId, sequence, name, remoteId }: SentEntry): string {
  return [new Date(atMs).toISOString(), targetId, String(sequence), name, remoteId ?? "-"].join("  ");
}
