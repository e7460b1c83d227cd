import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.ts";

/** Waits of up to this keep their order to what disks, networks and processes take, which are no faster than ever. */
const graceMs = 60_000;
const graceHurry = 10;

/** Where all processes of one soak begin to count, so that their clocks go on over every end. */
export interface SoakOrigin {
  readonly wallMs: number;
  /** Of the kernel. */
  readonly monotonicMs: number;
}

export function soakOrigin(wallMs: number): SoakOrigin {
  return { wallMs, monotonicMs: kernelMs() };
}

/**
 * A clock on which weeks pass in half an hour: schedules, budgets and ages are `hurry` times as fast. Waits of up to a
 * minute are a tenth of theirs, and longer ones never shorter than 6 s, until they are by the clock itself: a back-off and
 * a deadline then still outlast what they wait for. `offsetFile` holds how far somebody has set the wall clock.
 */
export class SoakClock implements Clock {
  readonly #hurry: number;
  readonly #origin: SoakOrigin;
  readonly #offsetFile: string | undefined;
  #offsetMs = 0;

  constructor(hurry: number, origin: SoakOrigin, offsetFile?: string) {
    this.#hurry = hurry;
    this.#origin = origin;
    this.#offsetFile = offsetFile;
    this.readOffset();
  }

  readOffset(): void {
    if (this.#offsetFile === undefined) return;
    try {
      this.#offsetMs = Number(readFileSync(this.#offsetFile, "utf8"));
    } catch {
      this.#offsetMs = 0;
    }
  }

  nowMs(): number {
    return this.#origin.wallMs + this.monotonicMs() + this.#offsetMs;
  }

  monotonicMs(): number {
    return (kernelMs() - this.#origin.monotonicMs) * this.#hurry;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    const realMs = Math.max(ms / this.#hurry, Math.min(ms, graceMs) / graceHurry);
    // A timer of Node's takes 31 bits.
    await delay(Math.min(realMs, 2 ** 31 - 1), undefined, { signal });
  }
}

function kernelMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
