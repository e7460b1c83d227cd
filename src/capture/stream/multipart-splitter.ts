import { HeldBytes } from "./held-bytes.ts";
import type { FrameSplitter } from "./splitter.ts";

const headerEnd = Buffer.from("\r\n\r\n");
const headerBytesMax = 4 * 1_024;
/** Trimmed not at every chunk, but when so much is held. */
const headerBytesHeldMax = 16 * headerBytesMax;

/**
 * Cuts `multipart/x-mixed-replace` by the Content-Length of each part: for senders that are ours (ffmpeg's mpjpeg
 * muxer), where it is always there and always right. Foreign cameras leave it out or lie: their streams are cut by
 * `JpegSplitter`. A part without a length, or with one beyond the bound, is searched for the header of the next.
 */
export class MultipartSplitter implements FrameSplitter {
  readonly #frameBytesMax: number;
  readonly #onFrame: (view: Buffer) => void;
  readonly #held: HeldBytes;
  /** Where the header or body that is being read starts, and how far the header has been searched for its end. */
  #start = 0;
  #searched = 0;
  #bodyBytes: number | undefined;

  /** `onFrame` gets a view that is valid during the call alone. */
  constructor(frameBytesMax: number, onFrame: (view: Buffer) => void) {
    this.#frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
    this.#held = new HeldBytes(frameBytesMax);
  }

  push(chunk: Buffer): void {
    this.#held.append(chunk);
    while (this.#bodyBytes === undefined ? this.#readHeader() : this.#readBody(this.#bodyBytes));
    this.#held.dropFront(this.#start);
    this.#searched -= this.#start;
    this.#start = 0;
  }

  /** False when it needs more bytes. */
  #readHeader(): boolean {
    const bytes = this.#held.view;
    const end = bytes.indexOf(headerEnd, this.#searched);
    if (end === -1) {
      this.#searched = Math.max(this.#start, bytes.length - headerEnd.length + 1);
      // No header of ours is as long: whatever this is, it is no picture, though a header may follow it.
      if (bytes.length - this.#start > headerBytesHeldMax)
        this.#start = bytes.length - headerBytesMax - headerEnd.length;
      return false;
    }
    const header = bytes.toString("latin1", Math.max(this.#start, end - headerBytesMax), end);
    this.#goTo(end + headerEnd.length);
    const length = lengthIn(header);
    if (length >= 1 && length <= this.#frameBytesMax) this.#bodyBytes = length;
    return true;
  }

  #readBody(sizeBytes: number): boolean {
    const end = this.#start + sizeBytes;
    if (this.#held.view.length < end) return false;
    this.#onFrame(this.#held.view.subarray(this.#start, end));
    this.#bodyBytes = undefined;
    this.#goTo(end);
    return true;
  }

  #goTo(at: number): void {
    this.#start = at;
    this.#searched = at;
  }
}

/** Of the last one that is named: what stands before the header may be the rest of a part. NaN when there is none. */
function lengthIn(header: string): number {
  return Number([...header.matchAll(/^content-length:[ \t]*(\d{1,9})[ \t]*$/gim)].at(-1)?.[1]);
}
