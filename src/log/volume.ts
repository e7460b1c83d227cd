import { logLimits } from "../core/limits.ts";
import type { Line } from "./repeats.ts";

const minuteMs = 60_000;

/** So many lines a minute, and no more: a card wears out, and nobody reads them. Troubles have a share that no chatter takes. */
export class Volume {
  #endsMs = -Infinity;
  #written = { troubles: 0, news: 0 };
  #leftOut: Partial<Record<Line["level"], number>> = {};

  allows({ level }: Pick<Line, "level">, nowMs: number): boolean {
    if (nowMs >= this.#endsMs) [this.#endsMs, this.#written] = [nowMs + minuteMs, { troubles: 0, news: 0 }];
    const kind = level === "warn" || level === "error" ? "troubles" : "news";
    if (this.#written[kind] >= logLimits.linesPerMinuteMax[kind]) {
      this.#leftOut[level] = (this.#leftOut[level] ?? 0) + 1;
      return false;
    }
    this.#written[kind] += 1;
    return true;
  }

  /** What had to be left out of the minute before; undefined while it lasts, and where that was nothing. */
  leftOut(nowMs: number): Line | undefined {
    if (nowMs < this.#endsMs || Object.keys(this.#leftOut).length === 0) return undefined;
    const fields = { lines: this.#leftOut, linesPerMinuteMax: logLimits.linesPerMinuteMax };
    this.#leftOut = {};
    return { level: "warn", event: "log.left_out", fields };
  }
}
