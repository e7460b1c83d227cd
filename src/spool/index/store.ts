import { spoolLimits } from "../../core/spool-limits.ts";
import type { MovedDelivery } from "../../core/queue.ts";
import { type Arrival, placeOf } from "../envelope.ts";
import { classified, numberIn, textIn } from "./database.ts";
import type { Statements } from "./statements.ts";

/** What the index keeps of a record. */
export interface IndexEntry {
  readonly sequence: number;
  readonly id: string;
  readonly priority: number;
  /** Wall clock, as the envelope says. */
  readonly createdMs: number;
  readonly imageBytes: number;
  /** Of the whole file. */
  readonly bytes: number;
  readonly encrypted: boolean;
  readonly owedTo: readonly string[];
  /** Of a record that came from another spool. */
  readonly arrival?: Arrival;
}

export interface Deferral {
  /** In spool time; a time that has passed makes the delivery ready at once. */
  readonly dueAtMs: number;
  readonly charged: boolean;
  /** Absent keeps the one there is, an empty one clears it. */
  readonly cursor?: string;
  readonly error: string;
}

export interface Amount {
  readonly records: number;
  readonly bytes: number;
}

/** States of a delivery, as stored. Those below QUARANTINED are pending. */
export const READY = 0;
export const DEFERRED = 1;
export const QUARANTINED = 2;
export const HELD = 3;

/** Records and what is owed of them: the rows that append, lease and settle work on. */
export class IndexStore {
  readonly #sql: Statements;

  constructor(statements: Statements) {
    this.#sql = statements;
  }

