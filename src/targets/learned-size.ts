import type { Clock } from "../core/clock.ts";
import { reduceLimits } from "../core/deliver-limits.ts";

/**
 * The largest picture that the other side seems to take, out of what it took and refused: so that not every picture is
 * sent twice where it has a limit that it does not tell. Now and then one larger than that is tried all the same; when
 * one is taken, all is forgotten.
 */
export class LearnedSize {
  readonly #clock: Clock;
  #refusedBytes = Infinity;
  /** The largest that was taken since. */
  #acceptedBytes = 0;
  #tryAgainAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The smallest that was refused; infinite where none was. */
  get refusedBytes(): number {
    return this.#refusedBytes;
  }

  refused(bytes: number): void {
    this.#refusedBytes = Math.min(this.#refusedBytes, bytes);
    // The limit has come down since.
    if (this.#acceptedBytes >= this.#refusedBytes) this.#acceptedBytes = 0;
    this.#tryAgainAtMs = this.#clock.monotonicMs() + reduceLimits.learnedForMs;
  }

  accepted(bytes: number): void {
    if (this.#refusedBytes === Infinity) return;
    this.#acceptedBytes = Math.max(this.#acceptedBytes, bytes);
    if (bytes < this.#refusedBytes) return;
    this.#refusedBytes = Infinity;
    this.#acceptedBytes = 0;
  }

  /** False where a picture of this size would most likely be refused. Says yes to one every few minutes nevertheless. */
  mayBeTaken(bytes: number): boolean {
    if (bytes < this.#refusedBytes) return true;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#tryAgainAtMs) return false;
    this.#tryAgainAtMs = nowMs + reduceLimits.learnedForMs;
    return true;
  }

  /**
   * What a copy should take; undefined while nothing was taken yet. Between what was taken and what was refused lies the
   * limit: the middle narrows it down with at most one refusal a picture, until the two are close.
   */
  aimBytes(): number | undefined {
    if (this.#refusedBytes === Infinity || this.#acceptedBytes === 0) return undefined;
    const isClose = this.#refusedBytes / this.#acceptedBytes < reduceLimits.closeRatio;
    return isClose ? this.#acceptedBytes : Math.sqrt(this.#acceptedBytes * this.#refusedBytes);
  }
}
