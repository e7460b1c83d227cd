import { AgentError } from "../../core/errors.ts";
import { classified, numberIn, type Sql, textIn } from "./database.ts";

/** What the index remembers for the next start, beside what is owed. */
export class IndexMarks {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Whether the last owner closed the index. From now on, until `close`, the answer is no; the caller makes that durable. On
   * a full disk it is no at once: a check too many costs less than a start that fails.
   */
  takeClosed(): boolean {
    try {
      return classified("read how the index was left", () => {
        const row = this.#sql.prepare("SELECT value FROM kv WHERE name = 'closed'").get();
        if (numberIn(row, "value") !== 1) return false;
        this.#set("closed", 0);
        return true;
      });
    } catch (error) {
      if (error instanceof AgentError && error.code === "DISK_FULL") return false;
      throw error;
    }
  }

  close(): void {
    classified("mark the index as closed", () => this.#set("closed", 1));
  }

  /** Shards whose records could not be taken in, and after which sequence of theirs. */
  unlisted(): ReadonlyMap<number, number> {
    return classified("read which shards are unlisted", () => {
      const rows = this.#sql.prepare("SELECT name, value FROM kv WHERE name LIKE 'unlisted\\_%' ESCAPE '\\'").all();
      return new Map(rows.map((row) => [Number(textIn(row, "name")?.slice(9)), numberIn(row, "value")]));
    });
  }

  addUnlisted(shard: number, afterSequence: number): void {
    classified("remember an unlisted shard", () => this.#set(`unlisted_${shard}`, afterSequence));
  }

  removeUnlisted(shard: number): void {
    classified("forget an unlisted shard", () =>
      this.#sql.prepare("DELETE FROM kv WHERE name = ?").run(`unlisted_${shard}`),
    );
  }

  #set(name: string, value: number): void {
    this.#sql
      .prepare("INSERT INTO kv (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
      .run(name, value);
  }
}
