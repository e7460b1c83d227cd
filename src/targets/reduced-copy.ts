import { createHash } from "node:crypto";
import { scaledDetection } from "../core/detections.ts";
import type { Delivery } from "../core/ports.ts";
import type { Cursor } from "../core/types.ts";
import type { EncodedImage } from "../core/vision-port.ts";
import type { MadeCopy, ReduceStep } from "./reduce-steps.ts";

/** A reduced copy of a record's picture, and the delivery that carries it. */
export interface ReducedCopy extends MadeCopy {
  readonly width: number;
  readonly height: number;
  readonly delivery: Delivery;
}

/** The same record with the copy as its picture: size, hash and everything that was found are the copy's. */
export function reducedCopy(original: Delivery, step: ReduceStep, encoded: EncodedImage, cursor?: Cursor): ReducedCopy {
  const { jpeg, width, height } = encoded;
  const { record: whole, attempts } = original;
  const across = width / whole.imageWidth;
  const down = height / whole.imageHeight;
  const record = {
    ...whole,
    imageWidth: width,
    imageHeight: height,
    imageBytes: jpeg.length,
    imageSha256: createHash("sha256").update(jpeg).digest("hex"),
    detections: whole.detections.map((detection) => scaledDetection(detection, across, down)),
  };
  const image = () => Promise.resolve(jpeg);
  const delivery = { record, attempts, image, ...(cursor === undefined ? {} : { cursor }) };
  return { ...step, bytes: jpeg.length, width, height, delivery };
}

/** A target's own cursor, marked as being about this copy: the next try goes on with the same picture and its boxes. */
export function markedCursor({ quality, scale }: ReduceStep, cursor: Cursor): Cursor {
  return `reduced:${quality}:${Math.round(scale * 1_000)}:${cursor}`;
}

/** Undefined for a cursor that is about the original. */
export function readMarked(cursor: Cursor): { readonly step: ReduceStep; readonly cursor: Cursor } | undefined {
  const match = /^reduced:(\d{1,3}):(\d{1,4}):(.*)$/s.exec(cursor);
  if (match === null) return undefined;
  const [, quality, scale, own = ""] = match;
  return { step: { quality: Number(quality), scale: Number(scale) / 1_000 }, cursor: own };
}
