import { setTimeout as delay } from "node:timers/promises";

/** Time comes in through the constructor, so that no test sleeps and no duration trusts a wall clock that may jump. */
export interface Clock {
  /** Wall clock in milliseconds since the epoch. May jump; never for durations. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with an AbortError. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export class SystemClock implements Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await delay(ms, undefined, { signal });
  }
}
