import { logLimits } from "../core/limits.ts";
import type { LogFields } from "../core/ports.ts";

export interface Line {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly event: string;
  /** Serialised and masked. */
  readonly fields: LogFields;
}

interface Trouble {
  readonly untilMs: number;
  last: Line;
  repeated: number;
}

/** How long something took or how large it was makes no other trouble of it. */
const amounts = /\d+(\.\d+)?(?= ?(ms|s|min|h|days?|bytes|[KMG]?B|%)(?![\w]))/g;

/** Numbers that name something. All other ones count or measure. */
const numericNames: ReadonlySet<string> = new Set(["sequence"]);

/**
 * The same trouble again, within a while, is counted instead of written: same event, code, names and text. The next line
 * about it, or, where there is none, the last one that was kept back, says how many there were.
 */
export class Repeats {
  /** In the order in which their time is over. */
  readonly #troubles = new Map<string, Trouble>();

  /** What is to be written instead of this line, in this order: other troubles whose time is over, and maybe the line. */
  pass(line: Line, nowMs: number): readonly Line[] {
    if (line.level !== "warn" && line.level !== "error") return [...this.due(nowMs), line];
    const key = keyOf(line);
    const known = this.#troubles.get(key);
    if (known !== undefined && nowMs < known.untilMs) {
      known.repeated += 1;
      known.last = line;
      return this.due(nowMs);
    }
    this.#troubles.delete(key);
    const shown = known === undefined ? line : told({ ...known, last: line });
    const before = this.due(nowMs, logLimits.troublesMax - 1);
    this.#troubles.set(key, { untilMs: nowMs + logLimits.repeatMs, last: line, repeated: 0 });
    return [...before, shown];
  }

  /** What was kept back of troubles whose time is over, and of the oldest beyond so many. */
  due(nowMs: number, troublesMax: number = logLimits.troublesMax): readonly Line[] {
    const lines: Line[] = [];
    for (const [key, trouble] of this.#troubles) {
      if (nowMs < trouble.untilMs && this.#troubles.size <= troublesMax) break;
      this.#troubles.delete(key);
      if (trouble.repeated > 0) lines.push(told(trouble));
    }
    return lines;
  }
}

function told({ last, repeated }: Pick<Trouble, "last" | "repeated">): Line {
  return repeated === 0 ? last : { ...last, fields: { ...last.fields, repeated } };
}

function keyOf({ level, event, fields }: Line): string {
  const names = Object.entries(fields).flatMap(([name, value]) => namesIn(name, value));
  return JSON.stringify([level, event, ...names]);
}

function namesIn(name: string, value: unknown): readonly unknown[] {
  if (typeof value === "string") return [name, value.replaceAll(amounts, "#")];
  if (typeof value === "number") return numericNames.has(name) ? [name, value] : [];
  // An error, as it was serialised.
  if (typeof value !== "object" || value === null || !("message" in value)) return [];
  const { code, message } = value as Readonly<Record<string, unknown>>;
  return [name, code, ...namesIn(name, message)];
}
