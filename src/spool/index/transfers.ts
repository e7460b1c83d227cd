import { AgentError } from "../../core/errors.ts";
import { spoolLimits } from "../../core/spool-limits.ts";
import type { HeldRecord, HoldRequest, MovedDelivery } from "../../core/queue.ts";
import { classified, numberIn, textIn } from "./database.ts";
import type { Statements } from "./statements.ts";
import { DEFERRED, HELD, type IndexStore, QUARANTINED, READY } from "./store.ts";

/** Records that an export took out of delivery and neither moved nor gave back. */
export interface HeldAmount {
  readonly records: number;
  /** The export folder that they are held for. */
  readonly folder?: string;
}

/**
 * Records on their way to another spool. Invariant: at any time a record is owed here, or held here and perhaps written
 * elsewhere, or gone from here and written elsewhere. So nothing that is held is delivered, and what is held for one
 * export folder is never written to a second one.
 */
export class Transfers {
  readonly #sql: Statements;
  readonly #store: IndexStore;

  constructor(statements: Statements, store: IndexStore) {
    this.#sql = statements;
    this.#store = store;
  }

  /** Those held before, then further whole records, none of which is in `leased`. */
  hold(request: HoldRequest, leased: readonly number[]): readonly HeldRecord[] {
    const recordsMax = Math.min(request.recordsMax, spoolLimits.collectRecords);
    if (recordsMax <= 0) return [];
    return this.#sql.transaction("hold", () => {
      const before = this.#heldBefore(recordsMax);
      if (before.length > 0) this.#mustBeFor(request);
      this.#sql.run("DELETE FROM export WHERE id <> ?", request.exportId);
      this.#sql.run("INSERT OR REPLACE INTO export (id, folder) VALUES (?, ?)", request.exportId, request.folder);
      const further = this.#next(request.targetId, recordsMax - before.length, new Set([...leased, ...before]));
      for (const sequence of further) this.#holdOne(sequence);
      return [
        ...before.flatMap((sequence) => this.#recordOf(sequence, true)),
        ...further.flatMap((sequence) => this.#recordOf(sequence, false)),
      ];
    });
  }

