import type { Calendar, Period } from "../core/calendar.ts";
import type { Clock } from "../core/clock.ts";
import { captureLimits } from "../core/capture-limits.ts";

/** What has to be known of a day or a month after a restart. */
export interface PeriodBooks {
  /** The day or month that is counted; absent until the clock has shown a possible time. */
  readonly name?: string;
  readonly bytes: number;
  /** Running time since it began. */
  readonly ranMs: number;
  /** The clock shows an earlier day or month: since when by that clock. */
  readonly behindSinceMs?: number;
}

/** A clock that drifts, or is steered, gains less between two looks. */
const leapMs = 60 * 60_000;
const nothing = { bytes: 0, ranMs: 0 } as const;

/**
 * The bytes of one day or month. The wall clock may be wrong at any moment, and must neither give a budget twice nor keep
 * one for ever:
 *
 * - A new period begins when the clock shows a later one. One that was set back goes on with the period there is, so that
 *   going back and forth gives nothing.
 * - No period lasts half as long again as its length, in running time or by a clock that has gone on from an earlier date: what a clock did
 *   that was years ahead for a moment is over then.
 * - A clock that is set forward while we run begins a new one, and when it is set forward again it takes the count along.
 *   Once for each start: a gateway without a battery clock that is off at night learns the date anew every morning.
 * - A clock that is plainly wrong, of a gateway without a battery clock, says nothing; running time goes on.
 */
export class BudgetPeriod {
  readonly period: Period;
  readonly bytesMax: number;
  readonly #calendar: Calendar;
  readonly #clock: Clock;
  /** A clock that was set back makes a day longer than any; half as long again is more than a mended clock needs. */
  readonly #longestMs: number;
  #books: PeriodBooks = { bytes: 0, ranMs: 0 };
  /** The period began because the clock was set forward while we ran. */
  #leapt = false;
  #lookedAtMs: number;
  /** What the wall clock said then. */
  #clockedAtMs: number;
  /** What the clock showed last; it holds from one time to another. */
  #shown: { readonly name: string; readonly fromMs: number; readonly endMs: number } | undefined;
  #spentAtMs: number | undefined;

  constructor(period: Period, bytesMax: number, calendar: Calendar, clock: Clock) {
    this.period = period;
    this.bytesMax = bytesMax;
    this.#calendar = calendar;
    this.#longestMs = calendar.longestMs(period) * 1.5;
    this.#clock = clock;
    this.#lookedAtMs = clock.monotonicMs();
    this.#clockedAtMs = clock.nowMs();
  }

  open(books: PeriodBooks | undefined): void {
    this.#books = books ?? { bytes: 0, ranMs: 0 };
    this.#leapt = false;
    this.#lookedAtMs = this.#clock.monotonicMs();
    this.#clockedAtMs = this.#clock.nowMs();
    this.#spentAtMs = undefined;
    this.#look();
  }

  books(): PeriodBooks {
    this.#look();
    return this.#books;
  }

  count(bytes: number): void {
    this.#look();
    this.#books = { ...this.#books, bytes: this.#books.bytes + bytes };
    this.#look();
  }

  /** Below 0 when the last call went beyond it. */
  bytesLeft(): number {
    this.#look();
    return this.bytesMax - this.#books.bytes;
  }

  /** How long it has been used up, since the start at the most; undefined while something is left. */
  spentForMs(): number | undefined {
    this.#look();
    return this.#spentAtMs === undefined ? undefined : this.#clock.monotonicMs() - this.#spentAtMs;
  }

  /** By the clock as it is now. */
  renewsInMs(): number {
    this.#look();
    const { name, ranMs, behindSinceMs } = this.#books;
    const nowMs = this.#clock.nowMs();
    const shown = this.#shown;
    const byDateMs = shown !== undefined && shown.name === name ? shown.endMs - nowMs : Infinity;
    const byClockMs = behindSinceMs === undefined ? Infinity : behindSinceMs + this.#longestMs - nowMs;
    return Math.max(1, Math.min(byDateMs, byClockMs, this.#longestMs - ranMs));
  }

  #look(): void {
    const monotonicMs = this.#clock.monotonicMs();
    const nowMs = this.#clock.nowMs();
    const passedMs = monotonicMs - this.#lookedAtMs;
    const leaps = nowMs - this.#clockedAtMs - passedMs > leapMs;
    [this.#lookedAtMs, this.#clockedAtMs] = [monotonicMs, nowMs];
    this.#books = this.#moved({ ...this.#books, ranMs: this.#books.ranMs + passedMs }, leaps);
    if (this.#books.bytes < this.bytesMax) this.#spentAtMs = undefined;
    else this.#spentAtMs ??= monotonicMs;
  }

  #moved({ name, bytes, ranMs, behindSinceMs }: PeriodBooks, leaps: boolean): PeriodBooks {
    const nowMs = this.#clock.nowMs();
    const shown = this.#nameNow(nowMs) ?? name;
    const named = shown === undefined ? {} : { name: shown };
    if (ranMs >= this.#longestMs) return this.#renewed(named);
    if (shown === undefined || name === undefined || shown === name) {
      return { ...named, bytes, ranMs };
    }
    if (shown < name) {
      // It may have been set back further; and what it leaps it has not gone on.
      const sinceMs = leaps ? nowMs : Math.min(behindSinceMs ?? nowMs, nowMs);
      if (nowMs - sinceMs >= this.#longestMs) return this.#renewed({ name: shown });
      return { name, bytes, ranMs, behindSinceMs: sinceMs };
    }
    if (!leaps) return this.#renewed({ name: shown });
    const counted = this.#leapt ? { bytes, ranMs } : nothing;
    this.#leapt = true;
    return { name: shown, ...counted };
  }

  #renewed(named: Pick<PeriodBooks, "name">): PeriodBooks {
    this.#leapt = false;
    return { ...named, ...nothing };
  }

  #nameNow(nowMs: number): string | undefined {
    if (nowMs < captureLimits.clockPlausibleFromMs) {
      this.#shown = undefined;
    } else if (this.#shown === undefined || nowMs < this.#shown.fromMs || nowMs >= this.#shown.endMs) {
      const name = this.#calendar.nameOf(this.period, nowMs);
      this.#shown = { name, fromMs: nowMs, endMs: this.#calendar.endMs(this.period, nowMs) };
    }
    return this.#shown?.name;
  }
}
