import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.ts";
import type { LogFields, Logger, Random } from "../../src/core/ports.ts";

/** A clock whose sleep advances time and returns at once, so that no test waits. */
export class SimulatedClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    this.#monotonicMs += ms;
  }

  /** The wall clock alone, as a time source sets it. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.advance(ms);
    await setImmediate(undefined, { signal });
  }
}

/** mulberry32: small, seedable, good enough to spread test cases. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface LoggedLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly event: string;
  readonly fields: LogFields;
}

/** Keeps what is logged, for tests that assert on it. */
export class RecordingLogger implements Logger {
  readonly lines: LoggedLine[];
  readonly #bound: LogFields;

  constructor(lines: LoggedLine[] = [], bound: LogFields = {}) {
    this.lines = lines;
    this.#bound = bound;
  }

  debug(event: string, fields: LogFields = {}): void {
    this.#keep("debug", event, fields);
  }

  info(event: string, fields: LogFields = {}): void {
    this.#keep("info", event, fields);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.#keep("warn", event, fields);
  }

  error(event: string, fields: LogFields = {}): void {
    this.#keep("error", event, fields);
  }

  child(fields: LogFields): Logger {
    return new RecordingLogger(this.lines, { ...this.#bound, ...fields });
  }

  redacted(text: string): string {
    return text;
  }

  #keep(level: LoggedLine["level"], event: string, fields: LogFields): void {
    this.lines.push({ level, event, fields: { ...this.#bound, ...fields } });
  }
}
