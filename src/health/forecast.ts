import type { Clock } from "../core/clock.ts";
import { healthLimits } from "../core/limits.ts";
import { dayMs } from "../core/units.ts";

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/** How long the buffer lasts if it goes on filling as in the last hours. */
export class BufferForecast {
  readonly #clock: Clock;
  readonly #samples: Sample[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be told now and then what the buffer holds; more often than needed does no harm. */
  note(bytes: number): void {
    const atMs = this.#clock.monotonicMs();
    const last = this.#samples.at(-1);
    if (last !== undefined && atMs - last.atMs < healthLimits.forecastSampleMs) return;
    this.#samples.push({ atMs, bytes });
    if (this.#samples.length > healthLimits.forecastSamplesMax) this.#samples.shift();
  }

  /** Undefined while it does not grow, and until enough is known. */
  daysLeft({ bytes, roomBytes }: { readonly bytes: number; readonly roomBytes: number }): number | undefined {
    const [first] = this.#samples;
    const spanMs = first === undefined ? 0 : this.#clock.monotonicMs() - first.atMs;
    if (first === undefined || spanMs < healthLimits.forecastSpanMinMs) return undefined;
    const grown = bytes - first.bytes;
    return grown <= 0 ? undefined : (Math.max(0, roomBytes) / grown) * (spanMs / dayMs);
  }
}
