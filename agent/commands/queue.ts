import { spoolLimits } from "../../src/core/limits.ts";
import type { SpoolListing } from "../../src/core/ports.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { withQueue } from "../queue-access.ts";
import { loadSettings } from "../settings.ts";
import { counted, sizeText, textTable } from "../terminal.ts";

export async function queueStats(context: CommandContext): Promise<ExitCode> {
  const settings = await loadSettings(context);
  return await withQueue(context, settings, async (queue) => {
    const stats = await queue.stats();
    if (context.json) {
      context.terminal.data(JSON.stringify(stats));
      return exitCodes.ok;
    }
    context.terminal.data(
      `${counted(stats.records, "record")}, ${sizeText(stats.bytes)}, last sequence ${stats.lastSequence}`,
    );
    if (stats.targets.length === 0) return exitCodes.ok;
    const rows = stats.targets.map((target) => [target.targetId, target.pending, target.quarantined, target.accepted]);
    for (const line of textTable(["target", "pending", "quarantined", "accepted"], rows)) context.terminal.data(line);
    return exitCodes.ok;
  });
}

/** With `--json` one line per record, then `{"listed":n}` as the end. */
export async function queueList(context: CommandContext, options: { readonly limit: number }): Promise<ExitCode> {
  const settings = await loadSettings(context);
  return await withQueue(context, settings, async (queue) => {
    let afterSequence = 0;
    let listed = 0;
    while (listed < options.limit && !context.signal.aborted) {
      const recordsMax = Math.min(options.limit - listed, spoolLimits.listRecordsMax);
      const page = await queue.list({ afterSequence, recordsMax });
      for (const listing of page) context.terminal.data(context.json ? JSON.stringify(listing) : textLine(listing));
      listed += page.length;
      const last = page.at(-1);
      if (last === undefined) break;
      afterSequence = last.record.sequence;
    }
    if (context.json) context.terminal.data(JSON.stringify({ listed }));
    else context.terminal.note(counted(listed, "record"));
    return exitCodes.ok;
  });
}

function textLine({ record, deliveries }: SpoolListing): string {
  const labels = [...new Set(record.detections.map(({ label }) => label))].join(",") || "-";
  const owed = deliveries
    .map(({ targetId, state, attempts, error }) =>
      [targetId, state === "quarantined" ? "quarantined" : `tries ${attempts}`, error].filter(Boolean).join(" "),
    )
    .join("; ");
  const time = new Date(record.capturedAtMs).toISOString();
  return `${record.sequence}  ${time}  ${record.cameraId}  ${record.reason.rule}  ${labels}  ${owed}`;
}

