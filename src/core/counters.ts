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
    const sorted = [...this.#samples].sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
    const mean = this.#count === 0 ? 0 : this.#sum / this.#count;
    return { count: this.#count, mean, p50: at(0.5), p95: at(0.95), max: this.#max };
  }

  #drawn(): number {
    return Math.floor(this.#random() * this.#count);
  }
}
