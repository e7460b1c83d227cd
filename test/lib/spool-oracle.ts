import { imageOf } from "./drafts.ts";

/**
 * What a crashed spool may show. The oracle hears every step of the writer, on a pipe, and compares what a spool shows
 * after the crash with it.
 *
 * - A record that `append` answered is owed until its outcome is known: missing is lost.
 * - A sequence names one record, for ever.
 * - After kill -9 each delivery shows its last settlement, or the one under way.
 * - After a power cut it may also show an earlier one, as far back as `redelivery` says.
 * - Where the spool evicts, no more may be missing than it has counted as lost.
 */

export const targets = ["a", "b"] as const;

/** What a power cut may undo: the promise of the spool, and how late a timer and its flush may be on a busy machine. */
export const redelivery = { settlementsMax: 64, ageMsMax: 5_000, lateMsMax: 1_000 } as const;

/** The image that belongs to a number: compared byte for byte. */
export function imageNumber(number: number): Buffer {
  return imageOf(2_000 + ((number * 7_919) % 30_000), number);
}

/** The same clock in every process of this machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** What a delivery shows, as one text: also `quarantined` and `accepted`. */
export function pending(attempts: number, cursor: string | undefined): string {
  return `pending ${attempts} ${cursor ?? "-"}`;
}

const untouched = pending(0, undefined);

export type Crash = "kill" | "power cut";

/** A record that the spool shows; a target without a state is not owed the record any more. */
export interface Seen {
  readonly id: string;
  readonly sequence: number;
  readonly states: ReadonlyMap<string, string>;
}

export type Fault = "lost" | "corrupt" | "forgotten" | "doubled";

interface Step {
  readonly state: string;
  /** Its place among all settlements; 0 for one that no crash can undo. */
  readonly order: number;
  readonly atMs: number;
}

/** One record for one target: the oldest step is durable. */
interface Progress {
  steps: readonly [Step, ...Step[]];
  /** Said to be under way, and not answered. */
  settling?: string;
}

export class SpoolOracle {
  readonly faults: Record<Fault, number> = { lost: 0, corrupt: 0, forgotten: 0, doubled: 0 };
  /** The first few faults in words. */
  readonly examples: string[] = [];
  /** Shown although their append was not answered. */
  early = 0;
  appended = 0;
  settled = 0;
  checked = 0;
  imagesChecked = 0;
  /** Settlements that power cuts undid: how many, and how far back the farthest was. */
  readonly undone = { settlements: 0, deepest: 0, oldestMs: 0 };
  /** Number of the first image that no answered append used. */
  nextNumber = 0;
  /** By record id, then by target; finished records are only remembered by their id. */
  readonly #records = new Map<string, ReadonlyMap<string, Progress>>();
  readonly #finished = new Set<string>();
  readonly #sequences = new Map<number, string>();
  #rowsWithoutEnvelope = 0;
  readonly #crashes: { readonly kind: Crash; readonly order: number; readonly atMs: number }[] = [];

  /** Deliveries that are missing, where the spool evicts. */
  readonly evicted = { missing: 0, counted: 0 };
  readonly #evicts: boolean;

  constructor({ evicts = false } = {}) {
    this.#evicts = evicts;
  }

  /** One line of the writer. */
  hear(line: string): void {
    const [verb, ...words] = line.split(" ");
    if (verb === "appended") {
      const [id = "", number, sequence] = words;
      this.appended += 1;
      this.nextNumber = Math.max(this.nextNumber, Number(number) + 1);
      this.#used(Number(sequence), id);
      this.#records.set(id, fresh());
      return;
    }
    const [targetId = "", id = "", ...rest] = words;
    const progress = this.#progressOf(id, targetId);
    if (progress === undefined) return;
    if (verb === "leased") this.#observe(progress, `${targetId} ${id}`, rest.join(" "));
    else if (verb === "settling") progress.settling = rest.join(" ");
    else if (verb === "settled" && progress.settling !== undefined) {
      this.settled += 1;
      const step = { state: progress.settling, order: this.settled, atMs: Number(rest[0]) };
      progress.steps = [...progress.steps, step];
      delete progress.settling;
    }
  }

  /** All lines up to the crash have been heard. */
  crash(kind: Crash, atMs: number): void {
    this.#crashes.push({ kind, order: this.settled, atMs });
  }

