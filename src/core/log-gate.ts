import type { Clock } from "./clock.ts";
import { healthLimits } from "./limits.ts";

/** Lets the first line about a trouble through, then one an interval that says how many were left out. */
export class LogGate {
  readonly #clock: Clock;
  readonly #gates = new Map<string, { closedUntilMs: number; suppressed: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many lines about `trouble` were left out since the last one, or undefined when this one is to be left out too. */
  pass(trouble: string): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    const gate = this.#gates.get(trouble);
    if (gate !== undefined && nowMs < gate.closedUntilMs) {
      gate.suppressed += 1;
      return undefined;
    }
    if (this.#gates.size >= healthLimits.tallyKeysMax) this.#gates.clear();
    this.#gates.set(trouble, { closedUntilMs: nowMs + healthLimits.logGateMs, suppressed: 0 });
    return gate?.suppressed ?? 0;
  }
}
