import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/**
 * What every user of the machine may read of processes while it lasts: the command line of each, and the environment
 * of those whose command line matches.
 */
export class ProcessWatch implements AsyncDisposable {
  readonly #environmentsOf: RegExp;
  readonly #seen = new Map<string, Buffer>();
  /** What ran before is nothing that a test starts, and there may be hundreds. */
  readonly #earlier = new Set<string>();
  #ended = false;
  #watching: Promise<void> = Promise.resolve();

  constructor(environmentsOf: RegExp) {
    this.#environmentsOf = environmentsOf;
  }

  start(): this {
    for (const pid of runningNow()) if (pid !== String(process.pid)) this.#earlier.add(pid);
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
      // Each of these reads is a copy from memory; one after another through the thread pool they cost many times that.
      for (const pid of runningNow()) if (!this.#earlier.has(pid)) this.#look(pid);
      await delay(20);
    }
  }

  #look(pid: string): void {
    const commandLine = readOrNothing(`/proc/${pid}/cmdline`);
    if (commandLine.length === 0) return;
    // Kept under its own text: a process may become another program.
    this.#seen.set(`command line of ${pid}: ${commandLine.toString("latin1").slice(0, 80)}`, commandLine);
    if (!this.#environmentsOf.test(commandLine.toString("latin1"))) return;
    const environment = readOrNothing(`/proc/${pid}/environ`);
    if (environment.length > 0) this.#seen.set(`environment of ${pid}`, environment);
  }
}

function runningNow(): readonly string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
}

/** A process may end while one looks. */
function readOrNothing(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}
