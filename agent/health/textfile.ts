import { randomBytes } from "node:crypto";
import { chmod, rename, rm, writeFile } from "node:fs/promises";
import { AgentError, asAgentError } from "../../src/core/errors.ts";
import { LogGate } from "../../src/core/log-gate.ts";
import type { Seams } from "../../src/core/ports.ts";
import { fileProblem } from "../files.ts";
import type { Part } from "../lifecycle.ts";

export interface TextfileOptions {
  /** Nothing is written where it is absent. */
  readonly path: string | undefined;
  readonly everyMs: number;
  readonly text: () => Promise<string>;
}

/** Writes metrics where node_exporter looks for them. It reads at any moment, so that a file is always a whole one. */
export class Textfile implements Part {
  readonly name = "metrics";
  readonly #options: TextfileOptions;
  readonly #seams: Seams;
  readonly #gate: LogGate;
  #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: TextfileOptions, seams: Seams) {
    this.#options = options;
    this.#seams = seams;
    this.#gate = new LogGate(seams.clock);
  }

  async start(): Promise<void> {
    const { path } = this.#options;
    this.#stopped = new AbortController();
    if (path !== undefined) this.#running = this.#run(path, this.#stopped.signal);
  }

  /** Takes the file away: what it says would be taken for what is. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    const { path } = this.#options;
    if (path !== undefined) await rm(path, { force: true });
  }

  async #run(path: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#write(path);
      await this.#seams.clock.sleep(this.#options.everyMs, signal).catch(() => undefined);
    }
  }

  async #write(path: string): Promise<void> {
    // Of a name that the collector does not read, and beside it: only on one disk is a rename a single step.
    const written = `${path}.${randomBytes(4).toString("hex")}.tmp`;
    try {
      await writeFile(written, await this.#options.text());
      // The collector is another user, whom the service's UMask would keep out.
      await chmod(written, 0o644);
      await rename(written, path);
    } catch (error) {
      await rm(written, { force: true }).catch(() => undefined);
      const suppressed = this.#gate.pass("metrics.textfile");
      if (suppressed === undefined) return;
      const message = error instanceof AgentError ? error.message : fileProblem(error);
      const { code } = asAgentError(error, `write ${path}`);
      this.#seams.log.warn("metrics.not_written", { path, code, message, suppressed });
    }
  }
}
