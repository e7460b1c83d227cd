import type { Clock } from "../core/clock.ts";

/** Of what was at this time of the wall clock; `name` stays the same from look to look. */
export type AgeOf = (name: string, atMs: number | undefined) => number | undefined;

/**
 * How long ago something was, for what notes the wall clock's time of it. That clock may be set at any moment, on a
 * gateway without a battery by decades: so an age grows with the monotonic clock from where it was first seen, and began no
 * earlier than the look before.
 */
export class Ages {
  readonly #clock: Clock;
  readonly #seen = new Map<string, { readonly atMs: number; readonly ageMs: number; readonly seenMs: number }>();
  readonly #startMs: number;
  #lookMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
    this.#lookMs = this.#startMs;
  }

  /** Once for each look at everything. */
  look(): AgeOf {
    const [nowMs, monotonicMs] = [this.#clock.nowMs(), this.#clock.monotonicMs()];
    const sinceLookMs = monotonicMs - this.#lookMs;
    this.#lookMs = monotonicMs;
    return (name, atMs) => {
      if (atMs === undefined) return undefined;
      const known = this.#seen.get(name);
      if (known?.atMs === atMs) return Math.round(known.ageMs + monotonicMs - known.seenMs);
      // What nobody has asked for before may be as old as this process.
      const oldestMs = known === undefined ? monotonicMs - this.#startMs : sinceLookMs;
      const ageMs = Math.min(Math.max(0, nowMs - atMs), oldestMs);
      this.#seen.set(name, { atMs, ageMs, seenMs: monotonicMs });
      return Math.round(ageMs);
    };
  }
}
