import { linkLimits } from "../../core/deliver-limits.ts";
import { httpStatusError, type HttpAnswer, type StatusContext } from "../../link/http-status.ts";
import { isWebPage, jsonOf, notThePlatform, refusalError } from "../platform-answer.ts";

/**
 * Throws unless IoT.own did what was asked. Success is status 200 and nothing else: the vendor's own client treats 201
 * as a failure. The body is not needed for success (that client does not look at it, and servers have sent none, bare
 * strings and broken JSON), but two bodies speak against it: a web page, which is another server's, and an `errorCode`.
 */
export function requireSuccess(answer: HttpAnswer, context: StatusContext): void {
  if (answer.status !== 200) throw refusalError(answer, context);
  if (isWebPage(answer)) throw notThePlatform(answer, context);
  const errorCode = errorCodeOf(answer.body);
  // The manual repeats the status there; 0 was the legacy API's success.
  if (errorCode === undefined || errorCode === 200 || errorCode === 0) return;
  const failed = errorCode >= 400 && errorCode < 600 && Number.isInteger(errorCode);
  throw httpStatusError({ ...answer, status: failed ? errorCode : answer.status }, context);
}

function errorCodeOf(body: Buffer): number | undefined {
  if (body.length > linkLimits.parsedAnswerBytesMax) return openingErrorCode(body);
  const answer = jsonOf(body);
  if (typeof answer !== "object" || answer === null || !("errorCode" in answer)) return undefined;
  return typeof answer.errorCode === "number" ? answer.errorCode : undefined;
}

/** Of an answer too large to parse: the platform's refusals begin with it. */
function openingErrorCode(body: Buffer): number | undefined {
  const opening = /^\s*\{\s*"errorCode"\s*:\s*(-?\d{1,6})\b/.exec(body.toString("latin1", 0, 256));
  return opening?.[1] === undefined ? undefined : Number(opening[1]);
}
