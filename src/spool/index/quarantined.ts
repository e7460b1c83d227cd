import { spoolLimits } from "../../core/spool-limits.ts";
import { classified, numberIn, textIn } from "./database.ts";
import type { Statements } from "./statements.ts";
import type { Haul, Victim } from "./victims.ts";

export interface QuarantinedRow extends Victim {
  readonly targetId: string;
  readonly priority: number;
  /** Running time when it was set aside. */
  readonly sinceMs: number;
  /** Nobody is owed the record, but for quarantine. */
  readonly alone: boolean;
  /** `alone`, and counted here and not with another target's row. */
  readonly counted: boolean;
}

const nextTarget = `
  SELECT q.target AS target FROM dlv q INDEXED BY dlv_quarantined
   WHERE q.state = 2 AND q.target > ? ORDER BY q.target LIMIT 1`;

const columns = `
  SELECT q.seq AS seq, q.target AS target, q.due_at AS since, i.bytes AS bytes, i.priority AS priority,
         EXISTS (SELECT 1 FROM dlv o WHERE o.seq = q.seq AND o.state <> 2) AS owed,
         EXISTS (SELECT 1 FROM dlv o WHERE o.seq = q.seq AND o.target < q.target) AS repeated
    FROM dlv q INDEXED BY dlv_quarantined CROSS JOIN item i ON i.seq = q.seq`;

const nextOfTarget = `
  ${columns} WHERE q.state = 2 AND q.target = ? AND q.seq > ? ORDER BY q.seq LIMIT ?`;

const nextOfAll = `
  ${columns} WHERE q.state = 2 AND (q.target, q.seq) > (?, ?) ORDER BY q.target, q.seq LIMIT ?`;

export const quarantineQueries = { nextTarget, nextOfTarget, nextOfAll } as const;

/** Deliveries that were set aside, as eviction sees them. While a delivery is quarantined, `due_at` is since when. */
export class Quarantined {
  readonly #sql: Statements;
  /** By target: up to here every record was still owed to somebody when it was last looked at. */
  readonly #owedUpTo = new Map<string, number>();

  constructor(statements: Statements) {
    this.#sql = statements;
  }

  /** Records that only quarantine holds, oldest first; none above `priorityMax`. Looks at a bounded number of rows. */
  takeInto(haul: Haul, priorityMax: number): void {
    classified("select what quarantine holds", () => {
      const candidates = [...this.#targets()].flatMap((targetId) => this.#candidates(targetId, priorityMax));
      candidates.sort((one, other) => one.sequence - other.sequence);
      for (const victim of candidates) haul.take(victim);
    });
  }

  /** Ordered by target, then sequence. */
  page(after: { readonly targetId: string; readonly sequence: number }): readonly QuarantinedRow[] {
    return classified("look at what quarantine holds", () =>
      this.#sql.all(nextOfAll, after.targetId, after.sequence, spoolLimits.quarantineScanRows).map(rowOf),
    );
  }

  #candidates(targetId: string, priorityMax: number): readonly Victim[] {
    const from = this.#owedUpTo.get(targetId) ?? 0;
    const rows = this.#sql.all(nextOfTarget, targetId, from, spoolLimits.quarantineScanRows).map(rowOf);
    const free = rows.filter(({ alone, priority }) => alone && priority <= priorityMax);
    // What was owed to somebody may be free by now: from the end one begins again.
    const atEnd = rows.length < spoolLimits.quarantineScanRows;
    const owedUpTo = free[0] === undefined ? (rows.at(-1)?.sequence ?? 0) : free[0].sequence - 1;
    // One look that saw all of them needs no memory of it: a record that is set aside later may be older than these.
    const sawAll = atEnd && (from === 0 || free.length === 0);
    this.#owedUpTo.set(targetId, sawAll ? 0 : owedUpTo);
    return free;
  }

  *#targets(): Generator<string> {
    for (let after = ""; ;) {
      const targetId = textIn(this.#sql.get(nextTarget, after), "target");
      if (targetId === undefined) return;
      yield targetId;
      after = targetId;
    }
  }
}

function rowOf(row: unknown): QuarantinedRow {
  const alone = numberIn(row, "owed") === 0;
  return {
    targetId: textIn(row, "target") ?? "",
    sequence: numberIn(row, "seq"),
    bytes: numberIn(row, "bytes"),
    priority: numberIn(row, "priority"),
    sinceMs: numberIn(row, "since"),
    alone,
    counted: alone && numberIn(row, "repeated") === 0,
  };
}
