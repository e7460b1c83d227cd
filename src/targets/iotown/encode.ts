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

export function iotownLabels(draft: RecordDraft, encoding: IotownEncoding): readonly IotownLabel[] {
  return sentDetections(draft, encoding.minScore).map(({ label, box }) => ({
    name: label,
    ...fractions(box, draft, encoding.boxOrigin),
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

function fractions(box: Box, draft: RecordDraft, origin: BoxOrigin): Omit<IotownLabel, "name"> {
  const shift = origin === "center" ? 0.5 : 0;
  return {
    x: sixDecimals((box.left + box.width * shift) / draft.imageWidth),
    y: sixDecimals((box.top + box.height * shift) / draft.imageHeight),
    w: sixDecimals(box.width / draft.imageWidth),
    h: sixDecimals(box.height / draft.imageHeight),
  };
}

/** The vendor's own callers write six decimals; more are unproven. */
function sixDecimals(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
