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
  for (const suffix of ["", "-wal", "-shm"]) setAside(path, suffix);
}

/** A folder in a companion's place is nothing of SQLite's, which would call the whole index read-only because of it. */
export function setFoldersAside(path: string): void {
  for (const suffix of ["-wal", "-shm"]) {
    if (statSync(`${path}${suffix}`, { throwIfNoEntry: false })?.isDirectory() === true) setAside(path, suffix);
  }
}

function setAside(path: string, suffix: string): void {
  try {
    rmSync(`${path}.bad${suffix}`, { recursive: true, force: true });
    renameSync(`${path}${suffix}`, `${path}.bad${suffix}`);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw diskError("set aside", `${path}${suffix}`, error);
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

export function isDiskFull(error: unknown): boolean {
  return error instanceof AgentError && error.code === "DISK_FULL";
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
  // The second: no room for the file that connections share.
  if (code === "SQLITE_FULL" || code === "SQLITE_IOERR_SHMSIZE") return new AgentError("DISK_FULL", message, options);
  if (code === "SQLITE_NOTADB" || code?.startsWith("SQLITE_CORRUPT") === true) return damageError(message, error);
  if (code !== undefined && /^SQLITE_(IOERR|BUSY|LOCKED|NOMEM)/.test(code)) {
    return new AgentError("DISK_FAILED", message, options);
  }
  if (code !== undefined && /^SQLITE_(READONLY|PERM|AUTH)/.test(code)) {
    return new AgentError("DISK_REFUSED", message, { disposition: "fatal", cause: error });
  }
  return new AgentError("UNEXPECTED", message, options);
}

export function connect(path: string): Connection {
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
