import { setTimeout as delay } from "node:timers/promises";

/** Time comes in through the constructor, so that no test sleeps and no duration trusts a wall clock that may jump. */
export interface Clock {
  /** Wall clock in milliseconds since the epoch. May jump; never for durations. */
  nowMs(): number;
  /** Never goes back. Compares within a boot of the machine, also between processes. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with an AbortError. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** A timer of Node's takes 31 bits of milliseconds (24.8 days); a longer one fires at once. */
const timerMaxMs = 2 ** 31 - 1;

export class SystemClock implements Clock {
  readonly #timerMaxMs: number;

  /** The longest single timer, for tests. */
  constructor(longestTimerMs = timerMaxMs) {
    this.#timerMaxMs = longestTimerMs;
  }

  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    // On Linux the kernel's CLOCK_MONOTONIC, which begins with the boot; `performance.now()` begins with the process.
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1_000 + nanoseconds / 1e6;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    const endMs = this.monotonicMs() + ms;
    for (let leftMs = ms; ; leftMs = endMs - this.monotonicMs()) {
      await delay(Math.min(leftMs, this.#timerMaxMs), undefined, { signal });
      if (leftMs <= this.#timerMaxMs) return;
    }
  }
}
