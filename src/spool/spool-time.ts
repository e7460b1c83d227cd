import type { Clock } from "../core/clock.ts";

/**
 * Two times that no wall clock can move, both in milliseconds, both told by the index at the start:
 *
 * - Delays are stored in a time that begins where the latest of them ends, so that a restart ends them all.
 * - Running time is how long spools have run on this folder: ages and grace periods count in it. What a gateway spends
 *   switched off does not make a record older.
 */
export class SpoolTime {
  readonly #clock: Clock;
  #delayOffsetMs = 0;
  #ranOffsetMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin({ deferredUntilMs, ranMs }: { readonly deferredUntilMs: number; readonly ranMs: number }): void {
    const nowMs = this.#clock.monotonicMs();
    this.#delayOffsetMs = deferredUntilMs - nowMs;
    this.#ranOffsetMs = ranMs - nowMs;
  }

  delayNowMs(): number {
    return this.#clock.monotonicMs() + this.#delayOffsetMs;
  }

  /** The monotonic time of a stored delay's end. */
  monotonicOf(dueAtMs: number): number {
    return dueAtMs - this.#delayOffsetMs;
  }

  ranMs(): number {
    return this.#clock.monotonicMs() + this.#ranOffsetMs;
  }
}
