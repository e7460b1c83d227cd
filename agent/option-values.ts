import { InvalidArgumentError } from "commander";
import { visionLimits } from "../src/core/vision-limits.ts";

/** What options of the command line may hold. */

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("expected a whole number of at least 1");
  return value;
}

export function portNumber(text: string): number {
  const value = positiveInteger(text);
  if (value > 65_535) throw new InvalidArgumentError("expected a port from 1 to 65535");
  return value;
}

export function score(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0 || value > 1)
    throw new InvalidArgumentError("expected a number from 0 to 1");
  return value;
}

/** `COLUMNSxROWS`. */
export function tileGrid(text: string): { readonly columns: number; readonly rows: number } {
  const [columns = 0, rows = 0] = (/^([1-9])x([1-9])$/.exec(text) ?? []).slice(1).map(Number);
  const { tilesMax } = visionLimits;
  if (columns * rows === 0 || Math.max(columns, rows) > tilesMax) {
    throw new InvalidArgumentError(`expected columns and rows such as 2x2 or 3x2, at most ${tilesMax} each`);
  }
  return { columns, rows };
}

/** Up to a minute: the time that a person waits for an answer. */
export function durationMs(text: string): number {
  const [, amount, unit] = /^(\d{1,5}(?:\.\d{1,3})?)(ms|s)$/.exec(text) ?? [];
  const ms = Number(amount) * (unit === "s" ? 1_000 : 1);
  if (!(ms > 0 && ms <= 60_000)) throw new InvalidArgumentError("expected a duration such as 500ms or 5s, at most 60s");
  return ms;
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text === "" || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError("expected a whole number");
  return value;
}

/** Above 0, up to 100. */
export function percentage(text: string): number {
  const value = Number(text.replace(/%$/, ""));
  if (!(value > 0 && value <= 100)) throw new InvalidArgumentError("expected a percentage above 0, at most 100");
  return value;
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** For what happens far away, as in the config: up to a week. */
export function waitMs(text: string): number {
  const [, amount, unit = ""] = /^(\d{1,7}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Math.round(Number(amount) * (unitsMs[unit] ?? 1));
  if (!(ms > 0 && ms <= 7 * 86_400_000)) {
    throw new InvalidArgumentError("expected a duration such as 500ms, 30s, 5m or 1h, at most 7d");
  }
  return ms;
}

/** Of an option that may be given several times. */
export function collected(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}
