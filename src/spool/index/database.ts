import { closeSync, fdatasyncSync, openSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";
import Database from "libsql";
import { AgentError, errnoOf, messageOf } from "../../core/errors.ts";
import { diskError } from "../files.ts";
import { indexDamaged } from "./codes.ts";

/**
 * The part of SQLite that better-sqlite3 and libsql share, so that the driver can be exchanged. Rows carry more than
 * was selected (libsql adds timings): take fields by name, never a row as it is.
 */
export interface Sql {
  exec(source: string): unknown;
  prepare(source: string): Statement;
}

export interface Connection extends Sql {
  close(): void;
}

export interface Statement {
  run(...values: readonly SqlValue[]): { readonly changes: number };
  get(...values: readonly SqlValue[]): unknown;
  all(...values: readonly SqlValue[]): readonly unknown[];
}

export type SqlValue = number | string | null;

export const indexFormat = 1;

/**
 * - `item`: records that are owed to somebody. What they hold is in their files.
 * - `dlv`: one row for each delivery that is ready (0), deferred until `due_at` (1) or quarantined (2).
 * - `gone`: finished records whose file is still there.
 * - `kv`: counters.
 *
 * An append touches one page each of item, dlv and kv, and one page a target of dlv_ready: that is what keeps the bytes
 * written per record low.
 */
const schema = `
  CREATE TABLE item (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, priority INTEGER NOT NULL, created_ms INTEGER NOT NULL,
    image_bytes INTEGER NOT NULL, bytes INTEGER NOT NULL
  );
  CREATE TABLE dlv (
    seq INTEGER NOT NULL, target TEXT NOT NULL, state INTEGER NOT NULL, priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL, due_at REAL NOT NULL, cursor TEXT, error TEXT,
    PRIMARY KEY (seq, target)
  ) WITHOUT ROWID;
  CREATE INDEX dlv_ready ON dlv (target, priority DESC, seq) WHERE state = 0;
  CREATE INDEX dlv_deferred ON dlv (target, due_at) WHERE state = 1;
  CREATE TABLE gone (seq INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
  CREATE TABLE kv (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO kv VALUES ('format', ${indexFormat});
`;

export interface OpenedIndex {
  readonly sql: Sql;
  /** True when there was none: what the files hold is not in it. */
  readonly fresh: boolean;
}

/** The caller holds the folder's lock. Whatever is no usable index of this format counts as damage. */
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
  sql.prepare("PRAGMA journal_mode = WAL").get();
  // NORMAL: a commit costs no flush. The index may fall back in a power cut, and the files bring it up again.
  sql.exec("PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096");
  const fresh = sql.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all().length === 0;
  if (fresh) sql.exec(`BEGIN IMMEDIATE; ${schema} COMMIT;`);
  const format = sql.prepare("SELECT value FROM kv WHERE name = 'format'").get();
  if (numberIn(format, "value") !== indexFormat) throw damageError(`open ${path}: it has another format`);
  return { sql, fresh };
}

/** Beside the owner's connection, in another thread of the same process; it writes nothing. */
export function connectToRead(path: string): Connection {
  return classified(`open ${path} to read`, () => {
    const connection = connect(path);
    // The driver cannot open a file read-only.
    connection.exec("PRAGMA query_only = ON; PRAGMA cache_size = -1024");
    return connection;
  });
}

/**
 * Ownership of a folder is an exclusive lock of SQLite's on an empty file: the kernel drops it with the process, so no
 * stale one can be left behind, whatever kills the owner.
 */
export function takeLock(path: string, ownerPath: string, owner: () => string): Sql {
  try {
    return lockedFile(path);
  } catch (error) {
    if (codeOf(error) === "SQLITE_BUSY") throw lockedError(ownerPath, owner(), error);
    return classified(`lock ${path}`, () => lockedMendedFile(path, ownerPath, owner));
  }
}

function lockedFile(path: string): Sql {
  const connection = connect(path);
  try {
    connection.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Something else lies in the lock's place. A file is emptied where it is, because another process may have locked that
 * very one; a folder cannot be locked by anybody.
 */
function lockedMendedFile(path: string, ownerPath: string, owner: () => string): Sql {
  if (statSync(path).isDirectory()) rmSync(path, { recursive: true });
  else truncateSync(path);
  try {
    return lockedFile(path);
  } catch (error) {
    throw codeOf(error) === "SQLITE_BUSY" ? lockedError(ownerPath, owner(), error) : error;
  }
}

function lockedError(ownerPath: string, owner: string, cause: unknown): AgentError {
  return new AgentError("SPOOL_LOCKED", `open ${ownerPath}: another process works on it (${owner})`, {
    disposition: "fatal",
    cause,
  });
}

/** Renames the index and its companions out of the way. No connection may be open to them: closing one late would delete the new WAL. */
export function setIndexAside(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    try {
      rmSync(`${path}.bad${suffix}`, { recursive: true, force: true });
      renameSync(`${path}${suffix}`, `${path}.bad${suffix}`);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw diskError("set aside", `${path}${suffix}`, error);
    }
  }
}

/**
 * Makes every commit so far durable. Flushing the WAL by hand instead of by a commit with synchronous = FULL needs no
 * free page, so it also works on a full disk, where it is the step before files may be removed.
 */
export function flushWal(path: string): void {
  try {
    const wal = openSync(`${path}-wal`, "r");
    try {
      fdatasyncSync(wal);
    } finally {
      closeSync(wal);
    }
  } catch (error) {
    throw diskError("flush", `${path}-wal`, error);
  }
}

export function classified<T>(attempted: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw classify(attempted, error);
  }
}

export function damageError(message: string, cause?: unknown): AgentError {
  return new AgentError(indexDamaged, message, { disposition: "retry", cause });
}

/** The only place that reads SQLite's error codes. */
function classify(attempted: string, error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  const code = codeOf(error);
  const message = `${attempted}: ${code ?? "error"}: ${messageOf(error)}`;
  const options = { disposition: "retry", cause: error } as const;
  if (code === "SQLITE_FULL") return new AgentError("DISK_FULL", message, options);
  if (code === "SQLITE_NOTADB" || code?.startsWith("SQLITE_CORRUPT") === true) return damageError(message, error);
  if (code !== undefined && /^SQLITE_(IOERR|BUSY|LOCKED|NOMEM)/.test(code)) {
    return new AgentError("DISK_FAILED", message, options);
  }
  if (code !== undefined && /^SQLITE_(READONLY|PERM|AUTH)/.test(code)) {
    return new AgentError("DISK_REFUSED", message, { disposition: "fatal", cause: error });
  }
  return new AgentError("UNEXPECTED", message, options);
}

function connect(path: string): Connection {
  const database = new Database(path);
  return {
    exec: (source) => database.exec(source),
    prepare: (source) => database.prepare<SqlValue[]>(source),
    close: () => void database.close(),
  };
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return error.code;
}

/** Reads one column of a foreign row. */
export function numberIn(row: unknown, column: string): number {
  const value = columnOf(row, column);
  return typeof value === "number" ? value : Number(value ?? 0);
}

export function textIn(row: unknown, column: string): string | undefined {
  const value = columnOf(row, column);
  return typeof value === "string" ? value : undefined;
}

function columnOf(row: unknown, column: string): unknown {
  return typeof row === "object" && row !== null ? (row as Record<string, unknown>)[column] : undefined;
}
