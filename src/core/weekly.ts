/**
 * Windows of the week in local time. What counts is the local time at the moment of each look, asked of Intl and never
 * reckoned by adding 24 hours: where the clock is set forward a window of the skipped hour does not open, or opens at
 * the hour's end; where it is set back a window of the doubled hour opens twice.
 */

export const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof weekdays)[number];

export interface WeeklyWindow {
  /** On which it begins; every day when absent. */
  readonly days?: readonly Weekday[] | undefined;
  /** `HH:MM`, `00:00` to `23:59`. */
  readonly from: string;
  /** `HH:MM`, exclusive, up to `24:00`. Not after `from`: the window ends on the day after. */
  readonly to: string;
}

export interface WeeklyPlan {
  /** Of the tz database; the machine's own when absent. */
  readonly timeZone?: string | undefined;
  readonly windows: readonly WeeklyWindow[];
}

const minuteMs = 60_000;
const dayMinutes = 24 * 60;
/** Offsets from UTC change only at quarters of an hour of UTC. */
const stretchMs = 15 * minuteMs;
/** A window that opens once a week, and is skipped once by a clock set forward. */
const searchedMs = 15 * 24 * 60 * minuteMs;

interface Window {
  readonly days: ReadonlySet<number>;
  readonly fromMinute: number;
  readonly toMinute: number;
}

export class Weekly {
  readonly #windows: readonly Window[];
  readonly #local: Intl.DateTimeFormat;

  /** Fails with a RangeError on a time zone that this runtime does not know. */
  constructor({ timeZone, windows }: WeeklyPlan) {
    this.#windows = windows.map(({ days, from, to }) => ({
      days: new Set((days ?? weekdays).map((day) => weekdays.indexOf(day))),
      fromMinute: minuteOf(from),
      toMinute: minuteOf(to),
    }));
    // English alone is in every build of the runtime, and all time zones are.
    this.#local = new Intl.DateTimeFormat("en-US", {
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      ...(timeZone === undefined ? {} : { timeZone }),
    });
  }

  isOpen(atMs: number): boolean {
    const { day, minute } = this.#localOf(atMs);
    return this.#isOpenAt(day, minute);
  }

  /** The first moment from `afterMs` on at which it is open; undefined where that is never, or not within two weeks. */
  opensAtMs(afterMs: number): number | undefined {
    if (this.isOpen(afterMs)) return afterMs;
    const firstMinuteMs = Math.floor(afterMs / minuteMs + 1) * minuteMs;
    const endMs = afterMs + searchedMs;
    for (let atMs = firstMinuteMs; atMs < endMs; atMs = Math.floor(atMs / stretchMs + 1) * stretchMs) {
      const minutes = Math.round((stretchMs - (atMs % stretchMs)) / minuteMs);
      const { day, minute } = this.#localOf(atMs);
      for (let later = 0; later < minutes; later += 1) {
        const days = Math.floor((minute + later) / dayMinutes);
        if (this.#isOpenAt((day + days) % 7, (minute + later) % dayMinutes)) return atMs + later * minuteMs;
      }
    }
    return undefined;
  }

  #isOpenAt(day: number, minute: number): boolean {
    return this.#windows.some(({ days, fromMinute, toMinute }) => {
      const began = minute >= fromMinute && days.has(day);
      if (fromMinute < toMinute) return began && minute < toMinute;
      return began || (minute < toMinute && days.has((day + 6) % 7));
    });
  }

  #localOf(atMs: number): { readonly day: number; readonly minute: number } {
    const parts = new Map(this.#local.formatToParts(atMs).map(({ type, value }) => [type, value]));
    const day = weekdays.indexOf((parts.get("weekday") ?? "").toLowerCase() as Weekday);
    return { day, minute: Number(parts.get("hour")) * 60 + Number(parts.get("minute")) };
  }
}

function minuteOf(time: string): number {
  const [hours, minutes] = time.split(":");
  return Number(hours) * 60 + Number(minutes);
}