  /** Everything that a spool shows, opened after a crash. It is durable from here on. */
  compare(shown: readonly Seen[]): void {
    const seen = new Map(shown.map((record) => [record.id, record]));
    for (const { id, sequence } of shown) {
      this.#used(sequence, id);
      if (this.#finished.has(id)) this.fault("forgotten", `finished, and shown again: ${id}`);
      else if (!this.#records.has(id)) this.#adopt(id);
    }
    for (const [id, deliveries] of this.#records) {
      const states = seen.get(id)?.states;
      this.checked += 1;
      for (const [targetId, progress] of deliveries) {
        this.#observe(progress, `${targetId} ${id}`, states?.get(targetId) ?? "accepted");
      }
      if (states === undefined) {
        this.#records.delete(id);
        this.#finished.add(id);
      }
    }
  }

  /** Of the spool's whole life. */
  rowsWithoutEnvelope(rows: number): void {
    // Crashes within evictions leave some.
    if (this.#evicts) return;
    for (; this.#rowsWithoutEnvelope < rows; this.#rowsWithoutEnvelope += 1) {
      this.fault("corrupt", "a row without an envelope");
    }
  }

  /** By the spool's count, of its whole life. Call after `compare`. */
  countedAsLost(deliveries: number): void {
    this.evicted.counted = deliveries;
    const { missing } = this.evicted;
    if (missing > deliveries) this.fault("lost", `${missing} deliveries are missing, ${deliveries} were counted`);
  }

  fault(fault: Fault, what: string): void {
    this.faults[fault] += 1;
    if (this.examples.length < 10) this.examples.push(`${fault}: ${what}`);
  }

  #used(sequence: number, id: string): void {
    const owner = this.#sequences.get(sequence) ?? id;
    if (owner !== id) this.fault("doubled", `sequence ${sequence} of ${owner} is that of ${id} too`);
    this.#sequences.set(sequence, id);
  }

  #adopt(id: string): void {
    this.early += 1;
    this.#records.set(id, fresh());
  }

  #progressOf(id: string, targetId: string): Progress | undefined {
    if (this.#finished.has(id)) {
      this.fault("forgotten", `finished, and leased again: ${targetId} ${id}`);
      return undefined;
    }
    if (!this.#records.has(id)) this.#adopt(id);
    return this.#records.get(id)?.get(targetId);
  }

  /** What is shown after a crash was made durable by opening the spool; what is shown later, in the same run, was not. */
  #observe(progress: Progress, key: string, state: string): void {
    const { steps, settling } = progress;
    const at = steps.findLastIndex((step) => step.state === state);
    const undone = steps[at + 1];
    if (at < 0 && state === "accepted" && state !== settling && this.#evicts) this.evicted.missing += 1;
    else if (at < 0 && state !== settling) {
      const fault = state === "accepted" ? "lost" : "forgotten";
      this.fault(fault, `${key} shows ${state} after ${steps.map((step) => step.state).join(", ")}`);
    } else if (at >= 0 && undone !== undefined && state !== settling) {
      this.#undo(key, undone, steps.length - 1 - at);
    }
    const last = steps.at(-1) ?? steps[0];
    if (last.order <= (this.#crashes.at(-1)?.order ?? 0)) {
      progress.steps = [durable(state)];
      delete progress.settling;
    }
  }

  /** `oldest` and all later settlements of a delivery are not shown. */
  #undo(key: string, oldest: Step, settlements: number): void {
    const crash = this.#crashes.find(({ order }) => order >= oldest.order);
    const depth = crash === undefined ? 0 : crash.order - oldest.order + 1;
    const ageMs = crash === undefined ? 0 : crash.atMs - oldest.atMs;
    this.undone.settlements += settlements;
    this.undone.deepest = Math.max(this.undone.deepest, depth);
    this.undone.oldestMs = Math.max(this.undone.oldestMs, ageMs);
    const { settlementsMax, ageMsMax, lateMsMax } = redelivery;
    const allowed = crash?.kind === "power cut" && depth <= settlementsMax && ageMs <= ageMsMax + lateMsMax;
    if (!allowed) this.fault("forgotten", `${key}: ${oldest.state}, ${depth} settlements and ${ageMs} ms before`);
  }
}

function fresh(): ReadonlyMap<string, Progress> {
  return new Map(targets.map((targetId) => [targetId, { steps: [durable(untouched)] }]));
}

function durable(state: string): Step {
  return { state, order: 0, atMs: 0 };
}
