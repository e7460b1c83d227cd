import { shownDetections } from "../../../src/core/detections.ts";
import type { SpoolListing } from "../../../src/core/ports.ts";
import type { StoredRecord, TileGrid } from "../../../src/core/types.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { writeOutput } from "../../files.ts";
import { withQueue } from "../../queue-access.ts";
import { loadSettings } from "../../settings.ts";
import { textTable } from "../../terminal.ts";
import { foundRecord } from "./selection.ts";

/** Everything about one record; with `save` its JPEG goes to that file. */
export async function queueShow(
  context: CommandContext,
  reference: string,
  options: { readonly save?: string },
): Promise<ExitCode> {
  const { terminal, json } = context;
  const { save } = options;
  const settings = await loadSettings(context);
  return await withQueue(context, settings, async (queue) => {
    const listing = await foundRecord(queue, reference);
    if (save !== undefined) await writeOutput(save, await queue.image(listing.record.sequence));
    const saved = save === undefined ? {} : { saved: save };
    const lines = json ? [JSON.stringify({ ...listing, ...saved })] : textOf(listing);
    for (const line of lines) terminal.data(line);
    if (save !== undefined && !json) terminal.note(`${save} written`);
    return exitCodes.ok;
  });
}

function textOf({ record, deliveries }: SpoolListing): readonly string[] {
  const owed = deliveries.map(({ targetId, state, attempts, cursor = "-", error = "-" }) => [
    targetId,
    state,
    attempts,
    cursor,
    error,
  ]);
  return [
    ...factRows(record).map(([what, fact]) => `${what.padEnd(10)}${fact}`),
    "",
    ...detectionLines(record),
    "",
    ...textTable(["target", "state", "tries", "cursor", "reason"], owed),
  ];
}

function factRows(record: StoredRecord): readonly (readonly [string, string])[] {
  const { model, maskVersion, reason } = record;
  return [
    ["record", String(record.sequence)],
    ["id", record.id],
    ["name", record.name],
    ["device", record.device],
    ["camera", record.cameraId],
    ["captured", `${new Date(record.capturedAtMs).toISOString()}, clock ${record.clockQuality}`],
    ["boot", `${record.bootId}, ${(record.monotonicMs / 1_000).toFixed(3)} s after its start`],
    ["image", `${record.imageWidth}×${record.imageHeight}, ${record.imageBytes} bytes`],
    ["sha256", record.imageSha256],
    ["kept", `${reason.rule}, priority ${reason.priority}`],
    ...(model === undefined
      ? []
      : ([
          [
            "model",
            `${model.name}, ${model.inputWidth}×${model.inputHeight}, threshold ${model.threshold}, NMS ${model.nmsIou}, ${model.runtime}`,
          ],
          ...(model.thresholds === undefined ? [] : ([["", thresholdsPhrase(model.thresholds)]] as const)),
          ["", `sha256 ${model.sha256}`],
          ...(model.tiles === undefined ? [] : ([["", tilesPhrase(model.tiles)]] as const)),
        ] as const)),
    ...(maskVersion === undefined ? [] : ([["mask", maskVersion]] as const)),
    ["agent", record.agentVersion],
  ];
}

function thresholdsPhrase(thresholds: Readonly<Record<string, number>>): string {
  const scores = Object.entries(thresholds).map(([label, score]) => `${label} ${score}`);
  return `thresholds of its own: ${scores.join(", ")}`;
}

function tilesPhrase({ columns, rows, overlap }: TileGrid): string {
  return `with ${columns}×${rows} tiles that share ${Math.round(100 * overlap)} %`;
}

/** All of them, those below the threshold too: this is what is stored. */
function detectionLines(record: StoredRecord): readonly string[] {
  const { labelled, detections } = record;
  if (!labelled) return ["unlabelled: the detector was away"];
  if (detections.length === 0) return ["no detections"];
  const shown = new Set(shownDetections(record));
  const rows = detections.map((detection) => {
    const { left, top, width, height } = detection.box;
    const pixels = [left, top, width, height].map((edge) => Math.round(edge));
    const weak = shown.has(detection) ? "" : "below the threshold: not sent";
    return [detection.label, Number(detection.score.toFixed(3)), ...pixels, weak];
  });
  return textTable(["label", "score", "left", "top", "width", "height", ""], rows);
}
