import type { AgentError } from "../core/errors.ts";
import { stateLimits } from "../core/limits.ts";
import { StateFile } from "../state/state-file.ts";
import type { PeriodBooks } from "./budget-period.ts";

/** What uploads have sent of a day and of a month, for the next start. */
export interface UsageBooks {
  readonly day?: PeriodBooks;
  readonly month?: PeriodBooks;
}

/**
 * `state/upload-usage.json`. Fails as `StateFile.open` does, but one that cannot be read begins anew: a day's bytes that are
 * sent twice are less than a device that does nothing any more.
 */
export async function openUsageBooks(
  path: string,
  onSetAside: (error: AgentError) => void,
): Promise<StateFile<UsageBooks>> {
  return StateFile.open<UsageBooks>({
    path,
    version: 1,
    bytesMax: stateLimits.usageBytesMax,
    parse: usageOf,
    initial: () => ({}),
    onSetAside,
  });
}

function usageOf(value: unknown): UsageBooks {
  const { day, month } = objectOf(value);
  return {
    ...(day === undefined ? {} : { day: periodOf(day) }),
    ...(month === undefined ? {} : { month: periodOf(month) }),
  };
}

function periodOf(value: unknown): PeriodBooks {
  const { name, bytes, ranMs, behindSinceMs } = objectOf(value);
  if (name !== undefined && (typeof name !== "string" || !/^\d{4,6}-\d\d(-\d\d)?$/.test(name))) {
    throw new Error("a day or month is none");
  }
  return {
    ...(name === undefined ? {} : { name }),
    bytes: figureOf(bytes),
    ranMs: figureOf(ranMs),
    ...(behindSinceMs === undefined ? {} : { behindSinceMs: figureOf(behindSinceMs) }),
  };
}

function figureOf(value: unknown): number {
  if (typeof value !== "number" || !(value >= 0)) throw new Error("a figure is none");
  return value;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new Error("it says nothing of what was sent");
  return value as Readonly<Record<string, unknown>>;
}
