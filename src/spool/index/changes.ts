import { spoolLimits } from "../../core/spool-limits.ts";
import type { DeliverySelection, QueueStep } from "../../core/queue.ts";
import { numberIn, textIn } from "./database.ts";
import { statesOf } from "./listings.ts";
import type { Losses } from "./losses.ts";
import type { Statements } from "./statements.ts";
import { DEFERRED, HELD, type IndexStore, QUARANTINED, READY } from "./store.ts";

export type Change = "retry" | "drop" | "count" | "hasten" | "prioritize";

/** Records that somebody found in their files, of all up to `lastSequence`. */
export interface RecordWindow {
  readonly sequences: readonly number[];
  readonly lastSequence: number;
  /** There is none after them. */
  readonly done: boolean;
}

export interface LeasedDelivery {
  readonly sequence: number;
  readonly targetId: string;
}

export interface ChangeStep extends QueueStep {
  /** Whose deliveries were changed. */
  readonly targetIds: readonly string[];
}

interface Row {
  readonly sequence: number;
  readonly targetId: string;
  readonly priority: number;
}

interface Fitting {
  readonly fitting: readonly Row[];
  readonly lastSequence: number;
  readonly done: boolean;
}

/** Deliveries that an operator makes due again, puts first or gives up: one step looks at a bounded number of rows. */
export class Changes {
  readonly #sql: Statements;
  readonly #store: IndexStore;
  readonly #losses: Losses;

  constructor(statements: Statements, store: IndexStore, losses: Losses) {
    this.#sql = statements;
    this.#store = store;
    this.#losses = losses;
  }

  step(
    change: Change,
    selection: DeliverySelection,
    among: number | RecordWindow,
    leased: readonly LeasedDelivery[],
  ): ChangeStep {
    const taken = new Set(leased.map(({ sequence, targetId }) => `${sequence} ${targetId}`));
    return this.#sql.transaction(change, () => {
      const { fitting, lastSequence, done } =
        typeof among === "number" ? this.#next(change, selection, among) : this.#among(change, selection, among);
      const free = fitting.filter(({ sequence, targetId }) => !taken.has(`${sequence} ${targetId}`));
      const changed = this.#change(change, free);
      const targetIds = [...new Set(free.map(({ targetId }) => targetId))];
      return { changed, busy: fitting.length - free.length, lastSequence, done, targetIds };
    });
  }

  #change(change: Change, rows: readonly Row[]): number {
    switch (change) {
      case "retry":
        return this.#retry(rows);
      case "drop":
        return this.#drop(rows);
      case "count":
        return rows.length;
      case "hasten":
        return this.#hasten(rows);
      case "prioritize":
        return this.#prioritize(rows);
    }
  }

  #next(change: Change, selection: DeliverySelection, after: number): Fitting {
    const [from, to, done] = this.#window(selection, after);
    return { fitting: this.#fitting(change, selection, from, to), lastSequence: to, done };
  }

  #among(change: Change, selection: DeliverySelection, { sequences, lastSequence, done }: RecordWindow): Fitting {
    const fitting = sequences.flatMap((sequence) => this.#fitting(change, selection, sequence, sequence));
    return { fitting, lastSequence, done };
  }

  /** Sequences of about one step, all deliveries of each included, and whether there is nothing after them. */
  #window(
    { sequence, upToSequence }: DeliverySelection,
    after: number,
  ): readonly [from: number, to: number, done: boolean] {
    const last = upToSequence ?? Number.MAX_SAFE_INTEGER;
    if (sequence !== undefined) return [sequence, Math.min(sequence, last), true];
    const row = this.#sql.get(
      "SELECT count(*) AS rows, max(seq) AS last FROM (SELECT seq FROM dlv WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?)",
      ...[after, last, spoolLimits.changeRowsMax],
    );
    const rows = numberIn(row, "rows");
    return rows === 0 ? [after + 1, after, true] : [after + 1, numberIn(row, "last"), rows < spoolLimits.changeRowsMax];
  }

  /** What is held may lie elsewhere already, and then would be sent twice: it takes to be asked for by its state. */
  #fitting(change: Change, { targetId = "", state }: DeliverySelection, from: number, to: number): readonly Row[] {
    if (change === "hasten" && (state ?? "pending") !== "pending") return [];
    const chosen = state === undefined ? [READY, QUARANTINED] : statesOf(state);
    const states = change === "hasten" ? [DEFERRED, DEFERRED] : chosen;
    return this.#sql
      .all(
        `SELECT seq, target, priority FROM dlv
          WHERE seq BETWEEN ? AND ? AND state BETWEEN ? AND ? AND (? = '' OR target = ?)`,
        ...[from, to, ...states, targetId, targetId],
      )
      .map((row) => ({
        sequence: numberIn(row, "seq"),
        targetId: textIn(row, "target") ?? "",
        priority: numberIn(row, "priority"),
      }));
  }

  #retry(rows: readonly Row[]): number {
    return rows.filter(({ sequence, targetId }) => this.#store.oweAgain(sequence, targetId)).length;
  }

  #hasten(rows: readonly Row[]): number {
    for (const { sequence, targetId } of rows) {
      this.#sql.run(
        `UPDATE dlv SET state = ${READY}, due_at = 0 WHERE seq = ? AND target = ? AND state = ${DEFERRED}`,
        ...[sequence, targetId],
      );
    }
    return rows.length;
  }

  /** Record and deliveries alike: by the one it is evicted, by the others sent. */
  #prioritize(rows: readonly Row[]): number {
    const top = spoolLimits.topPriority;
    for (const sequence of new Set(rows.map((row) => row.sequence))) {
      this.#sql.run("UPDATE item SET priority = max(priority, ?) WHERE seq = ?", top, sequence);
      this.#sql.run("UPDATE dlv SET priority = max(priority, ?) WHERE seq = ?", top, sequence);
    }
    return rows.length;
  }

  #drop(rows: readonly Row[]): number {
    const dropped = rows.filter(
      ({ sequence, targetId }) => this.#store.takeAway(sequence, targetId, HELD + 1) !== undefined,
    );
    this.#losses.count(
      dropped.map(({ targetId, priority }) => ({ targetId, priority, reason: "dropped", deliveries: 1 })),
    );
    return dropped.length;
  }
}
