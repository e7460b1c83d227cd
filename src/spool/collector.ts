import type { Clock } from "../core/clock.ts";
import { asAgentError, isAbort } from "../core/errors.ts";
import { spoolLimits } from "../core/limits.ts";
import { LogGate } from "../core/log-gate.ts";
import type { Logger } from "../core/ports.ts";

/**
 * When finished envelopes are removed: as soon as a group is full, or some seconds after the first of a smaller group.
 * One flush of the index then pays for the whole group.
 */
export class Collector {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gate: LogGate;
  /** Removes one group. */
  readonly #collect: () => Promise<void>;
  readonly #stopping = new AbortController();
  #finished = 0;
  #failed = false;
  #pausing: Promise<void> | undefined;
  #collecting: Promise<void> = Promise.resolve();

  constructor(clock: Clock, log: Logger, collect: () => Promise<void>) {
    this.#clock = clock;
    this.#log = log;
    this.#gate = new LogGate(clock);
    this.#collect = collect;
  }

  /** More records are finished. Never fails: what cannot be removed now is tried again later, after a next one. */
  finished(records = 1): void {
    if (records === 0) return;
    const before = this.#finished;
    this.#finished += records;
    const { collectRecords } = spoolLimits;
    if (before < collectRecords && this.#finished >= collectRecords && !this.#failed) void this.now();
    else this.#pausing ??= this.#later().finally(() => (this.#pausing = undefined));
  }

  /** Everything that is finished, at once. Does not fail. */
  async now(): Promise<void> {
    this.#collecting = this.#collecting.then(async () => await this.#collectAll());
    await this.#collecting;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#pausing;
    await this.now();
  }

  async #later(): Promise<void> {
    try {
      await this.#clock.sleep(spoolLimits.collectIntervalMs, this.#stopping.signal);
    } catch (error) {
      if (!isAbort(error)) this.#log.error("spool.collect.failed", { error });
      return;
    }
    await this.now();
  }

  async #collectAll(): Promise<void> {
    try {
      while (this.#finished > 0) {
        const group = Math.min(this.#finished, spoolLimits.collectRecords);
        await this.#collect();
        this.#finished -= group;
        this.#failed = false;
      }
    } catch (error) {
      this.#failed = true;
      const { code, message } = asAgentError(error, "remove finished records");
      const suppressed = this.#gate.pass(code);
      if (suppressed !== undefined) this.#log.warn("spool.collect.failed", { code, message, suppressed });
    }
  }
}
