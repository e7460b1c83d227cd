import { AgentError } from "../../core/errors.ts";
import { spoolLimits } from "../../core/spool-limits.ts";
import { classified, connect, damageError, numberIn, type Sql } from "./database.ts";

/**
 * - `item`: records that are owed to somebody. What they hold is in their files. `added_at` is running time (see
 *   spool-time.ts), so that an age never depends on the wall clock.
 * - `dlv`: one row for each delivery that is ready (0), deferred until `due_at` (1), quarantined since `due_at`, in running
 *   time (2), or held for an export (3); `before_hold` is then the state to go back to.
 * - `gone`: finished records whose file is still there.
 * - `sent`: the sent log, newest last, capped.
 * - `lost`: deliveries given up, counted.
 * - `target`: every target that the spool knows, since which record, since when it is configured no more, and how far its
 *   backfill got.
 * - `imported`: ids of records that came from elsewhere and their places there, so that none comes in twice; capped.
 * - `export`: the folder that records are held for; one row at most.
 * - `kv`: counters.
 *
 * An append touches one page each of item, item_eviction, dlv and kv, and one page a target of dlv_ready: that is what
 * keeps the bytes written per record low. All other indexes hold only rows of a state that an append does not make.
 */
const tables = `
  CREATE TABLE item (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, priority INTEGER NOT NULL, created_ms INTEGER NOT NULL,
    image_bytes INTEGER NOT NULL, bytes INTEGER NOT NULL,
    added_at REAL NOT NULL DEFAULT 0, encrypted INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE dlv (
    seq INTEGER NOT NULL, target TEXT NOT NULL, state INTEGER NOT NULL, priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL, due_at REAL NOT NULL, cursor TEXT, error TEXT, before_hold INTEGER,
    PRIMARY KEY (seq, target)
  ) WITHOUT ROWID;
  CREATE INDEX dlv_ready ON dlv (target, priority DESC, seq) WHERE state = 0;
  CREATE INDEX dlv_deferred ON dlv (target, due_at) WHERE state = 1;
  CREATE TABLE gone (seq INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
  CREATE TABLE kv (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

/** What format 2 has more than format 1. */
const addedInFormat2 = `
  CREATE INDEX item_eviction ON item (priority, seq);
  CREATE INDEX dlv_quarantined ON dlv (target, seq) WHERE state = 2;
  CREATE INDEX dlv_held ON dlv (seq) WHERE state = 3;
  CREATE TABLE sent (
    n INTEGER PRIMARY KEY, seq INTEGER NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL,
    remote_id TEXT, at_ms INTEGER NOT NULL
  );
  CREATE TABLE lost (
    target TEXT NOT NULL, priority INTEGER NOT NULL, reason TEXT NOT NULL, deliveries INTEGER NOT NULL,
    PRIMARY KEY (target, priority, reason)
  ) WITHOUT ROWID;
  CREATE TABLE target (
    id TEXT PRIMARY KEY, first_seq INTEGER NOT NULL, absent_since REAL, backfilled_to INTEGER
  ) WITHOUT ROWID;
  CREATE TABLE imported (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
  CREATE TABLE export (id TEXT PRIMARY KEY, folder TEXT NOT NULL) WITHOUT ROWID;
`;

const migrations: Readonly<Record<number, string>> = {
  1: `
    ALTER TABLE item ADD COLUMN added_at REAL NOT NULL DEFAULT 0;
    ALTER TABLE item ADD COLUMN encrypted INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE dlv ADD COLUMN before_hold INTEGER;
    ${addedInFormat2}
    INSERT INTO kv (name, value)
      SELECT 'owed-bytes:' || dlv.target, sum(item.bytes) FROM dlv JOIN item ON item.seq = dlv.seq
       WHERE dlv.state < 2 GROUP BY dlv.target;
    INSERT INTO target (id, first_seq) SELECT substr(name, 9), 0 FROM kv WHERE name LIKE 'pending:%';
  `,
};

const indexFormat = 2;

export interface OpenedIndex {
  readonly sql: Sql;
  /** True when there was none, or one whose first filling was cut short: what the files hold is not in it. */
  readonly fresh: boolean;
}

/**
 * The caller holds the folder's lock. An index of an older format is brought up to this one; whatever is no usable index
 * counts as damage, one of a later format included: the files hold all that a new one needs.
 */
export function openIndex(path: string): OpenedIndex {
  try {
    return classified(`open ${path}`, () => openOrCreate(path));
  } catch (error) {
    if (error instanceof AgentError && error.code === "UNEXPECTED") throw damageError(error.message, error);
    throw error;
  }
}

function openOrCreate(path: string): OpenedIndex {
  const sql = connect(path);
  sql.exec(`PRAGMA page_size = ${spoolLimits.indexPageBytes}`);
  sql.prepare("PRAGMA journal_mode = WAL").get();
  // NORMAL: a commit costs no flush. The index may fall back in a power cut, and the files bring it up again.
  sql.exec("PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096");
  // An index made with larger pages keeps them.
  const pageBytes = numberIn(sql.prepare("PRAGMA page_size").get(), "page_size");
  sql.exec(`PRAGMA wal_autocheckpoint = ${Math.floor(spoolLimits.walBytesMax / pageBytes)}`);
  const empty = sql.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all().length === 0;
  if (empty) {
    sql.exec(
      `BEGIN IMMEDIATE; ${tables} ${addedInFormat2} INSERT INTO kv VALUES ('format', ${indexFormat}), ('rebuilding', 1); COMMIT;`,
    );
  }
  migrate(sql, path);
  const rebuilding = sql.prepare("SELECT value FROM kv WHERE name = 'rebuilding'").get();
  return { sql, fresh: numberIn(rebuilding, "value") === 1 };
}

/** One step is one transaction, so that a crash between two leaves an index of the format between. */
function migrate(sql: Sql, path: string): void {
  for (let format = formatOf(sql); format !== indexFormat; format = formatOf(sql)) {
    const migration = migrations[format];
    if (migration === undefined) throw damageError(`open ${path}: its format is ${format}, not ${indexFormat}`);
    sql.exec(`BEGIN IMMEDIATE; ${migration} UPDATE kv SET value = ${format + 1} WHERE name = 'format'; COMMIT;`);
  }
}

function formatOf(sql: Sql): number {
  return numberIn(sql.prepare("SELECT value FROM kv WHERE name = 'format'").get(), "value");
}
