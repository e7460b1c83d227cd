import type { Clock } from "../../../src/core/clock.ts";
import type { Logger } from "../../../src/core/ports.ts";

/** Hears of the connects of many links by what they log, and shows nothing. */
export class ConnectLog implements Logger {
  readonly connectedAtMs: number[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  debug(): void {}

  info(event: string): void {
    if (event === "mqtt.connected") this.connectedAtMs.push(this.#clock.monotonicMs());
  }

  warn(): void {}

  error(): void {}

  child(): Logger {
    return this;
  }

  redacted(text: string): string {
    return text;
  }
}

/** The most of `timesMs`, which are in order, that lie within any second. */
export function mostInOneSecond(timesMs: readonly number[]): number {
  let most = 0;
  let from = 0;
  for (const [at, timeMs] of timesMs.entries()) {
    while (timeMs - (timesMs[from] ?? 0) >= 1_000) from += 1;
    most = Math.max(most, at - from + 1);
  }
  return most;
}
