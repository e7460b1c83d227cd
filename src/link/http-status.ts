import { AgentError, type Disposition } from "../core/errors.ts";
import { deliverLimits, linkLimits } from "../core/deliver-limits.ts";
import { secretForms } from "../core/mask.ts";
import { shownUrl } from "./http-errors.ts";

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; a repeated header is joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The system had the whole request body when the answer was complete, so the body's Buffer may be used again. */
  readonly requestSent?: boolean;
}

export interface StatusContext {
  /** What the error text begins with, for example `POST https://host/path`. */
  readonly attempted: string;
  /** Masked wherever the answer repeats them, as they are or encoded for an address, a form or JSON. */
  readonly secrets?: readonly string[];
  /** Wall clock, for a Retry-After that is a date and comes without a Date header. */
  readonly nowMs?: number;
}

/**
 * The error for an answer that is not the one wanted: `HTTP_<status>` for 4xx and 5xx, `HTTP_REDIRECT`, or
 * `HTTP_UNEXPECTED_STATUS` for any other. `afterMs` is the server's Retry-After, bounded.
 */
export function httpStatusError(answer: HttpAnswer, context: StatusContext): AgentError {
  const { status } = answer;
  const afterMs = retryAfterMs(answer.headers, context.nowMs ?? Date.now());
  const said = answerSnippet(answer, context.secrets);
  const { code, disposition, what } = statusReading(answer);
  return new AgentError(code, `${context.attempted}: ${what}${said === "" ? "" : `: ${said}`}`, {
    disposition,
    facts: { status },
    ...(afterMs === undefined ? {} : { afterMs }),
  });
}

function statusReading(answer: HttpAnswer): { code: string; disposition: Disposition; what: string } {
  const { status, headers } = answer;
  if (status >= 300 && status < 400) {
    const { location } = headers;
    const where = location !== undefined && URL.canParse(location) ? ` to ${new URL(location).origin}` : "";
    // Following would turn the POST into a GET and show the token to another host.
    return { code: "HTTP_REDIRECT", disposition: "fatal", what: `HTTP ${status} redirects${where}; not followed` };
  }
  if (status >= 400 && status < 600) {
    return { code: `HTTP_${status}`, disposition: statusDisposition(status), what: `HTTP ${status}` };
  }
  return { code: "HTTP_UNEXPECTED_STATUS", disposition: "retry", what: `unexpected HTTP ${status}` };
}

function statusDisposition(status: number): Disposition {
  if (status >= 500 || status === 408 || status === 425 || status === 429) return "retry";
  return [401, 402, 403, 404, 405, 407, 410].includes(status) ? "fatal" : "reject";
}

/** The start of an answer as one line of at most 200 characters, secrets masked before it is cut. */
export function answerSnippet(answer: HttpAnswer, secrets: readonly string[] = []): string {
  const forms = secrets.filter((secret) => secret !== "").flatMap(secretForms);
  let text = answer.body.toString("utf8", 0, linkLimits.snippetBytes);
  for (const form of forms) text = text.replaceAll(form, "***");
  // A secret may lie across this cut too, where the search cannot see it.
  if (answer.body.length > linkLimits.snippetBytes) {
    text = text.slice(0, -Math.max(1, ...forms.map(({ length }) => length)));
  }
  // \p{C} takes control, format and unpaired characters with it: this text reaches terminals and logs.
  const line = text
    .replaceAll(/[\s\p{C}\ufffd]+/gu, " ")
    .trim()
    .replace(/^<!doctype html>\s*/i, "");
  return line.length > linkLimits.snippetChars ? `${line.slice(0, linkLimits.snippetChars - 1)}…` : line;
}

/** A wait the server asked for. A date is read against the server's own clock: a gateway's may be wrong by years. */
function retryAfterMs(headers: HttpAnswer["headers"], nowMs: number): number | undefined {
  const value = headers["retry-after"]?.trim();
  if (value === undefined || value === "") return undefined;
  const waitMs = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1_000 : untilMs(value, headers["date"], nowMs);
  if (Number.isNaN(waitMs)) return undefined;
  return Math.min(Math.max(0, Math.round(waitMs)), deliverLimits.retryAfterMaxMs);
}

/** Only the form that HTTP writes: `Date.parse` takes "-5" for a month. */
function untilMs(date: string, serverDate: string | undefined, nowMs: number): number {
  if (!/^[A-Z][a-z]{2}, /.test(date)) return Number.NaN;
  const serverNowMs = Date.parse(serverDate ?? "");
  return Date.parse(date) - (Number.isNaN(serverNowMs) ? nowMs : serverNowMs);
}

/** `POST https://host/path`, as every error text of a request begins. */
export function attemptedText(method: string, url: string): string {
  return `${method} ${shownUrl(url)}`;
}
