/** Days and months by local time. Like `weekly.ts` it asks Intl at each moment and never adds 24 hours to anything. */

export type Period = "day" | "month";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** A day on which the clock is set back has 25 hours. */
const longestMs = { day: 25 * hourMs, month: 31 * 24 * hourMs + hourMs } as const;

export class Calendar {
  readonly #local: Intl.DateTimeFormat;

  /** The machine's own time zone when absent. Fails with a RangeError on one that this runtime does not know. */
  constructor(timeZone?: string) {
    this.#local = new Intl.DateTimeFormat("en-US", {
      ...{ calendar: "gregory", year: "numeric", month: "2-digit", day: "2-digit" },
      ...(timeZone === undefined ? {} : { timeZone }),
    });
  }

  /** `2026-11-22` or `2026-11`: of two, the later one is the greater text. */
  nameOf(period: Period, atMs: number): string {
    const parts = new Map(this.#local.formatToParts(atMs).map(({ type, value }) => [type, value]));
    const month = `${(parts.get("year") ?? "").padStart(4, "0")}-${parts.get("month") ?? ""}`;
    return period === "month" ? month : `${month}-${parts.get("day") ?? ""}`;
  }

  /** The first full minute of the next one. */
  endMs(period: Period, atMs: number): number {
    const name = this.nameOf(period, atMs);
    let within = Math.floor(atMs / minuteMs);
    let beyond = within + Math.ceil(longestMs[period] / minuteMs) + 1;
    while (beyond - within > 1) {
      const middle = Math.floor((within + beyond) / 2);
      if (this.nameOf(period, middle * minuteMs) > name) beyond = middle;
      else within = middle;
    }
    return beyond * minuteMs;
  }

  /** No day and no month is longer. */
  longestMs(period: Period): number {
    return longestMs[period];
  }
}
