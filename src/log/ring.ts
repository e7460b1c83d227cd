import { logLimits } from "../core/limits.ts";

/** The last lines of a log in bounded memory, as they were written: masked already. */
export class LogRing {
  readonly #lines: string[] = [];
  #chars = 0;
  #added = 0;

  /** With or without journald's level before it, and with the end of the line. */
  add(line: string): void {
    const text = line.replace(/^<\d>/, "").trimEnd();
    this.#lines.push(text);
    this.#added += 1;
    this.#chars += text.length;
    while (this.#lines.length > logLimits.ringLinesMax || this.#chars > logLimits.ringCharsMax) {
      this.#chars -= this.#lines.shift()?.length ?? 0;
    }
  }

  /** Lines so far, also those that are gone. */
  get added(): number {
    return this.#added;
  }

  /** Oldest first. */
  lines(): readonly string[] {
    return [...this.#lines];
  }

  /** Those after so many, at most the last `linesMax`; oldest first. */
  after(added: number, linesMax: number): readonly string[] {
    const fresh = Math.min(this.#added - added, linesMax);
    return fresh <= 0 ? [] : this.#lines.slice(-fresh);
  }
}
