import { isAbort } from "../core/errors.ts";
import type { Seams } from "../core/ports.ts";
import type { VisionSwitch } from "../vision/switch.ts";
import { Probation, type ProbationLimits } from "./probation.ts";

export interface Watched {
  /** Milliseconds; absent: it may be as slow as it is. */
  readonly runMsMax?: number;
  /** Restarts of vision processes that are none of its own. */
  readonly restartsBefore: number;
  /** Why it has to go back, where that is known before it is watched. */
  readonly failed?: string;
  /** Called until it succeeds, as is `onFailed`; `signal` ends with the watch. */
  readonly onTrusted: (signal: AbortSignal) => Promise<void>;
  readonly onFailed: (why: string, signal: AbortSignal) => Promise<void>;
  /** Such a call failed, and is made again later. */
  readonly onStuck: (error: unknown, verdict: "trusted" | "failed") => void;
}

/** Watches over the model in use for as long as it is on probation. */
export class ProbationWatch {
  readonly #vision: Pick<VisionSwitch, "watchLooks" | "health">;
  readonly #probationMs: number;
  readonly #limits: ProbationLimits;
  readonly #seams: Seams;
  #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #endsMs: number | undefined;

  constructor(
    vision: Pick<VisionSwitch, "watchLooks" | "health">,
    options: { readonly probationMs: number; readonly limits: ProbationLimits },
    seams: Seams,
  ) {
    this.#vision = vision;
    this.#probationMs = options.probationMs;
    this.#limits = options.limits;
    this.#seams = seams;
  }

  /** In place of the watch there was. */
  begin(watched: Watched): void {
    this.end();
    const { clock, random } = this.#seams;
    const ending = new AbortController();
    this.#ending = ending;
    this.#endsMs = clock.monotonicMs() + this.#probationMs;
    const tally = new Probation(watched.runMsMax, random, this.#limits);
    this.#vision.watchLooks((look) => tally.saw(look));
    this.#running = this.#watch(watched, tally, ending.signal).catch((error: unknown) => {
      if (!ending.signal.aborted && !isAbort(error)) watched.onStuck(error, "failed");
    });
  }

  /** What is under way is not waited for. */
  end(): void {
    this.#ending.abort();
    this.#endsMs = undefined;
  }

  async ended(): Promise<void> {
    await this.#running;
  }

  /** Undefined while nothing is watched. */
  leftMs(): number | undefined {
    if (this.#endsMs === undefined) return undefined;
    return Math.max(0, Math.round(this.#endsMs - this.#seams.clock.monotonicMs()));
  }

  async #watch(watched: Watched, tally: Probation, signal: AbortSignal): Promise<void> {
    const { clock } = this.#seams;
    while (this.#endsMs !== undefined && clock.monotonicMs() < this.#endsMs) {
      await clock.sleep(this.#limits.probationLookMs, signal);
      const why = watched.failed ?? tally.verdict(this.#vision.health().restarts - watched.restartsBefore);
      if (why !== undefined) {
        await this.#untilDone(async () => watched.onFailed(why, signal), "failed", watched, signal);
        return;
      }
    }
    await this.#untilDone(async () => watched.onTrusted(signal), "trusted", watched, signal);
  }

  /**
   * As often as it takes: a model that fails must not stay because a disk was full at that moment, nor one that is good
   * be on probation for ever, which would keep every other one out.
   */
  async #untilDone(
    end: () => Promise<void>,
    verdict: "trusted" | "failed",
    { onStuck }: Watched,
    signal: AbortSignal,
  ): Promise<void> {
    for (;;) {
      try {
        await end();
        return;
      } catch (error) {
        signal.throwIfAborted();
        onStuck(error, verdict);
        await this.#seams.clock.sleep(this.#limits.rollbackAgainMs, signal);
      }
    }
  }
}
