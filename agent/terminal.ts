import type { Writable } from "node:stream";
import type { Clock } from "../src/core/clock.ts";
import { createMasker, type Masker } from "../src/log/masker.ts";

export interface TerminalStream extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Between two plain status lines where stderr is no terminal: enough to see progress, not enough to fill a log. */
const plainStatusEveryMs = 1_000;
const plainColumns = 80;

/** stdout carries data, stderr notes and the status line; so output can be piped whatever is going on. */
export class Terminal {
  readonly #stdout: TerminalStream;
  readonly #stderr: TerminalStream;
  readonly #clock: Clock;
  #masker: Masker = (text) => text;
  #statusShown = false;
  #lastPlainStatusMs = -Infinity;

  constructor(stdout: TerminalStream, stderr: TerminalStream, clock: Clock) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#clock = clock;
  }

  /** From now on no note shows these. Results are left as they are: a label may be somebody's password. */
  hide(secrets: readonly string[]): void {
    this.#masker = createMasker(secrets);
  }

  /** A person watches what goes to stderr. */
  get isWatched(): boolean {
    return this.#stderr.isTTY === true;
  }

  /** One line of the command's result. */
  data(line: string): void {
    this.#clearStatus();
    this.#stdout.write(`${line}\n`);
  }

  /** One line for the person watching. */
  note(line: string): void {
    this.#clearStatus();
    this.#stderr.write(`${this.#masker(line)}\n`);
  }

  /**
   * Replaces the live status line; without a terminal, a plain line at most once a second, and the last one always.
   * False where it came too soon and is not shown.
   */
  status(line: string, isLast = false): boolean {
    if (this.#stderr.isTTY === true) {
      // Some terminals do not know their width and say 0.
      const { columns = 0 } = this.#stderr;
      this.#stderr.write(`\r\x1b[2K${line.slice(0, (columns === 0 ? plainColumns : columns) - 1)}`);
      this.#statusShown = true;
      return true;
    }
    const nowMs = this.#clock.monotonicMs();
    if (!isLast && nowMs - this.#lastPlainStatusMs < plainStatusEveryMs) return false;
    this.#lastPlainStatusMs = nowMs;
    this.#stderr.write(`${line}\n`);
    return true;
  }

  #clearStatus(): void {
    if (!this.#statusShown) return;
    this.#stderr.write("\r\x1b[2K");
    this.#statusShown = false;
  }
}

/** `1 camera`, `2 cameras`. */
export function counted(count: number, what: string, many = `${what}s`): string {
  return `${count} ${count === 1 ? what : many}`;
}

export function sizeText(bytes: number): string {
  return bytes < 1024 ** 2 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

/** Columns padded to their widest cell; numbers to the right. */
export function textTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const lines = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const right = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"));
  return lines.map((line) =>
    line
      .map((cell, column) =>
        right[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}
