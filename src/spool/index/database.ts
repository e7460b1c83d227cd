import { fdatasyncSync, closeSync, openSync, renameSync, rmSync } from "node:fs";
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

export interface Statement {
  run(...values: readonly SqlValue[]): { readonly changes: number };
  get(...values: readonly SqlValue[]): unknown;
  all(...values: readonly SqlValue[]): readonly unknown[];
}

export type SqlValue = number | string | null;

/**
 * Ownership of a folder is an exclusive lock of SQLite's on an empty file: the kernel drops it with the process, so no
 * stale one can be left behind, whatever kills the owner.
 */
export function takeLock(path: string, ownerPath: string, owner: () => string): Sql {
  const sql = classified(`lock ${path}`, () => connect(path));
  try {
    sql.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    if (codeOf(error) !== "SQLITE_BUSY") throw classify(`lock ${path}`, error);
    throw new AgentError("SPOOL_LOCKED", `open ${ownerPath}: another process works on it (${owner()})`, {
      disposition: "fatal",
      cause: error,
    });
  }
  return sql;
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

export function connect(path: string): Sql {
  const database = new Database(path);
  return { exec: (source) => database.exec(source), prepare: (source) => database.prepare<SqlValue[]>(source) };
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
