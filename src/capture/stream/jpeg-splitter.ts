import type { FrameSplitter } from "./splitter.ts";

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const firstBytes = 256 * 1_024;

/**
 * Cuts a stream of JPEGs that follow each other, with or without other bytes between them, by a walk over their
 * markers: segments are skipped by their length, so that an EXIF thumbnail ends no frame. A start marker inside picture
 * data means that the frame before it was cut short: it is dropped, and the walk goes on with the new one.
 */
export class JpegSplitter implements FrameSplitter {
  readonly #frameBytesMax: number;
  readonly #onFrame: (view: Buffer) => void;
  #bytes = Buffer.allocUnsafeSlow(firstBytes);
  /** Bytes held, and how far they have been walked. A frame that has begun starts at 0. */
  #held = 0;
  #at = 0;
  #state: "between" | "segments" | "pixels" = "between";

  /** `onFrame` gets a view that is valid during the call alone. */
  constructor(frameBytesMax: number, onFrame: (view: Buffer) => void) {
    this.#frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    this.#hold(chunk);
    while (this.#step());
    this.#dropWalked();
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
    for (;;) {
      const at = this.#bytes.subarray(0, this.#held).indexOf(0xff, this.#at);
      if (at === -1 || at + 1 >= this.#held) {
        this.#at = at === -1 ? this.#held : at;
        return false;
      }
      this.#at = at + 1;
      if (this.#bytes[at + 1] !== SOI) continue;
      this.#begin(at);
      return true;
    }
  }

  /** The frame that starts here is moved to the front. */
  #begin(at: number): void {
    this.#bytes.copyWithin(0, at, this.#held);
    this.#held -= at;
    this.#at = 2;
    this.#state = "segments";
  }

  #skipSegment(): boolean {
    const at = this.#at;
    if (at + 4 > this.#held) return at + 2 <= this.#held && this.#bytes[at + 1] === EOI && this.#end(at);
    const marker = this.#bytes[at + 1] ?? 0;
    if (this.#bytes[at] !== 0xff) return this.#resync(at);
    if (marker === 0xff) return this.#move(at + 1);
    if (marker === EOI) return this.#end(at);
    if (marker === SOI) return this.#restart(at);
    const next = at + 2 + this.#bytes.readUInt16BE(at + 2);
    if (next > this.#held) return false;
    if (marker === SOS) this.#state = "pixels";
    return this.#move(next);
  }

  #scanPixels(): boolean {
    const { buffer } = { buffer: this.#bytes.subarray(0, this.#held) };
    let at = this.#at;
    for (;;) {
      at = buffer.indexOf(0xff, at);
      if (at === -1 || at + 1 >= this.#held) {
        this.#at = at === -1 ? this.#held : at;
        return false;
      }
      const next = buffer[at + 1] ?? 0;
      if (next === 0 || (next >= 0xd0 && next <= 0xd7)) at += 2;
      else if (next === 0xff) at += 1;
      else if (next === EOI) return this.#end(at);
      else if (next === SOI) return this.#restart(at);
      else {
        // Progressive pictures have segments between their scans.
        this.#state = "segments";
        return this.#move(at);
      }
    }
  }

  #move(to: number): true {
    this.#at = to;
    return true;
  }

  #resync(at: number): true {
    this.#state = "between";
    return this.#move(at);
  }

  #restart(at: number): true {
    this.#begin(at);
    return true;
  }

  #end(at: number): true {
    this.#onFrame(this.#bytes.subarray(0, at + 2));
    this.#bytes.copyWithin(0, at + 2, this.#held);
    this.#held -= at + 2;
    this.#at = 0;
    this.#state = "between";
    return true;
  }

  #hold(chunk: Buffer): void {
    if (this.#held + chunk.length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#held + chunk.length));
      this.#bytes.copy(larger, 0, 0, this.#held);
      this.#bytes = larger;
    }
    chunk.copy(this.#bytes, this.#held);
    this.#held += chunk.length;
  }

  /** Bytes between frames are nobody's; a frame beyond the bound is none. */
  #dropWalked(): void {
    if (this.#state === "between") {
      this.#bytes.copyWithin(0, this.#at, this.#held);
      this.#held -= this.#at;
      this.#at = 0;
    } else if (this.#held > this.#frameBytesMax) {
      this.#held = 0;
      this.#at = 0;
      this.#state = "between";
    }
  }
}
