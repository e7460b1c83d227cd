import type { Clock } from "../../src/core/clock.ts";
import { healthLimits } from "../../src/core/limits.ts";

/** Asks once for all who ask at about the same time. */
export class Recent<T> {
  readonly #ask: () => Promise<T>;
  readonly #clock: Clock;
  #last: { readonly answer: Promise<T>; readonly untilMs: number } | undefined;

  constructor(ask: () => Promise<T>, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  async get(): Promise<T> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#last === undefined || nowMs >= this.#last.untilMs) {
      this.#last = { answer: this.#ask(), untilMs: nowMs + healthLimits.answerKeptMs };
    }
    return await this.#last.answer;
  }
}
