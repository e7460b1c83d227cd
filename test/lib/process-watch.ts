import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/**
 * What every user of the machine may read of processes while it lasts: the command line of each, and the environment
 * of those whose command line matches.
 */
export class ProcessWatch implements AsyncDisposable {
  readonly #environmentsOf: RegExp;
  readonly #seen = new Map<string, Buffer>();
  #ended = false;
  #watching: Promise<void> = Promise.resolve();

  constructor(environmentsOf: RegExp) {
    this.#environmentsOf = environmentsOf;
  }

  start(): this {
    this.#watching = this.#watch();
    return this;
  }

  /** `command line of …` and `environment of …`. */
  seen(): ReadonlyMap<string, Buffer> {
    return this.#seen;
  }

  /** How many processes it read the environment of. */
  environments(): number {
    return [...this.#seen.keys()].filter((place) => place.startsWith("environment")).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#ended) {
      for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) await this.#look(pid);
      await delay(20);
    }
  }

  async #look(pid: string): Promise<void> {
    const commandLine = await readFile(`/proc/${pid}/cmdline`).catch(() => Buffer.alloc(0));
    if (commandLine.length === 0) return;
    // Kept under its own text: a process may become another program.
    this.#seen.set(`command line of ${pid}: ${commandLine.toString("latin1").slice(0, 80)}`, commandLine);
    if (!this.#environmentsOf.test(commandLine.toString("latin1"))) return;
    const environment = await readFile(`/proc/${pid}/environ`).catch(() => Buffer.alloc(0));
    if (environment.length > 0) this.#seen.set(`environment of ${pid}`, environment);
  }
}
