/**
 * Turns whatever is handed to the logger into plain, small, masked values. Everything goes through here: an error's
 * own fields and foreign objects (a request, a response, a socket) are where tokens and pictures reach a log by accident.
 */
import { AgentError } from "../core/errors.ts";
import { logLimits } from "../core/limits.ts";
import { mask } from "../core/mask.ts";
import type { Masker } from "./masker.ts";

/** Fields whose value is secret whatever it is, for objects that no schema describes. */
const secretKey =
  /^(.*[-_])?(authorization|cookie|set-cookie|token|(access|refresh|id|api)[-_]?token|password|passwd|passphrase|secret|client[-_]?secret|api[-_]?key|(training|prediction|private|access)[-_]?key|x-api-key)$/i;

/** What pino writes itself; a field of the same name would make the line ambiguous. */
const reservedKeys = new Set(["level", "time", "event"]);

interface Budget {
  valuesLeft: number;
}

export function serializeFields(
  fields: Readonly<Record<string, unknown>>,
  masker: Masker,
): Readonly<Record<string, unknown>> {
  const entries = entriesOf(fields, masker, 0, { valuesLeft: logLimits.valuesMax });
  return Object.fromEntries(entries.map(([key, value]) => [reservedKeys.has(key) ? `${key}_` : key, value]));
}

function serialize(value: unknown, masker: Masker, depth: number, budget: Budget): unknown {
  budget.valuesLeft -= 1;
  switch (typeof value) {
    case "string":
      return masker(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
    case "undefined":
      return value;
    case "bigint":
      return String(value);
    case "object":
      return value === null ? null : serializeObject(value, masker, depth, budget);
    case "function":
    case "symbol":
      return `[${typeof value}]`;
  }
}

function serializeObject(value: object, masker: Masker, depth: number, budget: Budget): unknown {
  try {
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `<${value.byteLength} bytes>`;
    if (value instanceof Error) return serializeError(value, masker);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "invalid date" : value.toISOString();
    if (value instanceof URL) return masker(value.href);
    if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`;
    if (depth >= logLimits.depthMax) return "[deeper]";
    if (Array.isArray(value)) return serializeArray(value, masker, depth, budget);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null || prototype === Object.prototype) {
      return Object.fromEntries(entriesOf(value, masker, depth, budget));
    }
    return `[${masker(value.constructor.name)}]`;
  } catch {
    // A getter or a proxy that throws must not cost the log line.
    return "[unreadable]";
  }
}

function serializeArray(items: readonly unknown[], masker: Masker, depth: number, budget: Budget): readonly unknown[] {
  const shown: unknown[] = [];
  for (const item of items) {
    if (budget.valuesLeft <= 0) return [...shown, `… ${items.length - shown.length} more`];
    shown.push(serialize(item, masker, depth + 1, budget));
  }
  return shown;
}

function entriesOf(value: object, masker: Masker, depth: number, budget: Budget): readonly [string, unknown][] {
  const shown: [string, unknown][] = [];
  const keys = Object.keys(value);
  for (const key of keys) {
    if (budget.valuesLeft <= 0) return [...shown, ["…", `${keys.length - shown.length} more`]];
    const item = (value as Readonly<Record<string, unknown>>)[key];
    const hidden = secretKey.test(key) && item !== undefined && item !== null && typeof item !== "boolean";
    shown.push([masker(key), hidden ? mask : serialize(item, masker, depth + 1, budget)]);
  }
  return shown;
}

/** Never the error's other fields: an AxiosError carries the request's headers and its whole body. */
function serializeError(error: Error, masker: Masker): unknown {
  const agentError = error instanceof AgentError ? error : undefined;
  return {
    name: masker(error.name),
    ...codeOf(error, masker),
    ...(agentError === undefined ? {} : { disposition: agentError.disposition }),
    message: masker(error.message),
    ...(agentError === undefined || Object.keys(agentError.facts).length === 0
      ? {}
      : { facts: serializeFields(agentError.facts, masker) }),
    ...causesOf(error, masker),
    ...stackOf(error, masker),
  };
}

function causesOf(error: Error, masker: Masker): { readonly causes?: readonly unknown[] } {
  const causes: unknown[] = [];
  let cause = error.cause;
  while (cause !== undefined && cause !== null && causes.length < logLimits.causesMax) {
    causes.push({
      ...(cause instanceof Error ? codeOf(cause, masker) : {}),
      message: masker(cause instanceof Error ? cause.message : typeof cause === "string" ? cause : typeof cause),
    });
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes.length === 0 ? {} : { causes };
}

function codeOf(error: Error, masker: Masker): { readonly code?: string | number } {
  if (!("code" in error)) return {};
  if (typeof error.code === "number") return { code: error.code };
  return typeof error.code === "string" ? { code: masker(error.code) } : {};
}

/** Frames only: the head of a stack repeats the message. */
function stackOf(error: Error, masker: Masker): { readonly stack?: string } {
  if (typeof error.stack !== "string") return {};
  const frames = error.stack.split("\n").filter((line) => /^\s+at /.test(line));
  if (frames.length === 0) return {};
  const shown = frames.slice(0, logLimits.stackLines).map((line) => line.trim());
  return { stack: masker(shown.join("\n")) };
}
