import type { Clock } from "../core/clock.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import { LogGate } from "../core/log-gate.ts";
import type { Logger, Loss } from "../core/ports.ts";
import { summed } from "./loss-sum.ts";

/** Says what was given up: at once, then at most once a minute, each time with everything since the last line. */
export class LossLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gate: LogGate;
  #unsaid: readonly Loss[] = [];
  #lastForRoomMs = -Infinity;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
    this.#gate = new LogGate(clock);
  }

  add(lost: readonly Loss[]): void {
    this.#unsaid = summed([...this.#unsaid, ...lost]);
    if (lost.some(({ reason }) => reason === "room")) this.#lastForRoomMs = this.#clock.monotonicMs();
    this.say();
  }

  /** What is left to say, as soon as it may be said; at the end, whatever is left. */
  say(atEnd = false): void {
    if (this.#unsaid.length === 0) return;
    if (this.#gate.pass("evicted") === undefined && !atEnd) return;
    const lost = this.#unsaid;
    this.#unsaid = [];
    const deliveries = lost.reduce((sum, loss) => sum + loss.deliveries, 0);
    this.#log.warn("spool.evicted", { deliveries, lost });
  }

  /** Records had to go for newer ones within the last minutes. */
  evicting(): boolean {
    return this.#clock.monotonicMs() - this.#lastForRoomMs < spoolLimits.evictingMs;
  }
}
