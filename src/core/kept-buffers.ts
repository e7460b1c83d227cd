/** Sizes vary from picture to picture; in steps of this, a buffer mostly fits the next one. */
const stepBytes = 64 * 1024;

/**
 * Large buffers, used again. A fresh one for every picture makes V8 collect its whole heap every few dozen pictures, which
 * costs five times what building and sending them does (docs/benchmarks.md).
 */
export class KeptBuffers {
  readonly #idleMax: number;
  readonly #bytesMax: number;
  /** Smallest first. */
  #idle: Buffer[] = [];

  /** Keeps at most `idleMax` buffers of at most `bytesMax` each for later. */
  constructor(idleMax: number, bytesMax: number) {
    this.#idleMax = idleMax;
    this.#bytesMax = bytesMax;
  }

  /** Holds whatever it held before. */
  take(sizeBytes: number): Buffer {
    const at = this.#idle.findIndex(({ length }) => length >= sizeBytes);
    const [buffer] = at === -1 ? [] : this.#idle.splice(at, 1);
    const large = buffer ?? Buffer.allocUnsafeSlow(Math.ceil(sizeBytes / stepBytes) * stepBytes);
    return large.subarray(0, sizeBytes);
  }

  /** Only when nobody reads or writes it any more. One that is never given back is collected like any other. */
  giveBack(taken: Buffer): void {
    const buffer = Buffer.from(taken.buffer);
    if (buffer.length > this.#bytesMax) return;
    this.#idle.push(buffer);
    this.#idle.sort((a, b) => a.length - b.length);
    // The smallest goes: it is the one that fits least.
    if (this.#idle.length > this.#idleMax) this.#idle.shift();
  }
}
