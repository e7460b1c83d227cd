import { sentDetections } from "../../core/detections.ts";
import type { Box, Detection, RecordDraft } from "../../core/types.ts";
import type { NewRegion } from "./models.ts";

/** How a project takes what was found. `best`: a Multiclass project wants one tag an image. */
export type Annotations = "regions" | "tags" | "best-tag";

/** An image's annotations before tags have ids: what it shows, each label once or once a box. */
export type Shown =
  | { readonly kind: "tags"; readonly labels: readonly string[] }
  | { readonly kind: "regions"; readonly boxes: readonly { readonly label: string; readonly place: Place }[] };

type Place = Omit<NewRegion, "tagId">;

export function shownOf(draft: RecordDraft, annotations: Annotations, minScore: number): Shown {
  const detections = sentDetections(draft, minScore);
  switch (annotations) {
    case "regions":
      return { kind: "regions", boxes: detections.map(({ label, box }) => ({ label, place: placeOf(box, draft) })) };
    case "tags":
      return { kind: "tags", labels: [...new Set(detections.map(({ label }) => label))] };
    case "best-tag":
      return { kind: "tags", labels: bestOf(detections) };
  }
}

export function labelsOf(shown: Shown): readonly string[] {
  return shown.kind === "tags" ? shown.labels : [...new Set(shown.boxes.map(({ label }) => label))];
}

/** With the ids of the project's tags; what has none is left out. */
export function tagged(
  shown: Shown,
  idOf: (label: string) => string | undefined,
): { readonly tagIds: readonly string[] } | { readonly regions: readonly NewRegion[] } {
  if (shown.kind === "tags") {
    const ids = shown.labels.flatMap((label) => idOf(label) ?? []);
    return { tagIds: [...new Set(ids)] };
  }
  const regions = shown.boxes.flatMap(({ label, place }) => {
    const tagId = idOf(label);
    return tagId === undefined ? [] : [{ tagId, ...place }];
  });
  return { regions };
}

function bestOf(detections: readonly Detection[]): readonly string[] {
  const best = detections.reduce<Detection | undefined>(
    (found, detection) => (found === undefined || detection.score > found.score ? detection : found),
    undefined,
  );
  return best === undefined ? [] : [best.label];
}

/**
 * Fractions with the corner at top-left. The service reads them as float32 and refuses a sum above 1, which rounding
 * alone produces for a third of the boxes that touch a border: therefore everything is rounded down to a millionth, and
 * the size by one millionth more.
 */
function placeOf(box: Box, { imageWidth, imageHeight }: RecordDraft): Place {
  const across = span(box.left / imageWidth, box.width / imageWidth);
  const down = span(box.top / imageHeight, box.height / imageHeight);
  return { left: across.start, top: down.start, width: across.length, height: down.length };
}

const steps = 1_000_000;

function span(start: number, length: number): { readonly start: number; readonly length: number } {
  // Two steps stay free for the shortest length there is, and the one that keeps the sum below 1.
  const from = Math.min(Math.max(Math.floor(start * steps), 0), steps - 2);
  const size = Math.min(Math.max(Math.floor(length * steps) - 1, 1), steps - 1 - from);
  return { start: from / steps, length: size / steps };
}
