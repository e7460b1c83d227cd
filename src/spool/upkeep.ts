import type { Clock } from "../core/clock.ts";
import { asAgentError, isAbort } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import { LogGate } from "../core/log-gate.ts";
import type { Logger } from "../core/ports.ts";

/** Something that has to be looked after now and then. One call is bounded work; it may fail, and is called again. */
export interface UpkeepTask {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

/** Runs tasks one after the other, the first time a while after the start, so that no start waits for them. */
export class Upkeep {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gate: LogGate;
  readonly #tasks: readonly UpkeepTask[];
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(clock: Clock, log: Logger, tasks: readonly UpkeepTask[]) {
    this.#clock = clock;
    this.#log = log;
    this.#gate = new LogGate(clock);
    this.#tasks = tasks;
  }

  start(): void {
    this.#running ??= this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let pauseMs: number = spoolLimits.upkeepFirstMs; ; pauseMs = spoolLimits.upkeepEveryMs) {
      try {
        await this.#clock.sleep(pauseMs, signal);
      } catch {
        return;
      }
      for (const task of this.#tasks) await this.#runOne(task, signal);
    }
  }

  async #runOne(task: UpkeepTask, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    try {
      await task.run(signal);
    } catch (error) {
      if (isAbort(error) || this.#stopping.signal.aborted) return;
      const { code, message } = asAgentError(error, task.name);
      const suppressed = this.#gate.pass(`${task.name}:${code}`);
      if (suppressed !== undefined) {
        this.#log.warn("spool.upkeep.failed", { task: task.name, code, message, suppressed });
      }
    }
  }
}
