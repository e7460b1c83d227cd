/**
 * When the shots of one camera are due. Between two of them lies the interval, counted from due time to due time: what a
 * timer or a shot is late is made up for by the next wait, so that many cameras at many frames a second lose none by
 * rounding. No more than one interval is made up for: after a pause pictures are not taken in a burst.
 */
export class Pace {
  readonly #intervalMs: number;
  #dueMs: number;

  constructor(intervalMs: number, nowMs: number) {
    this.#intervalMs = intervalMs;
    this.#dueMs = nowMs;
  }

  /** How long to wait after a shot that had its turn, at `nowMs`, until the next one is due. */
  waitMs(nowMs: number): number {
    this.#dueMs += this.#intervalMs;
    if (nowMs - this.#dueMs > this.#intervalMs) this.#dueMs = nowMs;
    return Math.max(0, this.#dueMs - nowMs);
  }

  /** The next shot is one more: those of the camera's own stay due when they were. */
  beside(): void {
    this.#dueMs -= this.#intervalMs;
  }

  /** The next shot was not due before now: it had to be asked for. */
  begin(nowMs: number): void {
    this.#dueMs = Math.max(this.#dueMs, nowMs);
  }
}
