import { segment } from "./jpegs.ts";

const commentMarker = 0xfe;

/** The same picture with a comment: other bytes, and so another hash. */
export function differentJpeg(jpeg: Buffer, comment: string): Buffer {
  return Buffer.concat([jpeg.subarray(0, 2), segment(commentMarker, Buffer.from(comment)), jpeg.subarray(2)]);
}
