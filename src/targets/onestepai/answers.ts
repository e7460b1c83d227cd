import { AgentError } from "../../core/errors.ts";
import { onestepaiLimits } from "../../core/platform-limits.ts";
import type { HttpAnswer, StatusContext } from "../../link/http-status.ts";
import { jsonAnswer, jsonOf, unexpectedAnswer } from "../platform-answer.ts";
import { isObject } from "../json.ts";

/** What OneStepAI answers, read from bytes. Nothing that is not documented counts as success. */

/**
 * The JWT of a sign-in: the answer's text, or a JSON string, with white space or `Bearer` around it, since the platform's
 * pages show all of these. Undefined for anything else. No error may show it, so this one makes none.
 */
export function jwtOf(body: Buffer): string | undefined {
  if (body.length > onestepaiLimits.jwtCharsMax) return undefined;
  const text = body.toString("utf8").trim();
  const json = jsonOf(body);
  if (json !== undefined && typeof json !== "string") return undefined;
  const token = (json ?? text).trim().replace(/^Bearer(\s+|$)/i, "");
  // What RFC 6750 lets a bearer token be: no blanks, no control characters, no JSON, no page.
  return /^[A-Za-z0-9._~+/-]+=*$/.test(token) ? token : undefined;
}

/** The id of what was made, as the text that goes into later requests. */
export function idOf(answer: HttpAnswer, context: StatusContext): string {
  const value = jsonAnswer(answer, context);
  return idText(isObject(value) ? value["id"] : undefined) ?? contractChanged("no object with an id", answer, context);
}

/** The whole answer of a start is the upload's id; an object with an id is taken too. */
export function uploadIdOf(answer: HttpAnswer, context: StatusContext): string {
  const value = jsonAnswer(answer, context);
  const text = answer.body.toString("utf8").trim();
  // As it was received: as a number it would lose its last digits.
  if (/^\d{16,}$/.test(text) && text.length <= onestepaiLimits.idCharsMax) return text;
  return idText(isObject(value) ? value["id"] : value) ?? contractChanged("no id of an upload", answer, context);
}

/** In JSON a number stays one: the platform gave it as one. */
export function idInJson(id: string): string | number {
  return /^(0|[1-9]\d{0,14})$/.test(id) ? Number(id) : id;
}

function contractChanged(what: string, answer: HttpAnswer, context: StatusContext): never {
  throw unexpectedAnswer(`${what}; the platform's contract has changed`, answer, context);
}

function idText(value: unknown): string | undefined {
  // A number beyond this has lost digits already.
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? String(value) : undefined;
  const plain = typeof value === "string" && value.trim() !== "" && !/[\p{C}]/u.test(value);
  return plain && value.length <= onestepaiLimits.idCharsMax ? value : undefined;
}

/** A refusal of a step that comes before any record must not cost one. */
export function platformRefused(error: AgentError): AgentError {
  const { message, cause, facts } = error;
  return new AgentError("PLATFORM_REFUSED", message, { disposition: "fatal", cause, facts });
}
