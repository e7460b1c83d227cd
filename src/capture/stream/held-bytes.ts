const firstBytes = 256 * 1_024;
/** A header segment and a pipe's chunk may lie behind the largest frame. */
const slackBytes = 128 * 1_024;

/** The bytes of a stream that are still needed, in one piece of memory that grows as far as one frame. */
export class HeldBytes {
  readonly #frameBytesMax: number;
  #memory: Buffer = Buffer.allocUnsafeSlow(firstBytes);
  #view: Buffer = this.#memory.subarray(0, 0);

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Valid until the next call. */
  get view(): Buffer {
    return this.#view;
  }

  append(chunk: Buffer): void {
    const held = this.#view.length;
    const needed = held + chunk.length;
    if (needed > this.#memory.length) {
      const sizeBytes = Math.max(needed, Math.min(2 * this.#memory.length, this.#frameBytesMax + slackBytes));
      this.#become(Buffer.allocUnsafeSlow(sizeBytes));
    }
    chunk.copy(this.#memory, held);
    this.#view = this.#memory.subarray(0, needed);
  }

  dropFront(sizeBytes: number): void {
    if (sizeBytes === 0) return;
    this.#memory.copyWithin(0, sizeBytes, this.#view.length);
    this.#view = this.#memory.subarray(0, this.#view.length - sizeBytes);
  }

  /** Gives back what a frame beyond all bounds took. */
  shrink(): void {
    if (this.#memory.length > 4 * firstBytes)
      this.#become(Buffer.allocUnsafeSlow(Math.max(firstBytes, this.#view.length)));
  }

  #become(memory: Buffer): void {
    this.#view.copy(memory);
    this.#memory = memory;
    this.#view = memory.subarray(0, this.#view.length);
  }
}
