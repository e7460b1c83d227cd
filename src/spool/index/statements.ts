import { classified, numberIn, type Sql, type SqlValue, type Statement } from "./database.ts";

/** Prepared statements and transactions on the index, shared by every class that owns some of its tables. */
export class Statements {
  readonly #sql: Sql;
  readonly #prepared = new Map<string, Statement>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** All or nothing; its durability is the caller's business. Transactions do not nest. */
  transaction<T>(attempted: string, action: () => T): T {
    return classified(attempted, () => {
      this.run("BEGIN IMMEDIATE");
      try {
        const result = action();
        this.run("COMMIT");
        return result;
      } catch (error) {
        this.#rollBack();
        throw error;
      }
    });
  }

  /** Rows that were changed. */
  run(source: string, ...values: readonly SqlValue[]): number {
    return this.#statement(source).run(...values).changes;
  }

  get(source: string, ...values: readonly SqlValue[]): unknown {
    return this.#statement(source).get(...values);
  }

  all(source: string, ...values: readonly SqlValue[]): readonly unknown[] {
    return this.#statement(source).all(...values);
  }

  /** Adds to counters of `kv`, in one statement. */
  count(...amounts: readonly (readonly [name: string, amount: number])[]): void {
    this.run(
      `INSERT INTO kv (name, value) VALUES ${amounts.map(() => "(?, ?)").join()}
         ON CONFLICT (name) DO UPDATE SET value = value + excluded.value`,
      ...amounts.flat(),
    );
  }

  /** A counter of `kv`; 0 where there is none. */
  value(name: string): number {
    return numberIn(this.get("SELECT value FROM kv WHERE name = ?", name), "value");
  }

  /** Sets a value of `kv` that only grows. */
  raise(name: string, value: number): void {
    this.run(
      `INSERT INTO kv (name, value) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`,
      ...[name, Math.floor(value)],
    );
  }

  /** Copies the WAL into the index and flushes both. */
  checkpoint(): void {
    classified("checkpoint", () => this.#sql.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get());
  }

  /** SQLite rolls back by itself on a full disk; a second ROLLBACK then fails, which says nothing new. */
  #rollBack(): void {
    try {
      this.run("ROLLBACK");
    } catch {
      return;
    }
  }

  /** The texts are constants, but for the number of values in a list: the map stays small. */
  #statement(source: string): Statement {
    const known = this.#prepared.get(source);
    if (known !== undefined) return known;
    const prepared = this.#sql.prepare(source);
    this.#prepared.set(source, prepared);
    return prepared;
  }
}
