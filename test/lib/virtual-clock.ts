import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.ts";

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/**
 * Time for tests in which several things wait at once: it stands still while anything can run, and `run` jumps to the
 * next sleeper only then. Nothing outside the process may be involved.
 */
export class VirtualClock implements Clock {
  readonly #sleepers = new Set<Sleeper>();
  #monotonicMs = 0;
  readonly #startMs = Date.UTC(2026, 0, 1);

  nowMs(): number {
    return this.#startMs + this.#monotonicMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
      };
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const sleeper: Sleeper = { atMs: this.#monotonicMs + Math.max(0, ms), wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** Lets everything run that needs no time to pass. */
  async settle(): Promise<void> {
    for (let round = 0; round < 3; round += 1) await setImmediate();
  }

  /** Until `done`, or until `forMs` have passed; then whether `done`. */
  async run(forMs: number, done: () => boolean = () => false): Promise<boolean> {
    const endMs = this.#monotonicMs + forMs;
    for (;;) {
      await this.settle();
      if (done()) return true;
      const next = [...this.#sleepers].reduce<Sleeper | undefined>(
        (first, sleeper) => (first === undefined || sleeper.atMs < first.atMs ? sleeper : first),
        undefined,
      );
      if (next === undefined || next.atMs > endMs) {
        this.#monotonicMs = endMs;
        return done();
      }
      this.#monotonicMs = Math.max(this.#monotonicMs, next.atMs);
      next.wake();
    }
  }
}
