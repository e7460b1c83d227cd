import { logLimits } from "../core/limits.ts";

/** The last lines of a log in bounded memory, as they were written: masked already. */
export class LogRing {
  readonly #lines: string[] = [];
  #chars = 0;

  /** With or without journald's level before it, and with the end of the line. */
  add(line: string): void {
    const text = line.replace(/^<\d>/, "").trimEnd();
    this.#lines.push(text);
    this.#chars += text.length;
    while (this.#lines.length > logLimits.ringLinesMax || this.#chars > logLimits.ringCharsMax) {
      this.#chars -= this.#lines.shift()?.length ?? 0;
    }
  }

  /** Oldest first. */
  lines(): readonly string[] {
    return [...this.#lines];
  }
}
