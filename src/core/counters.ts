import { healthLimits } from "./limits.ts";
import type { Random } from "./ports.ts";

/** Counts by name, bounded: a name beyond the limit is counted as `other`. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    const known = this.#counts.has(name) || this.#counts.size < healthLimits.tallyKeysMax;
    const key = known ? name : "other";
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  snapshot(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}

export interface SummarySnapshot {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** A series of any length in bounded memory: exact count, mean and maximum, percentiles of a random sample. */
export class Summary {
  readonly #random: Random;
  readonly #samples: number[] = [];
  #count = 0;
  #sum = 0;
  #max = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  add(value: number): void {
    this.#count += 1;
    this.#sum += value;
    this.#max = Math.max(this.#max, value);
    // Algorithm R: every value so far is in the sample with the same probability.
    const slot = this.#samples.length < healthLimits.samplesMax ? this.#samples.length : this.#drawn();
    if (slot < healthLimits.samplesMax) this.#samples[slot] = value;
  }

  snapshot(): SummarySnapshot {
    const mean = this.#count === 0 ? 0 : this.#sum / this.#count;
    const [p50 = 0, p95 = 0] = quantiles(this.#samples, [0.5, 0.95]);
    return { count: this.#count, mean, p50, p95, max: this.#max };
  }

  #drawn(): number {
    return Math.floor(this.#random() * this.#count);
  }
}

export interface HistogramSnapshot {
  /** Up to and including this value, in the order of the bounds; what is above all of them is only in `count`. */
  readonly buckets: readonly { readonly atMost: number; readonly count: number }[];
  readonly count: number;
  readonly sum: number;
}

/** How often values lay below which bounds: what a series is for whoever asks now and then and compares. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  /** Ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  add(value: number): void {
    this.#count += 1;
    this.#sum += value;
    const index = this.#bounds.findIndex((bound) => value <= bound);
    if (index >= 0) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  snapshot(): HistogramSnapshot {
    let below = 0;
    const buckets = this.#bounds.map((atMost, index) => {
      below += this.#counts[index] ?? 0;
      return { atMost, count: below };
    });
    return { buckets, count: this.#count, sum: this.#sum };
  }
}

/** The values below which these shares of a series lie; 0 where there are none. */
export function quantiles(values: readonly number[], shares: readonly number[]): readonly number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return shares.map((share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
}
