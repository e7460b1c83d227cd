import { InvalidArgumentError } from "commander";
import type { OperationOption } from "../platform.ts";

/** What options of IoT.own's operations have in common. */

export const outputOption: OperationOption = {
  flags: "--output <file>",
  description: "file to write",
  required: true,
};

export const fromOption: OperationOption = {
  flags: "--from <time>",
  description: "not before, for example 2026-03-05T10:00:00Z",
  parse: utcTime,
};

export const toOption: OperationOption = { flags: "--to <time>", description: "not after", parse: utcTime };

export const sessionOption: OperationOption = {
  flags: "--without-lorawan-session",
  description: "leave out the LoRaWAN session of each node",
};

/** Given options alone, under the client's own names. */
export function textsOf<Name extends string>(
  options: Readonly<Record<string, unknown>>,
  names: readonly Name[],
): Readonly<Partial<Record<Name, string>>> {
  const given = names.flatMap((name) => {
    const value = options[name];
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  return Object.fromEntries(given) as Partial<Record<Name, string>>;
}

export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("it is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError("expected a JSON object");
  }
  return value as Readonly<Record<string, unknown>>;
}

/** A time without a zone would be read as this machine's, which the platform knows nothing of. */
export function utcTime(text: string): string {
  const isWhole = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const ms = isWhole ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError("expected a date, or a time such as 2026-03-05T10:00:00Z");
  return new Date(ms).toISOString();
}
