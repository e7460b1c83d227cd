import { HeldBytes } from "./held-bytes.ts";
import type { FrameSplitter } from "./splitter.ts";

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;

/**
 * Cuts a stream of JPEGs that follow each other, with or without other bytes between them, by a walk over their
 * markers: segments are skipped by their length, so that an EXIF thumbnail ends no frame.
 *
 * The walk takes the same steps wherever the chunks are cut. A start marker inside a frame means that the frame was cut
 * short: it is dropped, and the new one begins. A segment that no marker follows was cut short itself and reaches into
 * the next frame: the search for a start goes on inside it. A frame beyond the bound is walked to its end but not kept.
 */
export class JpegSplitter implements FrameSplitter {
  readonly #frameBytesMax: number;
  readonly #onFrame: (view: Buffer) => void;
  readonly #held: HeldBytes;
  #bytes: Buffer;
  #state: "between" | "segments" | "pixels" = "between";
  /** Where the frame starts, and how far it has been walked: at a segment whose end was not seen, or in the pixels. */
  #start = 0;
  #at = 0;
  #hasPixels = false;
  /** Its start is no longer held. */
  #isTooLarge = false;

  /** `onFrame` gets a view that is valid during the call alone. */
  constructor(frameBytesMax: number, onFrame: (view: Buffer) => void) {
    this.#frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
    this.#held = new HeldBytes(frameBytesMax);
    this.#bytes = this.#held.view;
  }

  /** Most bytes are looked at where they came, and only those of a frame that goes on beyond its chunk are copied. */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (this.#held.view.length > 0 && rest.length > 0) {
      const taken = this.#holdNext(rest);
      this.#held.dropFront(this.#walk(this.#held.view));
      rest = rest.subarray(taken);
    }
    if (rest.length > 0) this.#held.append(rest.subarray(this.#walk(rest)));
    if (this.#isTooLarge) this.#held.shrink();
  }

  /** Of a frame in its pixels no more than belongs to it. Answers how many bytes it took. */
  #holdNext(rest: Buffer): number {
    const isInPixels = this.#state === "pixels" && this.#at === this.#held.view.length;
    const marker = isInPixels ? findMarker(rest, 0) : -1;
    const taken = marker === -1 ? rest.length : marker + 2;
    this.#held.append(rest.subarray(0, taken));
    if (isInPixels) this.#at += marker === -1 ? knownPixels(rest) : marker;
    return taken;
  }

  /** Answers how many bytes at the front are not needed any more. */
  #walk(bytes: Buffer): number {
    this.#bytes = bytes;
    while (this.#step());
    this.#isTooLarge ||= this.#state !== "between" && this.#at - this.#start > this.#frameBytesMax;
    // Bytes between frames are nobody's, and those of a frame beyond the bound are not wanted.
    const gone = this.#state === "between" || this.#isTooLarge ? this.#at : this.#start;
    this.#at -= gone;
    this.#start = 0;
    return gone;
  }

  /** False when it needs more bytes. */
  #step(): boolean {
    switch (this.#state) {
      case "between":
        return this.#findStart();
      case "segments":
        return this.#skipSegment();
      case "pixels":
        return this.#scanPixels();
    }
  }

  #findStart(): boolean {
    const bytes = this.#bytes;
    let at = bytes.indexOf(0xff, this.#at);
    while (at !== -1 && at + 1 < bytes.length && bytes[at + 1] !== SOI) at = bytes.indexOf(0xff, at + 1);
    if (at !== -1 && at + 1 < bytes.length) return this.#begin(at);
    this.#at = at === -1 ? bytes.length : at;
    return false;
  }

  #begin(at: number): true {
    this.#start = at;
    this.#hasPixels = false;
    this.#isTooLarge = false;
    return this.#goOn("segments", at + 2);
  }

  #skipSegment(): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    if (at + 2 > bytes.length) return false;
    const marker = bytes[at + 1] ?? 0;
    if (bytes[at] !== 0xff) return this.#goOn("between", at);
    if (marker === 0xff) return this.#goOn("segments", at + 1);
    if (marker === EOI) return this.#end(at + 2);
    if (marker === SOI) return this.#begin(at);
    if (!startsSegment(marker)) return this.#goOn("between", at + 1);
    if (at + 4 > bytes.length) return false;
    const next = at + 2 + bytes.readUInt16BE(at + 2);
    if (next + 2 > bytes.length) return false;
    if (marker === SOS && isScanHeader(bytes.subarray(at + 4, next))) return this.#goOn("pixels", next);
    const isFollowed = marker !== SOS && bytes[next] === 0xff && mayFollow(bytes[next + 1] ?? 0);
    return isFollowed ? this.#goOn("segments", next) : this.#goOn("between", at + 2);
  }

  #scanPixels(): boolean {
    this.#hasPixels = true;
    const at = findMarker(this.#bytes, this.#at);
    // A picture in several scans has segments between them.
    if (at !== -1) return this.#goOn("segments", at);
    this.#at = knownPixels(this.#bytes);
    return false;
  }

  #goOn(state: "between" | "segments" | "pixels", at: number): true {
    this.#state = state;
    this.#at = at;
    return true;
  }

  #end(at: number): true {
    const isFrame = this.#hasPixels && !this.#isTooLarge && at - this.#start <= this.#frameBytesMax;
    if (isFrame) this.#onFrame(this.#bytes.subarray(this.#start, at));
    return this.#goOn("between", at);
  }
}

/** Inside picture data FF00 is a literal and FFD0–FFD7 are restart marks; any other marker ends it. -1 when none does. */
function findMarker(bytes: Buffer, from: number): number {
  const last = bytes.length - 1;
  let at = bytes.indexOf(0xff, from);
  while (at !== -1 && at < last) {
    const next = bytes[at + 1] ?? 0;
    if (next !== 0 && next !== 0xff && !isRestart(next)) return at;
    at = bytes.indexOf(0xff, next === 0xff ? at + 1 : at + 2);
  }
  return -1;
}

/** How far bytes without a marker have been walked: the last one may begin one. */
function knownPixels(bytes: Buffer): number {
  return bytes.at(-1) === 0xff ? bytes.length - 1 : bytes.length;
}

/** Of those that have a length: without the marks that stand alone, and the reserved ones, which no picture has. */
function startsSegment(marker: number): boolean {
  return marker >= 0xc0 && marker !== 0xff && !isRestart(marker);
}

function mayFollow(marker: number): boolean {
  return marker >= 0xc0 && !isRestart(marker);
}

/** T.81 B.2.3. No header holds a start marker, so that one which was cut short is always found out. */
function isScanHeader(header: Buffer): boolean {
  const components = header[0] ?? 0;
  if (components < 1 || components > 4 || header.length !== 4 + 2 * components) return false;
  for (let at = 2; at <= 2 * components; at += 2) {
    if (!nibblesAtMost(header[at] ?? 0, 3)) return false;
  }
  const [first = 0, last = 0, bits = 0] = header.subarray(-3);
  return first <= 63 && last <= 63 && nibblesAtMost(bits, 13);
}

function nibblesAtMost(byte: number, bound: number): boolean {
  return byte >> 4 <= bound && (byte & 15) <= bound;
}

function isRestart(marker: number): boolean {
  return marker >= 0xd0 && marker <= 0xd7;
}
