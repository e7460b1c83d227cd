import { quantiles } from "../../src/core/counters.ts";
import type { Precision } from "../../src/vision/inspection.ts";

/** What measured times mean: a line for each model and number of threads, and what to take of them. */

/** What one visit to a vision process gave; several visits make a line. */
export interface Visit {
  readonly runsMs: readonly number[];
  /** Of whole detections: decode, resize, fill, run, decode of the outputs, and both ways between the processes. */
  readonly roundsMs: readonly number[];
  /** Processor time of all threads for all those detections. */
  readonly cpuMs: number;
  readonly rssPeakBytes: number;
  readonly precision?: Precision;
  /** Values in all weights: equal for two files of one model. */
  readonly parameters?: number;
  readonly inputWidth: number;
  readonly inputHeight: number;
}

export interface SpeedRow extends Pick<
  Visit,
  "precision" | "parameters" | "inputWidth" | "inputHeight" | "rssPeakBytes"
> {
  readonly reference: string;
  readonly threads: number;
  readonly detections: number;
  readonly runMs: number;
  readonly runMsP95: number;
  readonly roundMs: number;
  readonly roundMsP95: number;
  readonly cpuMs: number;
}

export interface Advice {
  readonly reference: string;
  readonly threads: number;
  readonly perSecond: number;
  /** Sentences for a person. */
  readonly reasons: readonly string[];
}

/** A thread more has to bring this much: it is taken from capture, uploads and whatever else the gateway does. */
const worthMore = 1.15;
/** Times that differ by less say nothing on a machine with other work. */
const sameWithin = 1.05;

/** Of at least one visit. */
export function speedRow(reference: string, threads: number, visits: readonly Visit[]): SpeedRow | undefined {
  const [first] = visits;
  if (first === undefined) return undefined;
  const [runMs = 0, runMsP95 = 0] = quantiles(
    visits.flatMap(({ runsMs }) => runsMs),
    [0.5, 0.95],
  );
  const rounds = visits.flatMap(({ roundsMs }) => roundsMs);
  const [roundMs = 0, roundMsP95 = 0] = quantiles(rounds, [0.5, 0.95]);
  const cpuMs = visits.reduce((sum, visit) => sum + visit.cpuMs, 0);
  return {
    reference,
    threads,
    ...(first.precision === undefined ? {} : { precision: first.precision }),
    ...(first.parameters === undefined ? {} : { parameters: first.parameters }),
    inputWidth: first.inputWidth,
    inputHeight: first.inputHeight,
    detections: rounds.length,
    runMs,
    runMsP95,
    roundMs,
    roundMsP95,
    cpuMs: cpuMs / Math.max(1, rounds.length),
    rssPeakBytes: Math.max(...visits.map(({ rssPeakBytes }) => rssPeakBytes)),
  };
}

/** Undefined where nothing was measured. */
export function advise(rows: readonly SpeedRow[]): Advice | undefined {
  const references = [...new Set(rows.map(({ reference }) => reference))];
  const best = references
    .flatMap((reference) => bestThreads(rows.filter((row) => row.reference === reference)) ?? [])
    .sort((a, b) => a.roundMs - b.roundMs);
  const [fastest, ...others] = best;
  if (fastest === undefined) return undefined;
  const perSecond = 1_000 / fastest.roundMs;
  return {
    reference: fastest.reference,
    threads: fastest.threads,
    perSecond,
    reasons: [
      `${perSecond.toPrecision(2)} detections a second on ${fastest.threads === 1 ? "one thread" : `${fastest.threads} threads`}`,
      ...threadsReason(
        rows.filter((row) => row.reference === fastest.reference),
        fastest,
      ),
      ...others.map((other) => compared(fastest, other)),
      ...variantReasons(best),
    ],
  };
}

/** The fewest threads that are nearly as fast as the best number of them. */
function bestThreads(rows: readonly SpeedRow[]): SpeedRow | undefined {
  const least = Math.min(...rows.map((row) => wholeMs(row, rows)));
  return rows.toSorted((a, b) => a.threads - b.threads).find((row) => wholeMs(row, rows) <= least * worthMore);
}

/** Threads change the run and nothing else: the rest is taken from the case in which it was disturbed least. */
function wholeMs({ runMs }: SpeedRow, rows: readonly SpeedRow[]): number {
  return runMs + Math.min(...rows.map((row) => row.roundMs - row.runMs));
}

function threadsReason(rows: readonly SpeedRow[], chosen: SpeedRow): readonly string[] {
  const one = rows.find(({ threads }) => threads === 1);
  if (rows.length < 2 || one === undefined) return [];
  if (chosen.threads > 1) {
    const gain = wholeMs(one, rows) / wholeMs(chosen, rows);
    return [`${chosen.threads} threads are ${gain.toFixed(1)} times as fast as one`];
  }
  return ["more threads bring less than a sixth, and take processors from everything else"];
}

function compared(fastest: SpeedRow, other: SpeedRow): string {
  const factor = other.roundMs / fastest.roundMs;
  if (factor < sameWithin) return `${other.reference} is as fast`;
  return `${fastest.reference} is ${factor.toFixed(1)} times as fast as ${other.reference} here`;
}

/**
 * Of files that are one model in two precisions. int8 is faster on some processors and many times slower on others: only
 * what was measured counts.
 */
function variantReasons(rows: readonly SpeedRow[]): readonly string[] {
  const reasons: string[] = [];
  for (const [at, a] of rows.entries()) {
    for (const b of rows.slice(at + 1)) {
      if (!isVariant(a, b)) continue;
      const [quick, slow] = a.runMs <= b.runMs ? [a, b] : [b, a];
      const factor = (slow.runMs / quick.runMs).toFixed(1);
      reasons.push(
        `${slow.reference} seems to be the same model as ${quick.reference}, and its ${slow.precision} takes ${factor} times as long as ${quick.precision}`,
      );
    }
  }
  return reasons;
}

function isVariant(a: SpeedRow, b: SpeedRow): boolean {
  if (a.inputWidth !== b.inputWidth || a.inputHeight !== b.inputHeight || a.precision === b.precision) return false;
  const [few = 0, many = 0] = [a.parameters ?? 0, b.parameters ?? 0].sort((x, y) => x - y);
  // Quantisation adds a few scales to millions of weights.
  return few > 0 && many / few < 1.01;
}
