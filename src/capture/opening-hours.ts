import type { Clock } from "../core/clock.ts";
import { captureLimits } from "../core/capture-limits.ts";
import type { Logger } from "../core/ports.ts";
import type { Pulse } from "../core/pulse.ts";
import { Weekly, type WeeklyPlan } from "../core/weekly.ts";

const minuteMs = 60_000;

/**
 * When a camera is on. The wall clock is looked at again and again, never trusted to run evenly: it may be set at any
 * moment, by a time source or by summer time. A clock that is plainly wrong (a gateway without a battery clock that has
 * not reached a time source yet) closes nothing: pictures too many can be deleted, those never taken are lost.
 */
export class OpeningHours {
  readonly #weekly: Weekly | undefined;
  readonly #clock: Clock;
  readonly #log: Logger;
  #saidWrong = false;

  /** Without a plan it is always open. */
  constructor(plan: WeeklyPlan | undefined, clock: Clock, log: Logger) {
    this.#weekly = plan === undefined ? undefined : new Weekly(plan);
    this.#clock = clock;
    this.#log = log;
  }

  isOpen(): boolean {
    if (this.#weekly === undefined) return true;
    const nowMs = this.#clock.nowMs();
    const wrong = nowMs < captureLimits.clockPlausibleFromMs;
    if (wrong && !this.#saidWrong) {
      this.#log.warn("camera.schedule_ignored", {
        message: "the system clock is wrong: capturing all the time",
        nowMs,
      });
    }
    this.#saidWrong = wrong;
    return wrong || this.#weekly.isOpen(nowMs);
  }

  /** Resolves when it is open; `onClosed` is told first when it is not, and again whenever the next opening changes. */
  async opened(signal: AbortSignal, pulse: Pulse, onClosed: (opensAtMs: number | undefined) => void): Promise<void> {
    let lookedAtMs = Infinity;
    let opensAtMs: number | undefined;
    while (!this.isOpen()) {
      const nowMs = this.#clock.nowMs();
      // The search costs some ms: it is made again only after the clock was set, or when it proved wrong.
      if (nowMs < lookedAtMs || nowMs >= (opensAtMs ?? Infinity)) {
        opensAtMs = this.#weekly?.opensAtMs(nowMs);
        onClosed(opensAtMs);
      }
      lookedAtMs = nowMs;
      await pulse.sleep(this.#toNextLookMs(), signal);
    }
  }

  /** Runs `work` with a signal that aborts at closing time, too. */
  async whileOpen<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#weekly === undefined) return work(signal);
    signal.throwIfAborted();
    const shift = new AbortController();
    const onAbort = () => shift.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#closed(shift.signal).then(
      () => shift.abort(),
      () => undefined,
    );
    try {
      return await work(shift.signal);
    } finally {
      signal.removeEventListener("abort", onAbort);
      shift.abort();
    }
  }

  async #closed(signal: AbortSignal): Promise<void> {
    while (this.isOpen()) await this.#clock.sleep(this.#toNextLookMs(), signal);
  }

  /** At each full minute, when windows begin and end; sooner, for the clock may have been set. */
  #toNextLookMs(): number {
    const toFullMinuteMs = minuteMs - (this.#clock.nowMs() % minuteMs);
    return Math.min(toFullMinuteMs, captureLimits.scheduleLookMs);
  }
}
