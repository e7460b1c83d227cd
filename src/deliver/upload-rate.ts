import type { Clock } from "../core/clock.ts";
import { deliverLimits } from "../core/deliver-limits.ts";
import type { Random } from "../core/ports.ts";

/**
 * How many bytes of pictures may go per second, over all targets that share it. What a call takes is owed when it begins,
 * and the next one begins when the debt is paid: so a picture of any size gets through, and the rate holds in the long run.
 */
export class UploadRate {
  readonly #clock: Clock;
  readonly #random: Random;
  #bytesPerSecond: number | undefined;
  /** Monotonic. */
  #paidAtMs = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  get bytesPerSecond(): number | undefined {
    return this.#bytesPerSecond;
  }

  /** Undefined: as many as the line takes. What is owed is paid at the new rate. */
  set(bytesPerSecond: number | undefined): void {
    const debtBytes = (this.debtMs() / 1_000) * (this.#bytesPerSecond ?? 0);
    this.#bytesPerSecond = bytesPerSecond;
    this.#paidAtMs = 0;
    if (debtBytes > 0) this.spent(debtBytes);
  }

  /** Until what has been sent is paid for. */
  debtMs(): number {
    return Math.max(0, this.#paidAtMs - this.#clock.monotonicMs());
  }

  /** Until whoever asks may begin a call. Who of several is next is a matter of chance, or one would always be first. */
  waitMs(): number {
    const debtMs = this.debtMs();
    return debtMs === 0 ? 0 : debtMs + this.#random() * deliverLimits.limitedTurnMs;
  }

  /** Of one call: a large batch would use up the line of minutes at once. */
  callBytesMax(): number {
    return this.#bytesPerSecond === undefined ? Infinity : this.#bytesPerSecond * deliverLimits.limitedCallSeconds;
  }

  spent(bytes: number): void {
    if (this.#bytesPerSecond === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    this.#paidAtMs = Math.max(nowMs, this.#paidAtMs) + (bytes / this.#bytesPerSecond) * 1_000;
  }
}
