import { classified, numberIn, type Sql, type Statement, textIn } from "./database.ts";

/** What the index keeps of a record. */
export interface IndexEntry {
  readonly sequence: number;
  readonly id: string;
  readonly priority: number;
  readonly createdMs: number;
  readonly imageBytes: number;
  /** Of the whole file. */
  readonly bytes: number;
  readonly encrypted: boolean;
  readonly owedTo: readonly string[];
}

export interface ReadyDelivery {
  readonly sequence: number;
  readonly imageBytes: number;
  readonly attempts: number;
  readonly cursor?: string;
}

export interface ReadyDeliveries {
  readonly deliveries: readonly ReadyDelivery[];
  /** When the next deferred delivery of this target becomes ready, in spool time. */
  readonly nextAtMs?: number;
}

export interface Deferral {
  /** In spool time; a time that has passed makes the delivery ready at once. */
  readonly dueAtMs: number;
  readonly charged: boolean;
  /** Absent keeps the one there is, an empty one clears it. */
  readonly cursor?: string;
  readonly error: string;
}

export interface IndexedDelivery {
  readonly targetId: string;
  readonly state: "pending" | "quarantined";
  readonly attempts: number;
  readonly error?: string;
}

export interface IndexedRecord {
  readonly sequence: number;
  readonly deliveries: readonly IndexedDelivery[];
}

export interface Amount {
  readonly records: number;
  readonly bytes: number;
}

export interface TargetCounts {
  readonly targetId: string;
  readonly pending: number;
  readonly quarantined: number;
  readonly accepted: number;
}

export interface IndexStats extends Amount {
  readonly targets: readonly TargetCounts[];
  readonly encrypted: number;
  /** Records given up since the index was made because their file was damaged, or gone. */
  readonly damaged: number;
  readonly missing: number;
}

const READY = 0;
const DEFERRED = 1;
const QUARANTINED = 2;

