import { shownDetections } from "../../../src/core/detections.ts";
import { spoolLimits } from "../../../src/core/spool-limits.ts";
import type { SpoolListing } from "../../../src/core/ports.ts";
import type { ListPage } from "../../../src/core/queue.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { withQueue } from "../../queue-access.ts";
import { loadSettings } from "../../settings.ts";
import { counted } from "../../terminal.ts";
import { mustKnow } from "./selection.ts";

export interface QueueListOptions {
  readonly limit: number;
  readonly target?: string;
  readonly state?: NonNullable<ListPage["state"]>;
}

/** With `--json` one line per record, then `{"listed":n}` as the end. */
export async function queueList(context: CommandContext, options: QueueListOptions): Promise<ExitCode> {
  const { terminal, json, signal } = context;
  const { limit, target, state } = options;
  const fitting = {
    ...(target === undefined ? {} : { targetId: target }),
    ...(state === undefined ? {} : { state }),
  };
  const settings = await loadSettings(context);
  return await withQueue(context, settings, async (queue) => {
    let afterSequence = 0;
    let listed = 0;
    while (listed < limit && !signal.aborted) {
      const recordsMax = Math.min(limit - listed, spoolLimits.listRecordsMax);
      const page = await queue.list({ ...fitting, afterSequence, recordsMax });
      for (const listing of page) terminal.data(json ? JSON.stringify(listing) : textLine(listing));
      listed += page.length;
      const last = page.at(-1);
      if (last === undefined) break;
      afterSequence = last.record.sequence;
    }
    if (listed === 0 && target !== undefined) mustKnow(target, settings, await queue.stats());
    if (json) terminal.data(JSON.stringify({ listed }));
    else terminal.note(counted(listed, "record"));
    return exitCodes.ok;
  });
}

function textLine({ record, deliveries }: SpoolListing): string {
  const labels = [...new Set(shownDetections(record).map(({ label }) => label))].join(",") || "-";
  const owed = deliveries
    .map(({ targetId, state, attempts, error }) =>
      [targetId, state === "pending" ? `tries ${attempts}` : state, error].filter(Boolean).join(" "),
    )
    .join("; ");
  const time = new Date(record.capturedAtMs).toISOString();
  return `${record.sequence}  ${time}  ${record.cameraId}  ${record.reason.rule}  ${labels}  ${owed}`;
}
