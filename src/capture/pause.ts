import type { Clock } from "../core/clock.ts";
import { Interruptible } from "../core/interruptible.ts";
import type { Pulse } from "../core/pulse.ts";

/** Whether a camera is paused by an operator; for how long, in time that the agent runs. */
export class Pause {
  readonly #clock: Clock;
  readonly #working = new Interruptible();
  readonly #waiting = new Interruptible();
  #untilMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `Infinity` until `end`; undefined when there is no pause. */
  leftMs(): number | undefined {
    if (this.#untilMs === undefined) return undefined;
    const leftMs = this.#untilMs - this.#clock.monotonicMs();
    return leftMs > 0 ? leftMs : undefined;
  }

  /** In the place of a pause that there is. Resolves when the work that it ends has ended. */
  async begin(forMs: number): Promise<void> {
    this.#untilMs = this.#clock.monotonicMs() + forMs;
    this.#waiting.interrupt();
    this.#working.interrupt();
    await this.#working.ended();
  }

  end(): void {
    this.#untilMs = undefined;
    this.#waiting.interrupt();
  }

  /** Resolves when there is no pause; `onPaused` is told first when there is, and again whenever another follows. */
  async over(signal: AbortSignal, pulse: Pulse, onPaused: (leftMs: number) => void): Promise<void> {
    for (let leftMs = this.leftMs(); leftMs !== undefined; leftMs = this.leftMs()) {
      const sleepMs = leftMs;
      onPaused(sleepMs);
      const slept = this.#waiting.run(signal, (waiting) => pulse.sleep(sleepMs, waiting));
      await slept.catch(() => signal.throwIfAborted());
    }
  }

  /** Runs `work` with a signal that aborts when a pause begins, too. */
  async whileOff<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#working.run(signal, work);
  }
}
