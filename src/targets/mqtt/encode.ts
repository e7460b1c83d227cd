import { sentDetections } from "../../core/detections.ts";
import type { StoredRecord } from "../../core/types.ts";
import { jsonWithBase64 } from "../../link/payload.ts";
import { iotownLabels, type IotownEncoding } from "../iotown/encode.ts";

/**
 * One JSON object: IoT.own's `image`, `type` and `labels`, so that whoever reads those reads these, and then what only
 * a receiver without a database behind it needs: identity, time, size and scores.
 */

/** The text around the base64 characters of the image. Known before the image is read. */
export interface RecordText {
  readonly before: string;
  readonly after: string;
  /** Of the payload that it will become. */
  readonly payloadBytes: number;
}

export function recordText(record: StoredRecord, encoding: IotownEncoding): RecordText {
  const before = '{"image":"';
  const rest = JSON.stringify({
    type: "jpg",
    labels: iotownLabels(record, encoding),
    id: record.id,
    name: record.name,
    device: record.device,
    camera: record.cameraId,
    capturedAt: new Date(record.capturedAtMs).toISOString(),
    clock: record.clockQuality,
    width: record.imageWidth,
    height: record.imageHeight,
    labelled: record.labelled,
    // Only where something is hidden in the picture.
    maskVersion: record.maskVersion,
    // In the order of `labels`, in pixels of the image.
    detections: sentDetections(record, encoding.minScore).map(({ label, score, box, polygon, line }) => {
      return { label, score, box, polygon, line };
    }),
  });
  const after = `",${rest.slice(1)}`;
  const base64Bytes = Math.ceil(record.imageBytes / 3) * 4;
  return { before, after, payloadBytes: before.length + base64Bytes + Buffer.byteLength(after) };
}

export function recordPayload(text: RecordText, jpeg: Buffer, allocate?: (sizeBytes: number) => Buffer): Buffer {
  return jsonWithBase64(text.before, jpeg, text.after, allocate);
}
