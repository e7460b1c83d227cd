import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.ts";

/** What deliver gives a target that was stopped, and the target its platform. */
const graceMs = 1_000;
const graceHurry = 10;

/**
 * A clock on which all time passes `hurry` times as fast: an agent's back-off of minutes takes seconds. Sleeps of up to a
 * second are not shortened as much: they give a disk or a network its time, which are no faster than ever.
 */
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
    const realMs = Math.max(ms / this.#hurry, Math.min(ms, graceMs) / graceHurry);
    // A timer of Node's takes 31 bits.
    await delay(Math.min(realMs, 2 ** 31 - 1), undefined, { signal });
  }
}
