import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.ts";

/** A clock on which all time passes `hurry` times as fast: an agent's back-off of minutes takes seconds. */
export class HurriedClock implements Clock {
  readonly #hurry: number;
  readonly #startedAtMs = Date.now();
  readonly #startedMs = performance.now();

  constructor(hurry: number) {
    this.#hurry = hurry;
  }

  nowMs(): number {
    return this.#startedAtMs + this.monotonicMs();
  }

  monotonicMs(): number {
    return (performance.now() - this.#startedMs) * this.#hurry;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    // A timer of Node's takes 31 bits.
    await delay(Math.min(ms / this.#hurry, 2 ** 31 - 1), undefined, { signal });
  }
}
