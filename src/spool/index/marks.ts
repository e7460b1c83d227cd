import { isDiskFull, numberIn, textIn } from "./database.ts";
import type { Statements } from "./statements.ts";

/** What the index remembers for the next start, beside what is owed. */
export class IndexMarks {
  readonly #sql: Statements;

  constructor(statements: Statements) {
    this.#sql = statements;
  }

  /**
   * Whether the last owner closed the index. From now on, until `close`, the answer is no; the caller makes that durable. On
   * a full disk it is no at once: a check too many costs less than a start that fails.
   */
  takeClosed(): boolean {
    try {
      return this.#sql.transaction("read how the index was left", () => {
        const closed = this.#sql.value("closed") === 1;
        if (closed) this.#set("closed", 0);
        return closed;
      });
    } catch (error) {
      if (isDiskFull(error)) return false;
      throw error;
    }
  }

  close(): void {
    this.#sql.transaction("mark the index as closed", () => this.#set("closed", 1));
  }

  /** Shards whose records could not be taken in, and after which sequence of theirs. */
  unlisted(): ReadonlyMap<number, number> {
    const rows = this.#sql.all("SELECT name, value FROM kv WHERE substr(name, 1, 9) = 'unlisted_'");
    return new Map(
      rows.map((row) => [Number((textIn(row, "name") ?? "").slice("unlisted_".length)), numberIn(row, "value")]),
    );
  }

  addUnlisted(shard: number, afterSequence: number): void {
    this.#sql.transaction("remember an unlisted shard", () => this.#set(`unlisted_${shard}`, afterSequence));
  }

  removeUnlisted(shard: number): void {
    this.#sql.transaction("forget an unlisted shard", () =>
      this.#sql.run("DELETE FROM kv WHERE name = ?", `unlisted_${shard}`),
    );
  }

  #set(name: string, value: number): void {
    this.#sql.run(
      "INSERT INTO kv (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      ...[name, value],
    );
  }
}
