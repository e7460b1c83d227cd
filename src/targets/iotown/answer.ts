import { AgentError } from "../../core/errors.ts";
import { linkLimits } from "../../core/limits.ts";
import { outcomeOf } from "../../core/outcome.ts";
import { answerSnippet, httpStatusError, type HttpAnswer, type StatusContext } from "../../link/http-status.ts";

/**
 * Throws unless IoT.own did what was asked. Success is status 200 and nothing else: the vendor's own client treats 201
 * as a failure. The body is not needed for success (that client does not look at it, and servers have sent none, bare
 * strings and broken JSON), but two bodies speak against it: a web page, which is another server's, and an `errorCode`.
 */
export function requireSuccess(answer: HttpAnswer, context: StatusContext): void {
  if (answer.status !== 200) throw statusError(answer, context);
  if (isWebPage(answer)) throw notThePlatform(answer, context);
  const errorCode = errorCodeOf(answer.body);
  // The manual repeats the status there; 0 was the legacy API's success.
  if (errorCode === undefined || errorCode === 200 || errorCode === 0) return;
  const failed = errorCode >= 400 && errorCode < 600 && Number.isInteger(errorCode);
  throw httpStatusError({ ...answer, status: failed ? errorCode : answer.status }, context);
}

/**
 * The platform refuses in JSON. A refusal in HTML comes from something before it, for example a web server's 400 to
 * http on its https port, and must not cost the records. A gateway's 413 is about the record all the same.
 */
function statusError(answer: HttpAnswer, context: StatusContext): AgentError {
  const error = httpStatusError(answer, context);
  const blamesRecord = outcomeOf(error).kind === "rejected" && answer.status !== 413;
  return blamesRecord && isWebPage(answer) ? notThePlatform(answer, context) : error;
}

function notThePlatform(answer: HttpAnswer, context: StatusContext): AgentError {
  const said = answerSnippet(answer, context.secrets);
  return new AgentError(
    "HTTP_NOT_THE_PLATFORM",
    `${context.attempted}: HTTP ${answer.status} with a web page, so something else answered: ${said}`,
    { disposition: "retry" },
  );
}

function isWebPage({ headers, body }: HttpAnswer): boolean {
  if (/^\s*(text\/html|application\/xhtml)/i.test(headers["content-type"] ?? "")) return true;
  return /^\s*<(!doctype|html|head|body)/i.test(body.toString("latin1", 0, 64));
}

function errorCodeOf(body: Buffer): number | undefined {
  if (body.length > linkLimits.parsedAnswerBytesMax) return openingErrorCode(body);
  const answer = parsed(body);
  if (typeof answer !== "object" || answer === null || !("errorCode" in answer)) return undefined;
  return typeof answer.errorCode === "number" ? answer.errorCode : undefined;
}

/** Of an answer too large to parse: the platform's refusals begin with it. */
function openingErrorCode(body: Buffer): number | undefined {
  const opening = /^\s*\{\s*"errorCode"\s*:\s*(-?\d{1,6})\b/.exec(body.toString("latin1", 0, 256));
  return opening?.[1] === undefined ? undefined : Number(opening[1]);
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
