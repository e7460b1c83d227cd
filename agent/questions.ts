import { createInterface, type Interface } from "node:readline/promises";
import { Writable } from "node:stream";

/** What is wrong with an answer; undefined when nothing is. */
export type Judge = (answer: string) => string | undefined;

/** Questions to a person at a terminal. */
export class Questions {
  readonly #reader: Interface;
  readonly #signal: AbortSignal;
  readonly #output: NodeJS.WritableStream;
  #muted = false;

  constructor(input: NodeJS.ReadStream, output: NodeJS.WritableStream, signal: AbortSignal) {
    this.#output = output;
    this.#signal = signal;
    const echo = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (!this.#muted) output.write(chunk);
        done();
      },
    });
    this.#reader = createInterface({ input, output: echo, terminal: true });
  }

  /**
   * The answer without surrounding space, or `fallback` for an empty one. Asked again while `problem` finds one in it;
   * an answer that is empty and has no fallback means "none" and is not judged.
   */
  async text(question: string, fallback: string, problem: Judge = () => undefined): Promise<string> {
    const shown = fallback === "" ? question : `${question} [${fallback}]`;
    for (;;) {
      const typed = await this.#answer(`${shown}: `);
      const answer = typed === "" ? fallback : typed;
      const wrong = answer === "" ? undefined : problem(answer);
      if (wrong === undefined) return answer;
      this.#output.write(`  ${wrong}\n`);
    }
  }

  /** Nothing that is typed is shown. Asked again while there is no answer, or `problem` finds one in it. */
  async secret(question: string, problem: Judge = () => undefined): Promise<string> {
    for (;;) {
      const answer = await this.#unseen(question);
      const wrong = answer === "" ? "nothing was typed" : problem(answer);
      if (wrong === undefined) return answer;
      this.#output.write(`  ${wrong}\n`);
    }
  }

  async #unseen(question: string): Promise<string> {
    this.#output.write(`${question} (not shown): `);
    this.#muted = true;
    try {
      return await this.#answer("");
    } finally {
      this.#muted = false;
      this.#output.write("\n");
    }
  }

  /** Ctrl-C and Ctrl-D end with an AbortError. */
  async #answer(question: string): Promise<string> {
    try {
      return (await this.#reader.question(question, { signal: this.#signal })).trim();
    } catch (error) {
      this.#output.write("\n");
      throw error;
    }
  }

  close(): void {
    this.#reader.close();
  }
}