  /** Entries that are there already are passed over. `addedAtMs` is running time. `also` belongs to the transaction. */
  insert(entries: readonly IndexEntry[], addedAtMs: number, also: () => void = () => undefined): void {
    this.#sql.transaction("insert", () => {
      for (const entry of entries) this.#insertOne(entry, addedAtMs);
      also();
    });
  }

  /** In as few statements as there are tables: an append waits for this. */
  #insertOne(entry: IndexEntry, addedAtMs: number): void {
    const { sequence, id, priority, createdMs, imageBytes, bytes, encrypted, owedTo, arrival } = entry;
    const added = this.#sql.run(
      `INSERT OR IGNORE INTO item (seq, id, priority, created_ms, image_bytes, bytes, added_at, encrypted)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[sequence, id, priority, createdMs, imageBytes, bytes, addedAtMs, encrypted ? 1 : 0],
    );
    if (added === 0) return;
    const deliveries = arrival?.deliveries ?? [...new Set(owedTo)].map(freshDelivery);
    if (deliveries.length > 0) {
      this.#sql.run(
        `INSERT INTO dlv (seq, target, state, priority, attempts, due_at, cursor, error)
         VALUES ${deliveries.map(() => "(?, ?, ?, ?, ?, ?, ?, ?)").join()}`,
        ...deliveries.flatMap(({ targetId, state, attempts, cursor, error }) =>
          // Quarantine counts its time here anew.
          state === "pending"
            ? [sequence, targetId, READY, priority, attempts, 0, cursor ?? null, error ?? null]
            : [sequence, targetId, QUARANTINED, priority, attempts, addedAtMs, cursor ?? null, error ?? null],
        ),
      );
    }
    this.#sql.count(
      ["records", 1],
      ["bytes", bytes],
      ["encrypted", encrypted ? 1 : 0],
      ...deliveries.flatMap((delivery) => amountsOf(delivery, bytes)),
    );
    if (arrival !== undefined) this.#arrived(placeOf(id, arrival.from));
  }

  #arrived(place: string): void {
    this.#sql.run("INSERT OR IGNORE INTO imported (id) VALUES (?)", place);
    this.#sql.run("DELETE FROM imported WHERE n <= (SELECT max(n) FROM imported) - ?", spoolLimits.importedMax);
  }

  /** All records up to here are known: no file at or below it needs a look at the next start. */
  raiseHighWater(sequence: number): void {
    this.#sql.transaction("raise the high water", () => this.#sql.raise("high_water", sequence));
  }

  /** The last sequence that was ever in the index. Rows are inserted in order, so the newest row counts too. */
  highWater(): number {
    return classified("read the high water", () =>
      Math.max(this.#sql.value("high_water"), numberIn(this.#sql.get("SELECT max(seq) AS newest FROM item"), "newest")),
    );
  }

  /** Running time when the newest record was added: the least that it can be now. */
  newestAddedAtMs(): number {
    return classified("read the newest record", () =>
      numberIn(this.#sql.get("SELECT added_at FROM item ORDER BY seq DESC LIMIT 1"), "added_at"),
    );
  }

  /** The latest time any delivery is deferred to. */
  deferredUntilMs(): number {
    return classified("read the delays", () =>
      numberIn(this.#sql.get(`SELECT max(due_at) AS latest FROM dlv WHERE state = ${DEFERRED}`), "latest"),
    );
  }

  /** Inside a transaction. False when nothing was pending. */
  accept(sequence: number, targetId: string): boolean {
    if (this.takeAway(sequence, targetId, QUARANTINED) === undefined) return false;
    this.#sql.count([`accepted:${targetId}`, 1]);
    return true;
  }

  /**
   * Inside a transaction: removes one delivery in a state below `stateMax`, and its record when it was the last. True when
   * it was; undefined when there is no such delivery.
   */
  takeAway(sequence: number, targetId: string, stateMax: number): boolean | undefined {
    const row = this.#sql.get(
      `SELECT d.state AS state, i.bytes AS bytes FROM dlv d CROSS JOIN item i ON i.seq = d.seq
        WHERE d.seq = ? AND d.target = ? AND d.state < ?`,
      ...[sequence, targetId, stateMax],
    );
    if (row === undefined) return undefined;
    const bytes = numberIn(row, "bytes");
    this.#sql.run("DELETE FROM dlv WHERE seq = ? AND target = ?", sequence, targetId);
    this.#uncount(targetId, numberIn(row, "state"), bytes);
    if (this.#sql.get("SELECT 1 AS owed FROM dlv WHERE seq = ? LIMIT 1", sequence) !== undefined) return false;
    this.#forget(sequence);
    this.#sql.run("INSERT INTO gone (seq, bytes) VALUES (?, ?)", sequence, bytes);
    return true;
  }

  /** Inside a transaction: owes a record to one more target. False when it is not there any more, or owed to it already. */
  owe(sequence: number, targetId: string): boolean {
    const item = this.#sql.get("SELECT bytes FROM item WHERE seq = ?", sequence);
    const added = this.#sql.run(
      `INSERT OR IGNORE INTO dlv (seq, target, state, priority, attempts, due_at)
         SELECT seq, ?, ${READY}, priority, 0, 0 FROM item WHERE seq = ?`,
      ...[targetId, sequence],
    );
    if (added > 0) this.#sql.count([`pending:${targetId}`, 1], [`owed-bytes:${targetId}`, numberIn(item, "bytes")]);
    return added > 0;
  }

  /** `ranMs` is running time: since when it is quarantined. */
  quarantine(sequence: number, targetId: string, error: string, ranMs: number): void {
    this.#sql.transaction("settle as rejected", () => {
      const row = this.#sql.get(
        `SELECT i.bytes AS bytes FROM dlv d CROSS JOIN item i ON i.seq = d.seq
          WHERE d.seq = ? AND d.target = ? AND d.state < ${QUARANTINED}`,
        ...[sequence, targetId],
      );
      if (row === undefined) return;
      this.#sql.run(
        `UPDATE dlv SET state = ${QUARANTINED}, error = ?, due_at = ? WHERE seq = ? AND target = ?`,
        ...[error, ranMs, sequence, targetId],
      );
      this.#uncount(targetId, READY, numberIn(row, "bytes"));
      this.#sql.count([`quarantined:${targetId}`, 1]);
    });
  }

  defer(sequence: number, targetId: string, { dueAtMs, charged, cursor, error }: Deferral): void {
    this.#sql.transaction("settle as retry", () =>
      this.#sql.run(
        `UPDATE dlv SET state = ${DEFERRED}, due_at = ?, attempts = attempts + ?, error = ?,
                cursor = CASE WHEN ? = 1 THEN nullif(?, '') ELSE cursor END
          WHERE seq = ? AND target = ? AND state < ${QUARANTINED}`,
        ...[dueAtMs, charged ? 1 : 0, error, cursor === undefined ? 0 : 1, cursor ?? "", sequence, targetId],
      ),
    );
  }

  /** Inside a transaction: makes a delivery ready, whatever its state, as if it had never been tried. False when there is none. */
  oweAgain(sequence: number, targetId: string): boolean {
    const row = this.#sql.get(
      `SELECT d.state AS state, i.bytes AS bytes FROM dlv d CROSS JOIN item i ON i.seq = d.seq
        WHERE d.seq = ? AND d.target = ?`,
      ...[sequence, targetId],
    );
    if (row === undefined) return false;
    const bytes = numberIn(row, "bytes");
    // Its last error stays to be read until there is another.
    this.#sql.run(
      `UPDATE dlv SET state = ${READY}, attempts = 0, due_at = 0 WHERE seq = ? AND target = ?`,
      ...[sequence, targetId],
    );
    this.#uncount(targetId, numberIn(row, "state"), bytes);
    this.#sql.count([`pending:${targetId}`, 1], [`owed-bytes:${targetId}`, bytes]);
    return true;
  }

  /**
   * Inside a transaction: removes a record whose file is gone already, with all that is owed of it. The deliveries it
   * took along; none when there is no such record.
   */
  removeRecord(sequence: number): readonly { readonly targetId: string; readonly priority: number }[] {
    const item = this.#sql.get("SELECT bytes FROM item WHERE seq = ?", sequence);
    if (item === undefined) return [];
    const rows = this.#sql.all("SELECT target, state, priority FROM dlv WHERE seq = ?", sequence);
    this.#sql.run("DELETE FROM dlv WHERE seq = ?", sequence);
    const removed = rows.map((row) => ({
      targetId: textIn(row, "target") ?? "",
      state: numberIn(row, "state"),
      priority: numberIn(row, "priority"),
    }));
    for (const { targetId, state } of removed) this.#uncount(targetId, state, numberIn(item, "bytes"));
    this.#forget(sequence);
    return removed;
  }

  /** Counts a damaged file that was in no index. */
  countDamaged(files: number): void {
    if (files > 0) this.#sql.transaction("count", () => this.#sql.count(["damaged", files]));
  }

  /** Finished records whose file may be removed once the index is durable. */
  finished(recordsMax: number): readonly number[] {
    return classified("select what is finished", () =>
      this.#sql.all("SELECT seq FROM gone ORDER BY seq LIMIT ?", recordsMax).map((row) => numberIn(row, "seq")),
    );
  }

  isFinished(sequence: number): boolean {
    return classified(
      "look up",
      () => this.#sql.get("SELECT 1 AS there FROM gone WHERE seq = ?", sequence) !== undefined,
    );
  }

  forgetFinished(sequences: readonly number[]): void {
    this.#sql.transaction("forget what is finished", () => {
      for (const sequence of sequences) this.#sql.run("DELETE FROM gone WHERE seq = ?", sequence);
    });
  }

  /** Everything that takes room: records owed to somebody and finished ones not yet removed. */
  onDisk(): Amount {
    return classified("measure", () => {
      const gone = this.#sql.get("SELECT count(*) AS records, coalesce(sum(bytes), 0) AS bytes FROM gone");
      return {
        records: this.#sql.value("records") + numberIn(gone, "records"),
        bytes: this.#sql.value("bytes") + numberIn(gone, "bytes"),
      };
    });
  }

  #uncount(targetId: string, state: number, bytes: number): void {
    if (state === HELD) return;
    if (state === QUARANTINED) this.#sql.count([`quarantined:${targetId}`, -1]);
    else this.#sql.count([`pending:${targetId}`, -1], [`owed-bytes:${targetId}`, -bytes]);
  }

  #forget(sequence: number): void {
    const item = this.#sql.get("SELECT bytes, encrypted FROM item WHERE seq = ?", sequence);
    this.#sql.raise("high_water", sequence);
    this.#sql.run("DELETE FROM item WHERE seq = ?", sequence);
    this.#sql.count(["records", -1], ["bytes", -numberIn(item, "bytes")], ["encrypted", -numberIn(item, "encrypted")]);
  }
}

function freshDelivery(targetId: string): MovedDelivery {
  return { targetId, state: "pending", attempts: 0 };
}

function amountsOf({ targetId, state }: MovedDelivery, bytes: number): readonly (readonly [string, number])[] {
  if (state === "quarantined") return [[`quarantined:${targetId}`, 1]];
  return [
    [`pending:${targetId}`, 1],
    [`owed-bytes:${targetId}`, bytes],
  ];
}
