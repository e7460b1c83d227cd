import { sentDetections } from "../../core/detections.ts";
import type { Box, RecordDraft } from "../../core/types.ts";
import { jsonWithBase64 } from "../../link/payload.ts";

/** What `x` and `y` of a label mean. The vendor's reference says "same YOLO": the centre. */
export type BoxOrigin = "center" | "top-left";

export interface IotownEncoding {
  readonly boxOrigin: BoxOrigin;
  /** Stricter than the model's threshold where it is higher. */
  readonly minScore: number;
}

/** A label of `POST /api/v1.0/nn/image`: fractions of the image; exactly these five keys. */
export interface IotownLabel {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** One for each detection that is sent, in their order. */
export function iotownLabels(draft: RecordDraft, encoding: IotownEncoding): readonly IotownLabel[] {
  return iotownDetected(draft, encoding).map(({ name, x, y, w, h }) => ({ name, x, y, w, h }));
}

/** As the vendor's documents write what a detector found: a label, and its score. */
export interface IotownDetected extends IotownLabel {
  readonly score: number;
}

export function iotownDetected(draft: RecordDraft, encoding: IotownEncoding): readonly IotownDetected[] {
  return sentDetections(draft, encoding.minScore).map(({ label, score, box }) => ({
    name: label,
    ...fractionsOf(box, draft, encoding.boxOrigin),
    score: Math.round(score * millionths) / millionths,
  }));
}

/** The request body of an image upload: `image`, `type`, `labels`, and nothing else. */
export function iotownImageBody(
  jpeg: Buffer,
  labels: readonly IotownLabel[],
  allocate?: (sizeBytes: number) => Buffer,
): Buffer {
  return jsonWithBase64('{"image":"', jpeg, `","type":"jpg","labels":${JSON.stringify(labels)}}`, allocate);
}

function fractionsOf(box: Box, draft: RecordDraft, origin: BoxOrigin): Omit<IotownLabel, "name"> {
  const across = span(box.left / draft.imageWidth, box.width / draft.imageWidth, origin);
  const down = span(box.top / draft.imageHeight, box.height / draft.imageHeight, origin);
  return { x: across.at, y: down.at, w: across.size, h: down.size };
}

/** The vendor's own callers write six decimals; more are unproven. */
const millionths = 1_000_000;

/** Rounded so that no edge comes to lie outside the image, and something is left of every box. */
function span(start: number, size: number, origin: BoxOrigin): { readonly at: number; readonly size: number } {
  // A thousandth of a millionth is what floating point does to a whole number.
  const whole = Math.min(Math.max(1, Math.floor(size * millionths + 0.001)), millionths);
  const before = origin === "center" ? Math.ceil(whole / 2) : 0;
  const behind = origin === "center" ? before : whole;
  const wanted = Math.round((origin === "center" ? start + size / 2 : start) * millionths);
  const at = Math.min(Math.max(wanted, before), millionths - behind);
  return { at: at / millionths, size: whole / millionths };
}
