import type { Clock } from "../core/clock.ts";
import { spoolLimits } from "../core/spool-limits.ts";

/**
 * How much is free where the spool lies. While records come in quickly the disk is asked once a second only, and what they
 * took since is taken off. Such a figure may let a record in; before one is refused, the disk is asked again.
 */
export class FreeSpace {
  readonly #ask: () => Promise<number>;
  readonly #clock: Clock;
  #answer: { readonly freeBytes: number; readonly takenBefore: number; readonly atMs: number } | undefined;
  /** Bytes of all records so far. */
  #taken = 0;

  constructor(ask: () => Promise<number>, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /** Bytes, by an answer of the last second. */
  async bytes(): Promise<number> {
    const known = this.#answer;
    if (known === undefined || this.#clock.monotonicMs() - known.atMs >= spoolLimits.freeSpaceKnownMs) {
      return await this.askedAgain();
    }
    return known.freeBytes - (this.#taken - known.takenBefore);
  }

  async askedAgain(): Promise<number> {
    const takenBefore = this.#taken;
    const atMs = this.#clock.monotonicMs();
    const freeBytes = await this.#ask();
    this.#answer = { freeBytes, takenBefore, atMs };
    return freeBytes;
  }

  /** A record of this length is about to be written; it takes whole blocks. */
  took(bytes: number): void {
    this.#taken += Math.ceil(bytes / spoolLimits.diskBlockBytes) * spoolLimits.diskBlockBytes;
  }
}
