/** What every benchmark answers: figures for people, verdicts for the check. */
export interface BenchTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  readonly verdicts: readonly Verdict[];
  /** What a reader has to know of how it was measured: a paragraph each. */
  readonly notes?: readonly string[];
  /** What this machine could not measure, and why. */
  readonly leftOut?: readonly string[];
}

export interface Verdict {
  readonly name: string;
  readonly value: number;
  /** For example `≤ 0.5 ms`. */
  readonly bound: string;
  readonly holds: boolean;
}

export function atMost(name: string, value: number, boundMax: number, unit = ""): Verdict {
  return { name, value, bound: `≤ ${boundMax}${unit === "" ? "" : ` ${unit}`}`, holds: value <= boundMax };
}

export function atLeast(name: string, value: number, boundMin: number): Verdict {
  return { name, value, bound: `≥ ${boundMin}`, holds: value >= boundMin };
}

/** The middle of the sorted values; 0 of none. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export function rounded(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}
