import { shownDetections } from "../src/core/detections.ts";
import type { Processed } from "../src/pipeline/processed.ts";
import type { Answer } from "./answer-book.ts";
import { counted, textTable } from "./terminal.ts";

/** What became of a frame, for `--json` and for `capture --save`. */
export function processedFacts(processed: Processed): Readonly<Record<string, unknown>> {
  if (processed.kind === "dropped") {
    return { result: "dropped", why: processed.why, error: errorFacts(processed.error) };
  }
  if (processed.kind === "still") return { result: "still", camera: processed.still.cameraId };
  const { seen } = processed;
  return {
    result: processed.kind,
    ...(processed.kind === "not-kept" ? { why: processed.why } : { reason: processed.reason.rule }),
    ...(processed.kind === "refused" ? { error: errorFacts(processed.error) } : {}),
    ...(processed.kind === "stored" || processed.kind === "kept" ? { owedTo: processed.owedTo } : {}),
    ...(processed.kind === "stored" ? { record: processed.record.id, name: processed.record.name } : {}),
    camera: seen.cameraId,
    capturedAt: new Date(seen.capturedAtMs).toISOString(),
    width: seen.image.width,
    height: seen.image.height,
    sizeBytes: seen.image.jpeg.length,
    labelled: seen.labelled,
    ...(seen.model === undefined ? {} : { model: seen.model.name }),
    detections: shownDetections(processed.seen),
  };
}

export function processedLines(processed: Processed): string[] {
  if (processed.kind === "dropped") return [`dropped (${processed.why}): ${processed.error.message}`];
  if (processed.kind === "still") return [`${processed.still.cameraId}: nothing moved`];
  const { image, labelled, cameraId } = processed.seen;
  const shown = shownDetections(processed.seen);
  const rows = shown.map(({ label, score, box }) => [
    `  ${label}`,
    Number(score.toFixed(3)),
    ...[box.left, box.top, box.width, box.height].map((pixels) => Math.round(pixels)),
  ]);
  return [
    `${cameraId}: ${image.width}×${image.height}, ${image.jpeg.length} bytes, ${labelled ? counted(shown.length, "detection") : "unlabelled, the detector is away (framepost doctor says why)"}`,
    ...(rows.length > 0 ? textTable(["  label", "score", "left", "top", "width", "height"], rows) : []),
    verdict(processed),
  ];
}

function verdict(processed: Exclude<Processed, { kind: "dropped" | "still" }>): string {
  switch (processed.kind) {
    case "stored":
      return `kept (${processed.reason.rule}) as ${processed.record.name}, owed to ${processed.owedTo.join(", ")}`;
    case "kept":
      return `would be kept (${processed.reason.rule}) and owed to ${processed.owedTo.join(", ")}; nothing was stored`;
    case "not-kept":
      return `not kept: ${processed.why}`;
    case "not-owed":
      return "not stored: no target wants such a picture (see each target's includeEmpty, labels and minScore)";
    case "refused":
      return `not stored: ${processed.error.message} (${processed.error.code})`;
  }
}

const words: Readonly<Record<Answer["outcome"], string>> = {
  accepted: "accepted",
  rejected: "refused for good",
  deferred: "not accepted yet; it waits in the spool for `framepost run`",
};

export function answerLines(answers: readonly Answer[]): string[] {
  return answers.map(({ targetId, outcome, remoteId, error }) =>
    [`${targetId}: ${words[outcome]}`, remoteId, error === undefined ? undefined : `${error.message} (${error.code})`]
      .filter((text) => text !== undefined)
      .join("  "),
  );
}

function errorFacts({ code, message }: { readonly code: string; readonly message: string }) {
  return { code, message };
}
