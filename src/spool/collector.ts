import type { Clock } from "../core/clock.ts";
import { asAgentError, isAbort } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import { LogGate } from "../core/log-gate.ts";
import type { Logger } from "../core/ports.ts";

/** What one flush of the index brought. */
export interface Collected {
  /** More envelopes are finished than one group takes. */
  readonly more: boolean;
  /** Finished envelopes that cannot be removed, in all, and what came back for the last one that was tried. */
  readonly stuck: number;
  readonly stuckError?: { readonly code: string; readonly message: string };
}

/**
 * When outcomes are made durable: after so many, or some seconds after the first of fewer. One flush of the index then
 * pays for a whole group, and the envelopes that are finished by then are removed.
 */
export class Collector {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gate: LogGate;
  /** Flushes the index, then removes one group; `again` tries those anew that could not be removed before. */
  readonly #collect: (again: boolean) => Promise<Collected>;
  readonly #stopping = new AbortController();
  #settled = 0;
  #failed = false;
  /** Monotonic: when what is stuck is worth another try. */
  #againAtMs = 0;
  #pausing: Promise<void> | undefined;
  #collecting: Promise<void> = Promise.resolve();

  constructor(clock: Clock, log: Logger, collect: (again: boolean) => Promise<Collected>) {
    this.#clock = clock;
    this.#log = log;
    this.#gate = new LogGate(clock);
    this.#collect = collect;
  }

  /** More outcomes were written. Never fails: what cannot be flushed or removed now is tried again later. */
  settled(outcomes = 1): void {
    if (outcomes === 0) return;
    const before = this.#settled;
    this.#settled += outcomes;
    const { collectRecords } = spoolLimits;
    if (before < collectRecords && this.#settled >= collectRecords && !this.#failed) void this.now();
    else this.#pause();
  }

  /** Everything settled so far, at once. Does not fail. */
  async now(): Promise<void> {
    this.#collecting = this.#collecting.then(async () => await this.#collectAll());
    await this.#collecting;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#pausing;
    await this.now();
  }

  #pause(): void {
    this.#pausing ??= this.#later();
  }

  async #later(): Promise<void> {
    try {
      await this.#clock.sleep(spoolLimits.collectIntervalMs, this.#stopping.signal);
    } catch (error) {
      if (!isAbort(error)) this.#log.error("spool.collect.failed", { error });
      return;
    } finally {
      this.#pausing = undefined;
    }
    await this.now();
  }

  async #collectAll(): Promise<void> {
    try {
      for (let more = this.#settled > 0; more;) {
        const settled = this.#settled;
        const collected = await this.#collect(this.#isTimeAgain());
        // What was settled while this flush was under way needs the next one.
        this.#settled -= settled;
        this.#failed = false;
        this.#report(collected);
        more = collected.more || this.#settled >= spoolLimits.collectRecords;
      }
    } catch (error) {
      this.#failed = true;
      const { code, message } = asAgentError(error, "flush the index and remove what is finished");
      const suppressed = this.#gate.pass(code);
      if (suppressed !== undefined) this.#log.warn("spool.collect.failed", { code, message, suppressed });
    }
    if (this.#settled > 0 && !this.#stopping.signal.aborted) this.#pause();
  }

  #isTimeAgain(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#againAtMs) return false;
    this.#againAtMs = nowMs + spoolLimits.stuckAgainMs;
    return true;
  }

  #report({ stuck, stuckError }: Collected): void {
    if (stuckError === undefined) return;
    const suppressed = this.#gate.pass(`stuck ${stuckError.code}`);
    if (suppressed !== undefined)
      this.#log.warn("spool.envelopes.stuck", { records: stuck, ...stuckError, suppressed });
  }
}
