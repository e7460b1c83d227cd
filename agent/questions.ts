import { createInterface, type Interface } from "node:readline/promises";
import { Writable } from "node:stream";

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

  /** The answer without surrounding space, or `fallback` for an empty one. */
  async text(question: string, fallback: string): Promise<string> {
    const shown = fallback === "" ? question : `${question} [${fallback}]`;
    const answer = await this.#reader.question(`${shown}: `, { signal: this.#signal });
    return answer.trim() === "" ? fallback : answer.trim();
  }

  /** Nothing that is typed is shown. */
  async secret(question: string): Promise<string> {
    this.#output.write(`${question} (not shown): `);
    this.#muted = true;
    try {
      return (await this.#reader.question("", { signal: this.#signal })).trim();
    } finally {
      this.#muted = false;
      this.#output.write("\n");
    }
  }

  close(): void {
    this.#reader.close();
  }
}
