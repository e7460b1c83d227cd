import type { FrameSplitter } from "./splitter.ts";

const headerEnd = Buffer.from("\r\n\r\n");
const headerBytesMax = 4 * 1_024;

/**
 * Cuts `multipart/x-mixed-replace` by the Content-Length of each part: for senders that are ours (ffmpeg's mpjpeg
 * muxer), where it is always there and always right. Foreign cameras leave it out or lie: their streams are cut by
 * `JpegSplitter`.
 */
export class MultipartSplitter implements FrameSplitter {
  readonly #frameBytesMax: number;
  readonly #onFrame: (view: Buffer) => void;
  #held: Buffer = Buffer.alloc(0);
  #bodyBytes: number | undefined;

  constructor(frameBytesMax: number, onFrame: (view: Buffer) => void) {
    this.#frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (this.#bodyBytes === undefined ? this.#readHeader() : this.#readBody(this.#bodyBytes));
  }

  #readHeader(): boolean {
    const end = this.#held.indexOf(headerEnd);
    if (end === -1) {
      // No header of ours is as long: whatever this is, it is no picture.
      if (this.#held.length > headerBytesMax) this.#held = this.#held.subarray(-headerEnd.length);
      return false;
    }
    const header = this.#held.toString("latin1", 0, end);
    this.#held = this.#held.subarray(end + headerEnd.length);
    const length = Number(/^content-length:\s*(\d{1,9})\s*$/im.exec(header)?.[1]);
    if (length <= this.#frameBytesMax) this.#bodyBytes = length;
    return true;
  }

  #readBody(sizeBytes: number): boolean {
    if (this.#held.length < sizeBytes) return false;
    this.#onFrame(this.#held.subarray(0, sizeBytes));
    this.#held = this.#held.subarray(sizeBytes);
    this.#bodyBytes = undefined;
    return true;
  }
}
