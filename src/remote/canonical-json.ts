import { createHash } from "node:crypto";
import { AgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/remote-limits.ts";

/**
 * One text for one JSON value, whoever wrote it: the JSON Canonicalization Scheme (RFC 8785). No spaces, the members of
 * an object by the UTF-16 units of their names, strings and numbers as ECMAScript writes them.
 *
 * What two readers could understand differently is refused instead (`JSON_FORM`): integers beyond 2^53 - 1, numbers too
 * large for a double, halves of surrogate pairs, and what lies deeper than `jsonDepthMax`.
 */
export function canonicalJson(value: unknown): string {
  return written(value, 0);
}

/** Of what two writers may have written in two ways. 132 bits, in base64url. */
export function digestOf(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("base64url").slice(0, 22);
}

function written(value: unknown, depth: number): string {
  if (typeof value === "number") return writtenNumber(value);
  if (typeof value === "string") return writtenString(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value !== "object") throw misfit(`a ${typeof value}, which is no JSON`);
  if (depth === remoteLimits.jsonDepthMax) throw misfit(`values more than ${remoteLimits.jsonDepthMax} deep`);
  if (Array.isArray(value)) return `[${value.map((each) => written(each, depth + 1)).join(",")}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${writtenString(name)}:${written(member, depth + 1)}`);
  return `{${members.join(",")}}`;
}

function writtenNumber(value: number): string {
  const isExact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  if (!isExact) throw misfit("a number that is not the same for every reader; write it as a string");
  return JSON.stringify(value);
}

function writtenString(value: string): string {
  if (/\p{Surrogate}/u.test(value)) throw misfit("half of a surrogate pair");
  return JSON.stringify(value);
}

function misfit(what: string): AgentError {
  return new AgentError("JSON_FORM", `writing canonical JSON: there is ${what}`, { disposition: "reject" });
}
