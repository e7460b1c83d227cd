import { AgentError } from "../core/errors.ts";

/** At most `slotsMax` at a time; the others wait in order, and beyond `waitingMax` they are refused. */
export class Slots {
  readonly #slotsMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(slotsMax: number, waitingMax: number) {
    this.#slotsMax = slotsMax;
    this.#waitingMax = waitingMax;
  }

  async use<T>(action: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#slotsMax) this.#taken += 1;
    else await this.#turn();
    try {
      return await action();
    } finally {
      // The slot is handed on, so that nobody slips in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken -= 1;
      else next();
    }
  }

  async #turn(): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) {
      throw new AgentError("SPOOL_BUSY", `append: ${this.#waiting.length} records wait for the disk`, {
        disposition: "retry",
      });
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
