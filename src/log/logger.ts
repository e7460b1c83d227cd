/** The only home of pino: one JSON line an event, on stderr, with every field serialised and masked by ourselves. */
import { pino } from "pino";
import type { Logger as Pino } from "pino";
import type { LogFields, Logger } from "../core/ports.ts";
import { createMasker } from "./masker.ts";
import type { Masker } from "./masker.ts";
import type { LogRing } from "./ring.ts";
import { serializeFields } from "./serialize.ts";

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
}

/** For as long as the process lives. */
export interface LogControl {
  level(): LogLevel;
  setLevel(level: LogLevel): void;
}

export function createLogger(options: LoggerOptions): Logger {
  return createControlledLogger(options).log;
}

export function createControlledLogger(options: LoggerOptions): {
  readonly log: Logger;
  readonly control: LogControl;
} {
  // Written at once: a daemon that ends by a crash must not take its last lines with it, so there is nothing to flush.
  const destination = remembered(options.destination ?? pino.destination({ fd: 2, sync: true }), options.ring);
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
  return { log: new MaskingLogger(root, createMasker(options.secrets), {}), control: { level, setLevel } };
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
  readonly #pino: Pino;
  readonly #masker: Masker;
  readonly #bound: LogFields;

  constructor(root: Pino, masker: Masker, bound: LogFields) {
    this.#pino = root;
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
    return new MaskingLogger(this.#pino, this.#masker, { ...this.#bound, ...serializeFields(fields, this.#masker) });
  }

  redacted(text: string): string {
    return this.#masker(text);
  }

  #write(level: Exclude<LogLevel, "silent">, event: string, fields: LogFields = {}): void {
    if (!this.#pino.isLevelEnabled(level)) return;
    this.#pino[level]({ ...this.#bound, ...serializeFields(fields, this.#masker) }, this.#masker(event));
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
