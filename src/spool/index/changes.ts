import { spoolLimits } from "../../core/limits.ts";
import type { DeliverySelection, QueueStep } from "../../core/queue.ts";
import { numberIn, textIn } from "./database.ts";
import { statesOf } from "./listings.ts";
import type { Losses } from "./losses.ts";
import type { Statements } from "./statements.ts";
import { HELD, type IndexStore, QUARANTINED, READY } from "./store.ts";

export type Change = "retry" | "drop";

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

/** Deliveries that an operator makes due again or gives up: one step looks at a bounded number of rows. */
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
    afterSequence: number,
    leased: readonly LeasedDelivery[],
  ): ChangeStep {
    const taken = new Set(leased.map(({ sequence, targetId }) => `${sequence} ${targetId}`));
    return this.#sql.transaction(change, () => {
      const [from, to, done] = this.#window(selection, afterSequence);
      const fitting = this.#fitting(selection, from, to);
      const free = fitting.filter(({ sequence, targetId }) => !taken.has(`${sequence} ${targetId}`));
      const changed = change === "retry" ? this.#retry(free) : this.#drop(free);
      return {
        changed,
        busy: fitting.length - free.length,
        lastSequence: to,
        done,
        targetIds: [...new Set(free.map(({ targetId }) => targetId))],
      };
    });
  }

  /** Sequences of about one step, all deliveries of each included, and whether there is nothing after them. */
  #window({ sequence }: DeliverySelection, after: number): readonly [from: number, to: number, done: boolean] {
    if (sequence !== undefined) return [sequence, sequence, true];
    const row = this.#sql.get(
      "SELECT count(*) AS rows, max(seq) AS last FROM (SELECT seq FROM dlv WHERE seq > ? ORDER BY seq LIMIT ?)",
      ...[after, spoolLimits.changeRowsMax],
    );
    const rows = numberIn(row, "rows");
    return rows === 0 ? [after + 1, after, true] : [after + 1, numberIn(row, "last"), rows < spoolLimits.changeRowsMax];
  }

  /** What is held may lie elsewhere already, and then would be sent twice: it takes to be asked for by its state. */
  #fitting({ targetId = "", state }: DeliverySelection, from: number, to: number): readonly Row[] {
    const states = state === undefined ? [READY, QUARANTINED] : statesOf(state);
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
