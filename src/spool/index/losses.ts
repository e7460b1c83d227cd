import type { Loss, LossReason } from "../../core/ports.ts";
import { spoolLimits } from "../../core/spool-limits.ts";
import { classified, numberIn, textIn } from "./database.ts";
import type { Statements } from "./statements.ts";

/** Deliveries that were given up, counted by target, priority and reason: never silently. */
export class Losses {
  readonly #sql: Statements;

  constructor(statements: Statements) {
    this.#sql = statements;
  }

  /** Inside a transaction. Priorities beyond the bound of rows are counted as 0. */
  count(losses: readonly Loss[]): void {
    for (const { targetId, priority, reason, deliveries } of losses) {
      if (this.#add(targetId, priority, reason, deliveries) > 0) continue;
      const rows = numberIn(this.#sql.get("SELECT count(*) AS rows FROM lost"), "rows");
      const kept = rows < spoolLimits.lossRowsMax ? priority : 0;
      this.#sql.run(
        `INSERT INTO lost (target, priority, reason, deliveries) VALUES (?, ?, ?, ?)
           ON CONFLICT (target, priority, reason) DO UPDATE SET deliveries = deliveries + excluded.deliveries`,
        ...[targetId, kept, reason, deliveries],
      );
    }
  }

  all(): readonly Loss[] {
    return classified("count losses", () =>
      this.#sql
        .all("SELECT target, priority, reason, deliveries FROM lost ORDER BY target, priority, reason")
        .map((row): Loss => ({
          targetId: textIn(row, "target") ?? "",
          priority: numberIn(row, "priority"),
          // Written by `count` alone.
          reason: textIn(row, "reason") as LossReason,
          deliveries: numberIn(row, "deliveries"),
        })),
    );
  }

  #add(targetId: string, priority: number, reason: string, deliveries: number): number {
    return this.#sql.run(
      "UPDATE lost SET deliveries = deliveries + ? WHERE target = ? AND priority = ? AND reason = ?",
      ...[deliveries, targetId, priority, reason],
    );
  }
}
