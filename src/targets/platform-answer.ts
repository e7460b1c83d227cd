import { AgentError } from "../core/errors.ts";
import { outcomeOf } from "../core/outcome.ts";
import { answerSnippet, httpStatusError, type HttpAnswer, type StatusContext } from "../link/http-status.ts";

/** How answers are judged alike for all platforms over HTTP; what counts as success each platform says itself. */

/**
 * The platform refuses in JSON. A refusal in HTML comes from something before it, for example a web server's 400 to
 * http on its https port, and must not cost the records. A gateway's 413 is about the record all the same.
 */
export function refusalError(answer: HttpAnswer, context: StatusContext): AgentError {
  const error = httpStatusError(answer, context);
  const blamesRecord = outcomeOf(error).kind === "rejected" && answer.status !== 413;
  return blamesRecord && isWebPage(answer) ? notThePlatform(answer, context) : error;
}

export function notThePlatform(answer: HttpAnswer, context: StatusContext): AgentError {
  const said = answerSnippet(answer, context.secrets);
  return new AgentError(
    "HTTP_NOT_THE_PLATFORM",
    `${context.attempted}: HTTP ${answer.status} with a web page, so something else answered: ${said}`,
    { disposition: "retry" },
  );
}

/** A captive portal answers 200 to everything, and it does so with a page. */
export function isWebPage({ headers, body }: HttpAnswer): boolean {
  if (/^\s*(text\/html|application\/xhtml)/i.test(headers["content-type"] ?? "")) return true;
  return /^\s*<(!doctype|html|head|body)/i.test(body.toString("latin1", 0, 64));
}

/** The body of an answer with one of these statuses, parsed. Fails where it is a web page or no JSON. */
export function jsonAnswer(answer: HttpAnswer, context: StatusContext, statuses: readonly number[] = [200]): unknown {
  requireStatus(answer, context, statuses);
  const value = jsonOf(answer.body);
  if (value === undefined) throw unexpectedAnswer("no JSON", answer, context);
  return value;
}

/** For answers whose body says nothing. */
export function requireStatus(answer: HttpAnswer, context: StatusContext, statuses: readonly number[] = [200]): void {
  if (!statuses.includes(answer.status)) throw refusalError(answer, context);
  if (isWebPage(answer)) throw notThePlatform(answer, context);
}

/** The platform answered with success and something else than it documents: nothing may count as stored. */
export function unexpectedAnswer(what: string, answer: HttpAnswer, context: StatusContext): AgentError {
  const said = answerSnippet(answer, context.secrets);
  return new AgentError("HTTP_NOT_THE_PLATFORM", `${context.attempted}: HTTP ${answer.status} with ${what}: ${said}`, {
    disposition: "retry",
  });
}

/** The same error with what a person should do about it, by its code. */
export function explained(error: AgentError, advice: Readonly<Record<string, string>>): AgentError {
  const words = advice[error.code];
  if (words === undefined) return error;
  const { code, message, disposition, facts } = error;
  return new AgentError(code, `${message} (${words})`, { disposition, facts });
}

/** Undefined where the body is no JSON. */
export function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
