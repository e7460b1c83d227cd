import { spoolLimits } from "../../core/spool-limits.ts";
import { classified, numberIn } from "./database.ts";
import type { Statements } from "./statements.ts";

export interface Victim {
  readonly sequence: number;
  readonly bytes: number;
}

/** Never chosen: what is leased, and what is gone already. */
export type Spared = ReadonlySet<number>;

/** Collects victims until there are enough: so many records and so many bytes, but no more than one step takes. */
export class Haul {
  readonly #recordsMin: number;
  readonly #bytesMin: number;
  readonly #spared: Spared;
  readonly #victims = new Map<number, Victim>();
  #bytes = 0;

  constructor(wanted: { readonly records: number; readonly bytes: number }, spared: Spared) {
    this.#recordsMin = Math.min(wanted.records, spoolLimits.evictStepRecords);
    this.#bytesMin = wanted.bytes;
    this.#spared = spared;
  }

  get enough(): boolean {
    const { size } = this.#victims;
    if (size >= spoolLimits.evictStepRecords) return true;
    return size >= this.#recordsMin && this.#bytes >= this.#bytesMin;
  }

  /** How many more are wanted, judged by the mean size of a record. */
  missing(meanBytes: number): number {
    const byBytes = Math.ceil((this.#bytesMin - this.#bytes) / Math.max(1, meanBytes));
    const wanted = Math.max(this.#recordsMin - this.#victims.size, byBytes, 0);
    return Math.min(wanted, spoolLimits.evictStepRecords - this.#victims.size);
  }

  mayTake(sequence: number): boolean {
    return !this.#spared.has(sequence) && !this.#victims.has(sequence);
  }

  take(victim: Victim): void {
    if (this.enough || !this.mayTake(victim.sequence)) return;
    this.#victims.set(victim.sequence, victim);
    this.#bytes += victim.bytes;
  }

  victims(): readonly Victim[] {
    return [...this.#victims.values()];
  }
}

/** A held record is on its way to another spool: nobody evicts it. */
const notHeld = `NOT EXISTS (SELECT 1 FROM dlv h INDEXED BY dlv_held WHERE h.seq = i.seq AND h.state = 3)`;

const nextClass = `
  SELECT i.priority AS priority FROM item i INDEXED BY item_eviction
   WHERE i.priority > ? AND i.priority <= ? ORDER BY i.priority LIMIT 1`;

const nextOfClass = `
  SELECT i.seq AS seq, i.bytes AS bytes FROM item i INDEXED BY item_eviction
   WHERE i.priority = ? AND i.seq >= ? AND ${notHeld} ORDER BY i.seq LIMIT ?`;

const lastOfClass = `
  SELECT i.seq AS seq FROM item i INDEXED BY item_eviction WHERE i.priority = ? ORDER BY i.seq DESC LIMIT 1`;

const nextOfAll = `
  SELECT i.seq AS seq, i.bytes AS bytes FROM item i WHERE i.seq >= ? AND i.seq <= ? AND ${notHeld} ORDER BY i.seq LIMIT ?`;

const nextAdded = `SELECT i.seq AS seq, i.added_at AS added_at FROM item i WHERE i.seq >= ? ORDER BY i.seq LIMIT 1`;

/** Every one of them goes along an index, so that what an eviction costs does not depend on the backlog. */
export const victimQueries = { nextClass, nextOfClass, lastOfClass, nextOfAll, nextAdded } as const;

const lowestPriority = -(2 ** 31) - 1;

/** Which records go when there has to be room: read-only queries, which also work on a full disk. */
export class Victims {
  readonly #sql: Statements;

  constructor(statements: Statements) {
    this.#sql = statements;
  }

  /** Lowest priority first; within one the oldest, or thinned in time. None above `priorityMax`. */
  byPriority(haul: Haul, policy: "oldest" | "thin", priorityMax: number): void {
    classified("select what may go", () => {
      for (let above = lowestPriority; !haul.enough;) {
        const row = this.#sql.get(nextClass, above, priorityMax);
        if (row === undefined) return;
        above = numberIn(row, "priority");
        if (policy === "thin") this.#thin(haul, above);
        this.#oldest(haul, (from, rows) => this.#sql.all(nextOfClass, above, from, rows));
      }
    });
  }

  /** Whatever was added at or before this running time: because that never falls with the sequence, it is a prefix. */
  tooOld(haul: Haul, addedAtMaxMs: number): void {
    classified("select what is too old", () => {
      const last = this.lastAddedBy(addedAtMaxMs);
      if (last !== undefined) this.#oldest(haul, (from, rows) => this.#sql.all(nextOfAll, from, last, rows));
    });
  }

  /** The last record that was added at or before this running time. */
  lastAddedBy(addedAtMaxMs: number): number | undefined {
    let found: number | undefined;
    let from = 0;
    let to = numberIn(this.#sql.get("SELECT max(seq) AS newest FROM item"), "newest");
    while (from <= to) {
      const middle = Math.floor((from + to) / 2);
      const row = this.#sql.get(nextAdded, middle);
      const sequence = numberIn(row, "seq");
      if (row === undefined || sequence > to || numberIn(row, "added_at") > addedAtMaxMs) to = middle - 1;
      else {
        found = sequence;
        from = sequence + 1;
      }
    }
    return found;
  }

  #oldest(haul: Haul, page: (from: number, rows: number) => readonly unknown[]): void {
    for (let from = 0; !haul.enough;) {
      const rows = page(from, spoolLimits.evictStepRecords).map(victimOf);
      for (const victim of rows) haul.take(victim);
      if (rows.length < spoolLimits.evictStepRecords) return;
      from = (rows.at(-1)?.sequence ?? 0) + 1;
    }
  }

  /**
   * Gives records up all over the time that this priority spans, from its densest stretches, so that what remains is
   * spread evenly: of an evenly dense one every k-th goes. Probes lie at equal distances in the sequence, which needs no
   * count of what lies between.
   */
  #thin(haul: Haul, priority: number): void {
    const meanBytes = this.#sql.value("bytes") / Math.max(1, this.#sql.value("records"));
    for (let before = Infinity; !haul.enough;) {
      const missing = haul.missing(meanBytes);
      if (missing >= before) return;
      before = missing;
      for (const victim of this.#dense(haul, priority, missing)) haul.take(victim);
    }
  }

  /** As many as are wanted, or fewer, those first that leave the smallest gap; never the oldest or the newest. */
  #dense(haul: Haul, priority: number, wanted: number): readonly Victim[] {
    const [first] = this.#sql.all(nextOfClass, priority, 0, 1).map(victimOf);
    const span = numberIn(this.#sql.get(lastOfClass, priority), "seq") - (first?.sequence ?? 0);
    if (first === undefined || wanted === 0) return [];
    const { thinProbes, thinProbesMin } = spoolLimits;
    const stride = Math.max(thinProbes, Math.ceil(thinProbesMin / wanted));
    const found = new Map<number, { readonly victim: Victim; readonly gap: number }>();
    for (let at = 0; at < wanted * stride; at += 1) {
      // In strides: among stretches of the same density those that lie evenly come first.
      const place = (at % wanted) * stride + Math.floor(at / wanted);
      const from = first.sequence + Math.floor((span * place) / (wanted * stride));
      const [before, victim, after] = this.#sql.all(nextOfClass, priority, from, 3).map(victimOf);
      if (before === undefined || victim === undefined || after === undefined) continue;
      if (!haul.mayTake(victim.sequence) || found.has(victim.sequence)) continue;
      found.set(victim.sequence, { victim, gap: after.sequence - before.sequence });
    }
    const densest = [...found.values()].sort((one, other) => one.gap - other.gap);
    return densest.slice(0, wanted).map(({ victim }) => victim);
  }
}

function victimOf(row: unknown): Victim {
  return { sequence: numberIn(row, "seq"), bytes: numberIn(row, "bytes") };
}
