import { AgentError } from "../../core/errors.ts";
import { spoolLimits } from "../../core/spool-limits.ts";
import { classified, numberIn, textIn } from "./database.ts";
import type { Losses } from "./losses.ts";
import type { Statements } from "./statements.ts";
import { DEFERRED, HELD, type IndexStore, QUARANTINED, READY } from "./store.ts";

/** A target that is configured no more. */
export interface RemovedTarget {
  readonly targetId: string;
  /** Running time. */
  readonly absentSinceMs: number;
  /** Still owed to it, quarantined and held ones included. */
  readonly deliveries: number;
}

export interface GivenUp {
  readonly deliveries: number;
  /** Records whose last delivery this was. */
  readonly finished: number;
  /** The target is forgotten now. */
  readonly done: boolean;
}

/** The next records that a backfill has to ask about. */
export interface BackfillPage {
  readonly sequences: readonly number[];
  /** The last record that this page covers; with those before it. */
  readonly upTo: number;
  /** There is no such record any more. */
  readonly done: boolean;
}

/**
 * The targets that the spool knows. One is new when the config names it for the first time: it is owed what comes after
 * `first_seq`, and what came before only by a backfill. After a rebuild of the index all are new again; that makes no
 * delivery, for the envelopes say to whom their records are owed.
 */
export class TargetRegistry {
  readonly #sql: Statements;
  readonly #store: IndexStore;
  readonly #losses: Losses;

  constructor(statements: Statements, store: IndexStore, losses: Losses) {
    this.#sql = statements;
    this.#store = store;
    this.#losses = losses;
  }

