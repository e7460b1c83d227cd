import type { CameraDriver } from "../core/ports.ts";
import type { CaptureLimits } from "./judge.ts";

interface Pacing {
  readonly intervalMs: number;
  /** As configured. */
  readonly stallAfterMs: number | undefined;
}

/** How long a driver may be silent before it counts as dead. */
export class Patience {
  readonly #driver: CameraDriver;
  readonly #pacing: Pacing;
  readonly #limits: CaptureLimits;

  constructor(driver: CameraDriver, pacing: Pacing, limits: CaptureLimits) {
    this.#driver = driver;
    this.#pacing = pacing;
    this.#limits = limits;
  }

  /**
   * Of a continuous source its own frames count, not how seldom one of them is wanted. Where nobody knows how often they
   * come, one that is wanted seldom may come as seldom; within bounds, as most come far more often.
   */
  get watchdogMs(): number {
    const { intervalMs, stallAfterMs } = this.#pacing;
    const { watchdogMinMs, watchdogPeriods, watchdogUnknownMaxMs } = this.#limits;
    if (stallAfterMs !== undefined) return stallAfterMs;
    const framePeriodMs = this.#driver.stream?.framePeriodMs;
    if (framePeriodMs !== 0) return Math.max(watchdogMinMs, watchdogPeriods * (framePeriodMs ?? intervalMs));
    return Math.max(watchdogMinMs, Math.min(watchdogUnknownMaxMs, watchdogPeriods * intervalMs));
  }

  /** For one picture of a camera that runs. */
  get shotMs(): number {
    return this.watchdogMs + (this.#driver.shotTimeMs ?? 0);
  }

  get startMs(): number {
    return Math.max(this.firstShotMs, this.#driver.startTimeMs ?? 0);
  }

  /** For the first picture after the start. */
  get firstShotMs(): number {
    const oneFrameMs = this.#driver.shotTimeMs ?? this.#driver.stream?.framePeriodMs ?? 0;
    return Math.max(this.#limits.startTimeoutMs, this.#pacing.stallAfterMs ?? 0) + oneFrameMs;
  }
}
