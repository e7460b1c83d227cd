import { setTimeout as delay } from "node:timers/promises";
import { spoolLimits } from "../../src/core/limits.ts";
import { PatientClock } from "./disk-spool.ts";

/** A patient clock whose upkeep runs when the test says so. */
export class UpkeepClock extends PatientClock {
  #waiting: (() => void) | undefined;

  override async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (ms !== spoolLimits.upkeepFirstMs && ms !== spoolLimits.upkeepEveryMs) {
      await super.sleep(ms, signal);
      return;
    }
    await new Promise<void>((resolve) => {
      this.#waiting = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    signal.throwIfAborted();
  }

  /** Resolves when every task has run once. */
  async upkeep(): Promise<void> {
    await this.#asleep();
    const wake = this.#waiting;
    this.#waiting = undefined;
    wake?.();
    await this.#asleep();
  }

  async #asleep(): Promise<void> {
    for (let tries = 0; this.#waiting === undefined; tries += 1) {
      if (tries > 5_000) throw new Error("the upkeep does not come to its end");
      await delay(1);
    }
  }
}
