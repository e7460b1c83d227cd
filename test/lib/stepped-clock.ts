import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.ts";

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

/**
 * A clock that stands still until the test moves it, for code with several timers at once: whoever sleeps wakes in the
 * order of due times, and between two of them everything else that can run does.
 */
export class SteppedClock implements Clock {
  readonly #startMs: number;
  readonly #sleepers = new Set<Sleeper>();
  #elapsedMs = 0;

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason as Error);
      };
      const wake = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      const sleeper = { untilMs: this.#elapsedMs + ms, wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", onAbort);
    });
  }

  async advance(ms: number): Promise<void> {
    const targetMs = this.#elapsedMs + ms;
    await settle();
    for (;;) {
      const [next] = [...this.#sleepers].sort((a, b) => a.untilMs - b.untilMs);
      if (next === undefined || next.untilMs > targetMs) break;
      this.#elapsedMs = Math.max(this.#elapsedMs, next.untilMs);
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#elapsedMs = targetMs;
  }
}

/** Lets everything run that waits for no timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await setImmediate();
}
