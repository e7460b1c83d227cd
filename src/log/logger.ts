/** The only home of pino: one JSON line an event, on stderr, with every field serialised and masked by ourselves. */
import { pino } from "pino";
import type { Logger as Pino } from "pino";
import type { Clock } from "../core/clock.ts";
import { logLimits } from "../core/limits.ts";
import type { LogFields, Logger } from "../core/ports.ts";
import { createMasker } from "./masker.ts";
import type { Masker } from "./masker.ts";
import { type Line, Repeats } from "./repeats.ts";
import type { LogRing } from "./ring.ts";
import { serializeFields } from "./serialize.ts";
import { Volume } from "./volume.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export interface LogDestination {
  /** Gets one whole line at a time. */
  write(line: string): unknown;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** stderr when left out. */
  readonly destination?: LogDestination;
  /** Masked wherever they appear, also encoded. Those under four characters are not. */
  readonly secrets: readonly string[];
  /** Prefix each line with the level that journald reads, `<3>` to `<7>`: right when JOURNAL_STREAM is set. */
  readonly journald: boolean;
  /** Keeps the last lines too. */
  readonly ring?: LogRing;
  /**
   * Of a log that is written for years: the same trouble again is counted, and lines beyond so many a minute are left out
   * and counted. Not at the level `debug`, where somebody looks. Without a clock every line is written.
   */
  readonly clock?: Pick<Clock, "monotonicMs">;
}

/** For as long as the process lives. */
export interface LogControl {
  level(): LogLevel;
  setLevel(level: LogLevel): void;
  /** Says now what was counted and left out so far: before the process ends. */
  sayCounted(): void;
}

export function createLogger(options: LoggerOptions): Logger {
  return createControlledLogger(options).log;
}

export function createControlledLogger(options: LoggerOptions): {
  readonly log: Logger;
  readonly control: LogControl;
} {
  // Written at once: a daemon that ends by a crash must not take its last lines with it, so there is nothing to flush.
  const destination = remembered(options.destination ?? standardError(), options.ring);
  const root = pino(
    {
      level: options.level,
      base: null,
      messageKey: "event",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {},
    },
    options.journald ? withJournaldLevel(destination) : destination,
  );
  const level = () => root.level as LogLevel;
  const setLevel = (to: LogLevel) => void (root.level = to);
  const writer = new Writer(root, options.clock);
  const control = { level, setLevel, sayCounted: () => writer.sayCounted() };
  return { log: new MaskingLogger(writer, createMasker(options.secrets), {}), control };
}

/** Of all loggers of one process: which lines are written. */
class Writer {
  readonly #pino: Pino;
  readonly #clock: LoggerOptions["clock"];
  readonly #repeats = new Repeats();
  readonly #volume = new Volume();

  constructor(root: Pino, clock: LoggerOptions["clock"]) {
    this.#pino = root;
    this.#clock = clock;
  }

  isEnabled(level: Line["level"]): boolean {
    return this.#pino.isLevelEnabled(level);
  }

  write(line: Line): void {
    if (this.#clock === undefined || this.#pino.level === "debug") {
      this.#put(line);
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    for (const passed of this.#repeats.pass(line, nowMs)) this.#putBounded(passed, nowMs);
  }

  sayCounted(): void {
    for (const line of this.#repeats.due(Infinity)) this.#put(line);
    const leftOut = this.#volume.leftOut(Infinity);
    if (leftOut !== undefined) this.#put(leftOut);
  }

  #putBounded(line: Line, nowMs: number): void {
    const leftOut = this.#volume.leftOut(nowMs);
    if (leftOut !== undefined) this.#put(leftOut);
    if (this.#volume.allows(line, nowMs)) this.#put(line);
  }

  #put({ level, event, fields }: Line): void {
    this.#pino[level](fields, event);
  }
}

/** What cannot be written, as on a disk that is full, is kept for a while and then dropped. It ends nothing. */
function standardError(): LogDestination {
  const stream = pino.destination({ fd: 2, sync: true, maxLength: logLimits.unwrittenCharsMax });
  const write = stream.write.bind(stream);
  // pino gives up a pipe for good that nobody reads for a moment, as while journald is started anew.
  stream.on("error", () => void (stream.write = write));
  return stream;
}

function remembered(destination: LogDestination, ring: LogRing | undefined): LogDestination {
  if (ring === undefined) return destination;
  return {
    write(line) {
      ring.add(line);
      return destination.write(line);
    },
  };
}

class MaskingLogger implements Logger {
  readonly #writer: Writer;
  readonly #masker: Masker;
  readonly #bound: LogFields;

  constructor(writer: Writer, masker: Masker, bound: LogFields) {
    this.#writer = writer;
    this.#masker = masker;
    this.#bound = bound;
  }

  debug(event: string, fields?: LogFields): void {
    this.#write("debug", event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.#write("info", event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.#write("warn", event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#write("error", event, fields);
  }

  child(fields: LogFields): Logger {
    return new MaskingLogger(this.#writer, this.#masker, { ...this.#bound, ...serializeFields(fields, this.#masker) });
  }

  redacted(text: string): string {
    return this.#masker(text);
  }

  #write(level: Line["level"], event: string, fields: LogFields = {}): void {
    if (!this.#writer.isEnabled(level)) return;
    const shown = { ...this.#bound, ...serializeFields(fields, this.#masker) };
    this.#writer.write({ level, event: this.#masker(event), fields: shown });
  }
}

const journaldLevels: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };

/** pino sets `lastLevel` on a destination that carries its metadata symbol, before each write. */
function withJournaldLevel(destination: LogDestination): LogDestination & { lastLevel: number } {
  return {
    lastLevel: 30,
    [Symbol.for("pino.metadata")]: true,
    write(line: string): void {
      destination.write(`<${journaldLevels[this.lastLevel] ?? 6}>${line}`);
    },
  };
}