  /** As they stood before. Fails with `SPOOL_NOT_HELD`. */
  deliveriesOf(sequence: number): readonly MovedDelivery[] {
    const rows = classified("look up what is held", () => this.#heldRows(sequence));
    if (rows.length === 0) throw notHeld(sequence);
    return rows.map(movedDeliveryOf);
  }

  /** True when nothing is owed of the record any more, so that its file can go. Once more is no error. */
  release(sequence: number): boolean {
    return this.#sql.transaction("release", () => {
      const rows = this.#heldRows(sequence);
      if (rows.length === 0 && this.#recordOf(sequence, false).length > 0) throw notHeld(sequence);
      return rows
        .map((row) => this.#store.takeAway(sequence, textIn(row, "target") ?? "", HELD + 1) === true)
        .includes(true);
    });
  }

  giveBack(sequences: readonly number[]): void {
    this.#sql.transaction("give back what is held", () => {
      for (const sequence of sequences) this.#giveBackOne(sequence);
    });
  }

  wasTakenIn(place: string): boolean {
    return classified(
      "look up an arrival",
      () => this.#sql.get("SELECT 1 AS there FROM imported WHERE id = ?", place) !== undefined,
    );
  }

  heldAmount(): HeldAmount {
    return classified("count what is held", () => {
      const records = numberIn(
        this.#sql.get(`SELECT count(DISTINCT seq) AS records FROM dlv WHERE state = ${HELD}`),
        "records",
      );
      const folder = textIn(this.#sql.get("SELECT folder FROM export LIMIT 1"), "folder");
      return folder === undefined ? { records } : { records, folder };
    });
  }

  #heldBefore(recordsMax: number): readonly number[] {
    return this.#sql
      .all(`SELECT DISTINCT seq FROM dlv WHERE state = ${HELD} ORDER BY seq LIMIT ?`, recordsMax)
      .map((row) => numberIn(row, "seq"));
  }

  /** What may lie in one folder already must not be written to another: both might be imported. */
  #mustBeFor({ exportId, folder }: HoldRequest): void {
    const row = this.#sql.get("SELECT id, folder FROM export LIMIT 1");
    if (row === undefined || textIn(row, "id") === exportId) return;
    const { records } = this.heldAmount();
    throw new AgentError(
      "SPOOL_HELD_ELSEWHERE",
      `export to ${folder}: ${records} records are held for the export to ${textIn(row, "folder") ?? "another folder"}, which has not ended`,
      { disposition: "reject" },
    );
  }

  /** Oldest first; of one target's those that its index names first, which takes no look at all the others. */
  #next(targetId: string | undefined, recordsMax: number, without: ReadonlySet<number>): readonly number[] {
    const asked = recordsMax + without.size;
    const rows =
      targetId === undefined
        ? this.#sql.all("SELECT seq FROM item ORDER BY seq LIMIT ?", asked)
        : [
            ...this.#owedTo(targetId, READY, "priority DESC, seq", asked),
            ...this.#owedTo(targetId, DEFERRED, "due_at", asked),
            ...this.#owedTo(targetId, QUARANTINED, "seq", asked),
          ];
    const sequences = rows.map((row) => numberIn(row, "seq")).filter((sequence) => !without.has(sequence));
    return sequences.slice(0, recordsMax).sort((a, b) => a - b);
  }

  #owedTo(targetId: string, state: number, order: string, recordsMax: number): readonly unknown[] {
    return this.#sql.all(
      `SELECT seq FROM dlv WHERE target = ? AND state = ${state} ORDER BY ${order} LIMIT ?`,
      ...[targetId, recordsMax],
    );
  }

  #holdOne(sequence: number): void {
    const rows = this.#sql.all(
      `SELECT d.target AS target, d.state AS state, i.bytes AS bytes
         FROM dlv d CROSS JOIN item i ON i.seq = d.seq WHERE d.seq = ? AND d.state < ${HELD}`,
      sequence,
    );
    for (const row of rows) this.#count(row, numberIn(row, "state"), -1);
    this.#sql.run(
      `UPDATE dlv SET before_hold = CASE WHEN state = ${QUARANTINED} THEN ${QUARANTINED} ELSE ${READY} END, state = ${HELD}
        WHERE seq = ? AND state < ${HELD}`,
      sequence,
    );
  }

  #giveBackOne(sequence: number): void {
    const rows = this.#sql.all(
      `SELECT d.target AS target, d.before_hold AS before_hold, i.bytes AS bytes
         FROM dlv d CROSS JOIN item i ON i.seq = d.seq WHERE d.seq = ? AND d.state = ${HELD}`,
      sequence,
    );
    for (const row of rows) this.#count(row, numberIn(row, "before_hold"), 1);
    this.#sql.run(
      `UPDATE dlv SET state = coalesce(before_hold, ${READY}), before_hold = NULL WHERE seq = ? AND state = ${HELD}`,
      sequence,
    );
  }

  #count(row: unknown, state: number, sign: 1 | -1): void {
    const targetId = textIn(row, "target") ?? "";
    if (state === QUARANTINED) this.#sql.count([`quarantined:${targetId}`, sign]);
    else this.#sql.count([`pending:${targetId}`, sign], [`owed-bytes:${targetId}`, sign * numberIn(row, "bytes")]);
  }

  #recordOf(sequence: number, heldBefore: boolean): readonly HeldRecord[] {
    const id = textIn(this.#sql.get("SELECT id FROM item WHERE seq = ?", sequence), "id");
    return id === undefined ? [] : [{ sequence, id, heldBefore }];
  }

  #heldRows(sequence: number): readonly unknown[] {
    return this.#sql.all(
      `SELECT target, before_hold, attempts, cursor, error FROM dlv WHERE seq = ? AND state = ${HELD} ORDER BY target`,
      sequence,
    );
  }
}

function movedDeliveryOf(row: unknown): MovedDelivery {
  const cursor = textIn(row, "cursor");
  const error = textIn(row, "error");
  return {
    targetId: textIn(row, "target") ?? "",
    state: numberIn(row, "before_hold") === QUARANTINED ? "quarantined" : "pending",
    attempts: numberIn(row, "attempts"),
    ...(cursor === undefined ? {} : { cursor }),
    ...(error === undefined ? {} : { error }),
  };
}

function notHeld(sequence: number): AgentError {
  return new AgentError("SPOOL_NOT_HELD", `record ${sequence}: it is not held for an export`, {
    disposition: "reject",
  });
}
