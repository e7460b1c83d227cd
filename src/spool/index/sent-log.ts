import { spoolLimits } from "../../core/spool-limits.ts";
import type { SentEntry } from "../../core/ports.ts";
import type { SentPage } from "../../core/queue.ts";
import { classified, numberIn, textIn } from "./database.ts";
import type { Statements } from "./statements.ts";

/** Which record a target accepted, under which remote id, and when: the newest so many, for people. */
export class SentLog {
  readonly #sql: Statements;

  constructor(statements: Statements) {
    this.#sql = statements;
  }

  /** Inside a transaction. */
  add({ sequence, id, name, targetId, remoteId, atMs }: Omit<SentEntry, "number">): void {
    this.#sql.run(
      "INSERT INTO sent (seq, id, name, target, remote_id, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
      ...[sequence, id, name, targetId, remoteId ?? null, Math.floor(atMs)],
    );
    this.#sql.run("DELETE FROM sent WHERE n <= (SELECT max(n) FROM sent) - ?", spoolLimits.sentEntriesMax);
  }

  /** Newest first. */
  page({ before, entriesMax, targetId, record }: SentPage): readonly SentEntry[] {
    return classified("list what was sent", () =>
      this.#sql
        .all(
          `SELECT n, seq, id, name, target, remote_id, at_ms FROM sent
            WHERE n < ? AND (? = '' OR target = ?) AND (? = '' OR id = ? OR name = ? OR CAST(seq AS TEXT) = ?)
            ORDER BY n DESC LIMIT ?`,
          ...[before ?? Number.MAX_SAFE_INTEGER, targetId ?? "", targetId ?? ""],
          ...Array.from({ length: 4 }, () => record ?? ""),
          Math.min(entriesMax, spoolLimits.listRecordsMax),
        )
        .map(entryOf),
    );
  }
}

function entryOf(row: unknown): SentEntry {
  const remoteId = textIn(row, "remote_id");
  return {
    number: numberIn(row, "n"),
    sequence: numberIn(row, "seq"),
    id: textIn(row, "id") ?? "",
    name: textIn(row, "name") ?? "",
    targetId: textIn(row, "target") ?? "",
    ...(remoteId === undefined ? {} : { remoteId }),
    atMs: numberIn(row, "at_ms"),
  };
}
