import type { Clock } from "../core/clock.ts";
import { captureLimits } from "../core/capture-limits.ts";
import { Weekly, type WeeklyPlan } from "../core/weekly.ts";

export interface WindowHold {
  readonly forMs: number;
  /** Absent where it never opens, or not within two weeks. */
  readonly leftMs?: number;
}

/**
 * When records are sent. What has begun when it closes is ended. A clock that is plainly wrong closes nothing: a gateway
 * that never learns the time would otherwise never send.
 */
export class UploadWindow {
  readonly #weekly: Weekly;
  readonly #clock: Clock;
  /** Monotonic. */
  #closedAtMs: number | undefined;
  /** The search costs some ms: it is made again only after the clock was set, or when it proved wrong. */
  #searched: { readonly fromMs: number; readonly opensAtMs: number | undefined } | undefined;

  /** Fails with a RangeError on a time zone that this runtime does not know. */
  constructor(plan: WeeklyPlan, clock: Clock) {
    this.#weekly = new Weekly(plan);
    this.#clock = clock;
  }

  /** Undefined while it is open. */
  hold(): WindowHold | undefined {
    const nowMs = this.#clock.nowMs();
    if (nowMs < captureLimits.clockPlausibleFromMs || this.#weekly.isOpen(nowMs)) {
      this.#closedAtMs = undefined;
      return undefined;
    }
    this.#closedAtMs ??= this.#clock.monotonicMs();
    const opensAtMs = this.#opensAtMs(nowMs);
    return {
      forMs: this.#clock.monotonicMs() - this.#closedAtMs,
      ...(opensAtMs === undefined ? {} : { leftMs: Math.max(1, opensAtMs - nowMs) }),
    };
  }

  #opensAtMs(nowMs: number): number | undefined {
    const { fromMs, opensAtMs } = this.#searched ?? { fromMs: Infinity, opensAtMs: undefined };
    if (nowMs >= fromMs && nowMs < (opensAtMs ?? Infinity)) return opensAtMs;
    const found = this.#weekly.opensAtMs(nowMs);
    this.#searched = { fromMs: nowMs, opensAtMs: found };
    return found;
  }
}
