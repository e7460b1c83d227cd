import { spoolLimits } from "../../src/core/spool-limits.ts";
import { PatientClock } from "./disk-spool.ts";

const upkeepPauses: ReadonlySet<number> = new Set([spoolLimits.upkeepFirstMs, spoolLimits.upkeepEveryMs]);

/** A patient clock of one spool at a time, whose upkeep runs when the test says so. */
export class UpkeepClock extends PatientClock {
  #wake: (() => void) | undefined;
  #paused: (() => void) | undefined;

  /** One run of every upkeep task, to its end. */
  async upkeep(): Promise<void> {
    await this.#pause();
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
    await this.#pause();
  }

  override async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (!upkeepPauses.has(ms)) {
      await super.sleep(ms, signal);
      return;
    }
    let stop = (): void => undefined;
    await new Promise<void>((resolve) => {
      stop = resolve;
      this.#wake = resolve;
      signal.addEventListener("abort", stop, { once: true });
      this.#paused?.();
    });
    signal.removeEventListener("abort", stop);
    signal.throwIfAborted();
  }

  async #pause(): Promise<void> {
    if (this.#wake !== undefined) return;
    await new Promise<void>((resolve) => (this.#paused = resolve));
    this.#paused = undefined;
  }
}
