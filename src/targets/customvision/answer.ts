import { AgentError } from "../../core/errors.ts";
import { linkLimits } from "../../core/deliver-limits.ts";
import type { HttpAnswer, StatusContext } from "../../link/http-status.ts";
import { isWebPage, jsonAnswer, jsonOf, notThePlatform, refusalError, unexpectedAnswer } from "../platform-answer.ts";
import type { ApiVersion } from "./models.ts";
import { UnexpectedShape, withSmallKeys } from "./parse.ts";

/** What a refusal of the service says beside its status, for example `BadRequestTagNameNotUnique`. */
export function platformCodeOf(error: AgentError): string | undefined {
  const code = error.facts["platformCode"];
  return typeof code === "string" ? code : undefined;
}

/** Throws unless the status is one of those that the operation documents as success. */
export function requireAnswer(answer: HttpAnswer, context: StatusContext, statuses: readonly number[]): void {
  if (!statuses.includes(answer.status)) throw refusal(answer, context);
  if (isWebPage(answer)) throw notThePlatform(answer, context);
}

/** The parsed body of a success. */
export function parsedAnswer<T>(
  answer: HttpAnswer,
  context: StatusContext,
  { version, statuses, parse }: { version: ApiVersion; statuses: readonly number[]; parse: (value: unknown) => T },
): T {
  requireAnswer(answer, context, statuses);
  const value = jsonAnswer(answer, context, statuses);
  try {
    return parse(version === "v1.2" ? withSmallKeys(value) : value);
  } catch (error) {
    if (!(error instanceof UnexpectedShape)) throw error;
    throw unexpectedAnswer(error.message, answer, context);
  }
}

function refusal(answer: HttpAnswer, context: StatusContext): AgentError {
  const error = refusalError(answer, context);
  const platformCode = spokenCode(answer.body);
  if (platformCode === undefined || context.secrets?.includes(platformCode) === true) return error;
  const { disposition, afterMs, facts } = error;
  const wait = afterMs === undefined ? {} : { afterMs };
  return new AgentError(error.code, error.message, { disposition, ...wait, facts: { ...facts, platformCode } });
}

/**
 * Three shapes are known: the service's own `{code,message}`, the gateway's `{error:{code,message}}`, and
 * `{statusCode,message}`, which says no more than the status does.
 */
function spokenCode(body: Buffer): string | undefined {
  if (body.length > linkLimits.parsedAnswerBytesMax) return undefined;
  const value = withSmallKeys(jsonOf(body));
  const code = fieldOf(value, "code") ?? fieldOf(fieldOf(value, "error"), "code");
  return typeof code === "string" && /^[A-Za-z][A-Za-z0-9]{0,63}$/.test(code) ? code : undefined;
}

function fieldOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}