  /**
   * Says which targets the config has. Those that are owed something and are not among them count as removed from now on.
   * On a full disk all stays as it was: the next start does it.
   */
  register(configured: readonly string[], ranMs: number): void {
    try {
      this.#sql.transaction("register targets", () => this.#register(configured, ranMs));
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "DISK_FULL") throw error;
    }
  }

  removed(): readonly RemovedTarget[] {
    return classified("list removed targets", () =>
      this.#sql.all("SELECT id, absent_since FROM target WHERE absent_since IS NOT NULL ORDER BY id").map((row) => {
        const targetId = textIn(row, "id") ?? "";
        const counted = this.#sql.value(`pending:${targetId}`) + this.#sql.value(`quarantined:${targetId}`);
        return {
          targetId,
          absentSinceMs: numberIn(row, "absent_since"),
          deliveries: counted + this.#heldOf(targetId),
        };
      }),
    );
  }

  /**
   * Gives up some deliveries of a removed target, and forgets it with the last of them. What is held for an export stays
   * until the export is over.
   */
  giveUpSome(targetId: string, deliveriesMax: number): GivenUp {
    return this.#sql.transaction("give up a removed target's deliveries", () => {
      // It came back, or was forgotten before: an answer got lost.
      if (!this.#isRemoved(targetId)) return { deliveries: 0, finished: 0, done: true };
      const rows = [READY, DEFERRED, QUARANTINED].flatMap((state) =>
        this.#sql.all(
          `SELECT seq, priority FROM dlv WHERE target = ? AND state = ${state} LIMIT ?`,
          targetId,
          deliveriesMax,
        ),
      );
      let finished = 0;
      for (const row of rows.slice(0, deliveriesMax)) {
        if (this.#store.takeAway(numberIn(row, "seq"), targetId, HELD) === true) finished += 1;
        const priority = numberIn(row, "priority");
        this.#losses.count([{ targetId, priority, reason: "target-removed", deliveries: 1 }]);
      }
      const done = rows.length <= deliveriesMax && this.#heldOf(targetId) === 0;
      if (done) this.#forget(targetId);
      return { deliveries: Math.min(rows.length, deliveriesMax), finished, done };
    });
  }

  backfillPage(targetId: string): BackfillPage {
    return classified("select what to backfill", () => {
      const target = this.#sql.get("SELECT first_seq, backfilled_to FROM target WHERE id = ?", targetId);
      const firstSequence = numberIn(target, "first_seq");
      const after = numberIn(target, "backfilled_to");
      if (after >= firstSequence) return { sequences: [], upTo: after, done: true };
      const seen = this.#sql
        .all(
          "SELECT seq FROM item WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
          ...[after, firstSequence, spoolLimits.backfillRecords],
        )
        .map((row) => numberIn(row, "seq"));
      const isLast = seen.length < spoolLimits.backfillRecords;
      const upTo = isLast ? firstSequence : (seen.at(-1) ?? firstSequence);
      const had = new Set([
        ...this.#owed(targetId, after, upTo),
        ...this.#accepted(targetId, after, upTo),
        // On their way to another spool: what is added now would not go with them.
        ...this.#held(after, upTo),
      ]);
      return { sequences: seen.filter((sequence) => !had.has(sequence)), upTo, done: false };
    });
  }

  /** Owes these records to the target, as far as they are still there and not owed to it yet. The number of new deliveries. */
  backfill(targetId: string, sequences: readonly number[], upTo: number): number {
    return this.#sql.transaction("backfill", () => {
      const owed = sequences.filter((sequence) => this.#store.owe(sequence, targetId)).length;
      this.#sql.run("UPDATE target SET backfilled_to = ? WHERE id = ?", upTo, targetId);
      return owed;
    });
  }

  #register(configured: readonly string[], ranMs: number): void {
    const highWater = this.#store.highWater();
    for (const targetId of configured) {
      this.#sql.run(
        `INSERT INTO target (id, first_seq) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET absent_since = NULL`,
        ...[targetId, highWater],
      );
    }
    for (const targetId of this.#knownIds()) {
      if (configured.includes(targetId)) continue;
      this.#sql.run(
        `INSERT INTO target (id, first_seq, absent_since) VALUES (?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET absent_since = coalesce(absent_since, excluded.absent_since)`,
        ...[targetId, highWater, ranMs],
      );
    }
  }

  #held(after: number, upTo: number): readonly number[] {
    return this.#sql
      .all(`SELECT seq FROM dlv INDEXED BY dlv_held WHERE state = ${HELD} AND seq > ? AND seq <= ?`, after, upTo)
      .map((row) => numberIn(row, "seq"));
  }

  #owed(targetId: string, after: number, upTo: number): readonly number[] {
    return this.#sql
      .all("SELECT seq FROM dlv WHERE seq > ? AND seq <= ? AND target = ?", after, upTo, targetId)
      .map((row) => numberIn(row, "seq"));
  }

  /** A target that was removed, forgotten and added again has some of them already. */
  #accepted(targetId: string, after: number, upTo: number): readonly number[] {
    return this.#sql
      .all("SELECT seq FROM sent WHERE target = ? AND seq > ? AND seq <= ?", targetId, after, upTo)
      .map((row) => numberIn(row, "seq"));
  }

  /** By the counters: looking through the deliveries would take the longer the more there are. */
  #knownIds(): ReadonlySet<string> {
    const ids = this.#sql.all("SELECT id FROM target").map((row) => textIn(row, "id") ?? "");
    const names = this.#sql.all("SELECT name FROM kv").map((row) => textIn(row, "name") ?? "");
    const held = this.#sql.all(`SELECT DISTINCT target FROM dlv WHERE state = ${HELD}`);
    const counted = names.flatMap((name) => /^(?:pending|quarantined):(.+)$/.exec(name)?.[1] ?? []);
    return new Set([...ids, ...counted, ...held.map((row) => textIn(row, "target") ?? "")]);
  }

  #isRemoved(targetId: string): boolean {
    const row = this.#sql.get("SELECT 1 AS there FROM target WHERE id = ? AND absent_since IS NOT NULL", targetId);
    return row !== undefined;
  }

  #heldOf(targetId: string): number {
    return numberIn(
      this.#sql.get(`SELECT count(*) AS held FROM dlv WHERE target = ? AND state = ${HELD}`, targetId),
      "held",
    );
  }

  #forget(targetId: string): void {
    this.#sql.run("DELETE FROM target WHERE id = ?", targetId);
    for (const counter of ["pending", "owed-bytes", "quarantined", "accepted"]) {
      this.#sql.run("DELETE FROM kv WHERE name = ?", `${counter}:${targetId}`);
    }
  }
}