/** Every statement on the index. Each method is one transaction; durability is the caller's business. */
export class IndexStore {
  readonly #sql: Sql;
  readonly #statements = new Map<string, Statement>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Entries that are there already are passed over. */
  insert(entries: readonly IndexEntry[]): void {
    this.#transaction("insert", () => {
      for (const entry of entries) this.#insertOne(entry);
    });
  }

  /** In as few statements as there are tables: an append waits for this. */
  #insertOne({ sequence, id, priority, createdMs, imageBytes, bytes, encrypted, owedTo }: IndexEntry): void {
    const added = this.#run(
      `INSERT OR IGNORE INTO item (seq, id, priority, created_ms, image_bytes, bytes, encrypted)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[sequence, id, priority, createdMs, imageBytes, bytes, encrypted ? 1 : 0],
    );
    if (added === 0) return;
    const targetIds = [...new Set(owedTo)];
    this.#run(
      `INSERT INTO dlv (seq, target, state, priority, attempts, due_at)
       VALUES ${targetIds.map(() => `(?, ?, ${READY}, ?, 0, 0)`).join()}`,
      ...targetIds.flatMap((targetId) => [sequence, targetId, priority]),
    );
    const pending = targetIds.map((targetId) => [`pending:${targetId}`, 1] as const);
    this.#count(["records", 1], ["bytes", bytes], ["encrypted", encrypted ? 1 : 0], ...pending);
  }

  /** All records up to here are known: no file at or below it needs a look at the next start. */
  raiseHighWater(sequence: number): void {
    this.#transaction("raise the high water", () => this.#raiseHighWater(sequence));
  }

  /** What the files hold is in the index now. */
  endRebuild(): void {
    this.#transaction("end the rebuild", () => this.#run("UPDATE kv SET value = 0 WHERE name = 'rebuilding'"));
  }

  encryptedRecords(): number {
    return classified("count", () => this.#value("encrypted"));
  }

  /** The last sequence that was ever in the index. Rows are inserted in order, so the newest row counts too. */
  highWater(): number {
    return classified("read the high water", () =>
      Math.max(this.#value("high_water"), numberIn(this.#get("SELECT max(seq) AS newest FROM item"), "newest")),
    );
  }

  /** Ready deliveries in order, after those whose delay has passed were made ready: at most `wakeMax` in one call. */
  ready(targetId: string, nowMs: number, deliveriesMax: number, wakeMax: number): ReadyDeliveries {
    return this.#transaction("select what is due", () => {
      this.#run(
        `UPDATE dlv SET state = ${READY} WHERE target = ? AND state = ${DEFERRED} AND seq IN
           (SELECT seq FROM dlv WHERE target = ? AND state = ${DEFERRED} AND due_at <= ? ORDER BY due_at LIMIT ?)`,
        ...[targetId, targetId, nowMs, wakeMax],
      );
      const rows = this.#all(
        `SELECT d.seq AS seq, d.attempts AS attempts, d.cursor AS cursor, i.image_bytes AS image_bytes
           FROM dlv d CROSS JOIN item i ON i.seq = d.seq
          WHERE d.target = ? AND d.state = ${READY} ORDER BY d.priority DESC, d.seq LIMIT ?`,
        ...[targetId, deliveriesMax],
      );
      const next = this.#get(
        `SELECT due_at FROM dlv WHERE target = ? AND state = ${DEFERRED} ORDER BY due_at LIMIT 1`,
        targetId,
      );
      const deliveries = rows.map(readyDeliveryOf);
      return next === undefined ? { deliveries } : { deliveries, nextAtMs: numberIn(next, "due_at") };
    });
  }

  /** The latest time any delivery is deferred to. */
  deferredUntilMs(): number {
    return classified("read the delays", () =>
      numberIn(this.#get(`SELECT max(due_at) AS latest FROM dlv WHERE state = ${DEFERRED}`), "latest"),
    );
  }

  /** True when this was the last target, so that the record's file can go. */
  accept(sequence: number, targetId: string): boolean {
    return this.#transaction("settle as accepted", () => {
      const changed = this.#run("DELETE FROM dlv WHERE seq = ? AND target = ? AND state < 2", sequence, targetId);
      if (changed === 0) return false;
      this.#count([`pending:${targetId}`, -1], [`accepted:${targetId}`, 1]);
      if (this.#get("SELECT 1 AS owed FROM dlv WHERE seq = ? LIMIT 1", sequence) !== undefined) return false;
      const item = this.#get("SELECT bytes FROM item WHERE seq = ?", sequence);
      this.#forget(sequence, numberIn(item, "bytes"));
      this.#run("INSERT INTO gone (seq, bytes) VALUES (?, ?)", sequence, numberIn(item, "bytes"));
      return true;
    });
  }

  quarantine(sequence: number, targetId: string, error: string): void {
    this.#transaction("settle as rejected", () => {
      const changed = this.#run(
        `UPDATE dlv SET state = ${QUARANTINED}, error = ? WHERE seq = ? AND target = ? AND state < 2`,
        ...[error, sequence, targetId],
      );
      this.#count([`pending:${targetId}`, -changed], [`quarantined:${targetId}`, changed]);
    });
  }

  defer(sequence: number, targetId: string, { dueAtMs, charged, cursor, error }: Deferral): void {
    this.#transaction("settle as retry", () =>
      this.#run(
        `UPDATE dlv SET state = ${DEFERRED}, due_at = ?, attempts = attempts + ?, error = ?,
                cursor = CASE WHEN ? = 1 THEN nullif(?, '') ELSE cursor END
          WHERE seq = ? AND target = ? AND state < 2`,
        ...[dueAtMs, charged ? 1 : 0, error, cursor === undefined ? 0 : 1, cursor ?? "", sequence, targetId],
      ),
    );
  }

  /** Gives a record up for every target, because its file is damaged or gone. */
  giveUp(sequence: number, why: "damaged" | "missing"): void {
    this.#transaction("give up", () => {
      const item = this.#get("SELECT bytes FROM item WHERE seq = ?", sequence);
      if (item === undefined) return;
      for (const row of this.#all("SELECT target, state FROM dlv WHERE seq = ?", sequence)) {
        const counter = numberIn(row, "state") === QUARANTINED ? "quarantined" : "pending";
        this.#count([`${counter}:${textIn(row, "target") ?? ""}`, -1]);
      }
      this.#run("DELETE FROM dlv WHERE seq = ?", sequence);
      this.#forget(sequence, numberIn(item, "bytes"));
      this.#count([why, 1]);
    });
  }

  /** Counts a damaged file that was in no index. */
  countDamaged(files: number): void {
    if (files > 0) this.#transaction("count", () => this.#count(["damaged", files]));
  }

  /** Finished records whose file may be removed once the index is durable. */
  finished(recordsMax: number): readonly number[] {
    return classified("select what is finished", () =>
      this.#all("SELECT seq FROM gone ORDER BY seq LIMIT ?", recordsMax).map((row) => numberIn(row, "seq")),
    );
  }

  isFinished(sequence: number): boolean {
    return classified("look up", () => this.#get("SELECT 1 AS there FROM gone WHERE seq = ?", sequence) !== undefined);
  }

  forgetFinished(sequences: readonly number[]): void {
    this.#transaction("forget what is finished", () => {
      for (const sequence of sequences) this.#run("DELETE FROM gone WHERE seq = ?", sequence);
    });
  }

  /** Everything that takes room: records owed to somebody and finished ones not yet removed. */
  onDisk(): Amount {
    return classified("measure", () => {
      const gone = this.#get("SELECT count(*) AS records, coalesce(sum(bytes), 0) AS bytes FROM gone");
      return {
        records: this.#value("records") + numberIn(gone, "records"),
        bytes: this.#value("bytes") + numberIn(gone, "bytes"),
      };
    });
  }

  stats(): IndexStats {
    return classified("count", () => {
      const values = new Map(
        this.#all("SELECT name, value FROM kv").map((row) => [textIn(row, "name") ?? "", numberIn(row, "value")]),
      );
      const valueOf = (name: string): number => values.get(name) ?? 0;
      const targetIds = new Set([...values.keys()].flatMap((name) => /^[a-z]+:(.+)$/.exec(name)?.[1] ?? []));
      return {
        records: valueOf("records"),
        bytes: valueOf("bytes"),
        encrypted: valueOf("encrypted"),
        damaged: valueOf("damaged"),
        missing: valueOf("missing"),
        targets: [...targetIds].sort().map((targetId) => ({
          targetId,
          pending: valueOf(`pending:${targetId}`),
          quarantined: valueOf(`quarantined:${targetId}`),
          accepted: valueOf(`accepted:${targetId}`),
        })),
      };
    });
  }

  list(afterSequence: number, recordsMax: number): readonly IndexedRecord[] {
    return classified("list", () =>
      this.#all("SELECT seq FROM item WHERE seq > ? ORDER BY seq LIMIT ?", afterSequence, recordsMax).map((row) => {
        const sequence = numberIn(row, "seq");
        const rows = this.#all(
          "SELECT target, state, attempts, error FROM dlv WHERE seq = ? ORDER BY target",
          sequence,
        );
        return { sequence, deliveries: rows.map(indexedDeliveryOf) };
      }),
    );
  }

  /** Copies the WAL into the index and flushes both. */
  checkpoint(): void {
    classified("checkpoint", () => this.#sql.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get());
  }

  #forget(sequence: number, bytes: number): void {
    const encrypted = numberIn(this.#get("SELECT encrypted FROM item WHERE seq = ?", sequence), "encrypted");
    this.#raiseHighWater(sequence);
    this.#run("DELETE FROM item WHERE seq = ?", sequence);
    this.#count(["records", -1], ["bytes", -bytes], ["encrypted", -encrypted]);
  }

  #raiseHighWater(sequence: number): void {
    this.#run(
      `INSERT INTO kv (name, value) VALUES ('high_water', ?)
         ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`,
      sequence,
    );
  }

  #count(...amounts: readonly (readonly [name: string, amount: number])[]): void {
    this.#run(
      `INSERT INTO kv (name, value) VALUES ${amounts.map(() => "(?, ?)").join()}
         ON CONFLICT (name) DO UPDATE SET value = value + excluded.value`,
      ...amounts.flat(),
    );
  }

  #value(name: string): number {
    return numberIn(this.#get("SELECT value FROM kv WHERE name = ?", name), "value");
  }

  #transaction<T>(attempted: string, action: () => T): T {
    return classified(attempted, () => {
      this.#sql.exec("BEGIN IMMEDIATE");
      try {
        const result = action();
        this.#sql.exec("COMMIT");
        return result;
      } catch (error) {
        this.#rollBack();
        throw error;
      }
    });
  }

  /** SQLite rolls back by itself on a full disk; a second ROLLBACK then fails, which says nothing new. */
  #rollBack(): void {
    try {
      this.#sql.exec("ROLLBACK");
    } catch {
      return;
    }
  }

  #run(source: string, ...values: readonly (number | string | null)[]): number {
    return this.#prepared(source).run(...values).changes;
  }

  #get(source: string, ...values: readonly (number | string | null)[]): unknown {
    return this.#prepared(source).get(...values);
  }

  #all(source: string, ...values: readonly (number | string | null)[]): readonly unknown[] {
    return this.#prepared(source).all(...values);
  }

  /** The texts are constants of this file, but for the number of targets: the map stays small. */
  #prepared(source: string): Statement {
    const known = this.#statements.get(source);
    if (known !== undefined) return known;
    const prepared = this.#sql.prepare(source);
    this.#statements.set(source, prepared);
    return prepared;
  }
}

function readyDeliveryOf(row: unknown): ReadyDelivery {
  const cursor = textIn(row, "cursor");
  return {
    sequence: numberIn(row, "seq"),
    attempts: numberIn(row, "attempts"),
    imageBytes: numberIn(row, "image_bytes"),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

function indexedDeliveryOf(row: unknown): IndexedDelivery {
  const error = textIn(row, "error");
  return {
    targetId: textIn(row, "target") ?? "",
    state: numberIn(row, "state") === QUARANTINED ? "quarantined" : "pending",
    attempts: numberIn(row, "attempts"),
    ...(error === undefined ? {} : { error }),
  };
}
