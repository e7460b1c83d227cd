import type { Clock } from "../core/clock.ts";
import { remoteLimits } from "../core/remote-limits.ts";

export interface Rate {
  readonly perSecond: number;
  /** At once after a silence. */
  readonly burst: number;
}

const defaultRate: Rate = { perSecond: remoteLimits.requestsPerSecond, burst: remoteLimits.requestsBurst };

/** A token bucket, and how many it has turned away since somebody was told. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #rate: Rate;
  #tokens: number;
  #countedMs: number;
  #unanswered = 0;
  #toldMs = -Infinity;

  constructor(clock: Clock, rate: Rate = defaultRate) {
    this.#clock = clock;
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#countedMs = clock.monotonicMs();
  }

  /**
   * `pass`, or `busy` with how many this answer speaks for, or `silent` when the last such answer is less than a second
   * old: it is counted, and the next one speaks for it.
   */
  take():
    { readonly kind: "pass" } | { readonly kind: "busy"; readonly unanswered: number } | { readonly kind: "silent" } {
    const nowMs = this.#clock.monotonicMs();
    const { burst, perSecond } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#countedMs) / 1_000) * perSecond);
    this.#countedMs = nowMs;
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return { kind: "pass" };
    }
    return this.turnAway();
  }

  /** For one that cannot be looked at, whatever the rate is. */
  turnAway(): { readonly kind: "busy"; readonly unanswered: number } | { readonly kind: "silent" } {
    const nowMs = this.#clock.monotonicMs();
    this.#unanswered += 1;
    if (nowMs - this.#toldMs < remoteLimits.busyEveryMs) return { kind: "silent" };
    return this.#tell(nowMs);
  }

  /** For the end of a flood, after which no request comes to speak for those before: undefined when all were told. */
  rest(): { readonly kind: "busy"; readonly unanswered: number } | undefined {
    return this.#unanswered === 0 ? undefined : this.#tell(this.#clock.monotonicMs());
  }

  #tell(nowMs: number): { readonly kind: "busy"; readonly unanswered: number } {
    const unanswered = this.#unanswered;
    this.#unanswered = 0;
    this.#toldMs = nowMs;
    return { kind: "busy", unanswered };
  }
}
