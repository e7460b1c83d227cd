import { messageOf } from "../../core/errors.ts";
import { logLimits } from "../../core/limits.ts";
import { mask, maskUrls } from "../../core/mask.ts";

/** Stands for a character of a secret until the text is cut: no program's line holds one. */
const filler = "\0";

/** The end of what a program says on its stderr: foreign text that words an error and decides nothing. */
export class ProgramSpeech {
  readonly #forms: readonly string[];
  readonly #keptChars: number;
  /** So much at the front of a cut text may be the rest of a secret. */
  readonly #unsafeChars: number;
  #tail = "";
  #isCut = false;

  constructor(secrets: readonly string[], tailChars: number) {
    this.#forms = [...new Set(secrets.flatMap(formsOf))].toSorted((a, b) => b.length - a.length);
    this.#unsafeChars = Math.max(0, (this.#forms[0]?.length ?? 0) - 1);
    this.#keptChars = tailChars + this.#unsafeChars;
  }

  add(text: string): void {
    const whole = this.#tail + text;
    this.#isCut ||= whole.length > this.#keptChars;
    this.#tail = whole.slice(-this.#keptChars);
  }

  /** Its last line, short. Empty when it said nothing. */
  lastLine(): string {
    return messageOf(this.lines().at(-1) ?? "", 200);
  }

  /** What is kept of it, without secrets, colours and control characters; the first line may be cut. */
  lines(): readonly string[] {
    return this.without(this.#tail, this.#isCut)
      .replaceAll(/\u001b\[[0-9;]*m/g, "")
      .split(/[\r\n]/)
      .map((line) => maskUrls(line.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ").trim()))
      .filter((line) => line !== "");
  }

  /** Any text of one line without the secrets, `isCut` when it may begin in the midst of one. */
  without(text: string, isCut = false): string {
    let filled = text.replaceAll(filler, " ");
    for (const form of this.#forms) filled = filled.replaceAll(form, filler.repeat(form.length));
    return filled.slice(isCut ? this.#unsafeChars : 0).replaceAll(/\0+/g, mask);
  }
}

/** As it is, and as it stands in an address. Masking a very short text would hide everything and protect nothing. */
function formsOf(secret: string): readonly string[] {
  const encoded = orItself(encodeURIComponent, secret);
  const strict = encoded.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const forms = [secret, ...secret.split(/[\r\n]+/), encoded, strict, orItself(decodeURIComponent, secret)];
  const lowered = forms.map((form) => form.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()));
  return [...forms, ...lowered].filter((form) => form.length >= logLimits.secretCharsMin);
}

/** Text that is no valid input stays as it is. */
function orItself(change: (text: string) => string, text: string): string {
  try {
    return change(text);
  } catch {
    return text;
  }
}
