import { AgentError } from "../../core/errors.ts";
import { outcomeOf } from "../../core/outcome.ts";
import { unlessAborted } from "../../link/deadline.ts";
import { attemptedText, type HttpAnswer, type StatusContext } from "../../link/http-status.ts";
import type { HttpCaller, HttpRequest } from "../../link/http.ts";
import { isWebPage, refusalError } from "../platform-answer.ts";
import { jwtOf, platformRefused } from "./answers.ts";

export interface OnestepaiAccess {
  /** With `/api`, without a trailing slash. */
  readonly url: string;
  /** Made in the platform's settings; it expires on the day that was chosen there. */
  readonly accessToken: string;
}

export interface AuthorisedAnswer {
  readonly answer: HttpAnswer;
  /** For the error text, with everything that must not be shown. */
  readonly context: StatusContext;
}

/**
 * Exchanges the access token for a JWT and sends requests with it. The JWT lives in memory alone. Nobody has published
 * how long one is valid: a 401 leads to one sign-in, shared by all requests that met it, and one repeat of each.
 */
export class OnestepaiAccount {
  readonly #access: OnestepaiAccess;
  readonly #link: HttpCaller;
  #jwt: string | undefined;
  #signingIn: Promise<void> | undefined;

  constructor(access: OnestepaiAccess, link: HttpCaller) {
    this.#access = access;
    this.#link = link;
  }

  /** `POST /Users/SignIn`, always anew unless one is under way. */
  async signIn(signal: AbortSignal): Promise<void> {
    this.#signingIn ??= this.#fetchJwt().finally(() => (this.#signingIn = undefined));
    // One caller's stop must not end the sign-in that others wait for; the link's deadline bounds it.
    await unlessAborted(this.#signingIn, signal, attemptedText("POST", this.#signInUrl()));
  }

  /** `path` begins with a slash. Every status is an answer, also a 401 that stood after a new sign-in. */
  async request(path: string, request: Omit<HttpRequest, "url">, signal: AbortSignal): Promise<AuthorisedAnswer> {
    const first = await this.#send(path, request, signal);
    if (first.answer.status !== 401) return first;
    // Another request may have met the same and signed in since.
    if (this.#jwt === first.jwt) await this.signIn(signal);
    return this.#send(path, request, signal);
  }

  async #send(
    path: string,
    request: Omit<HttpRequest, "url">,
    signal: AbortSignal,
  ): Promise<AuthorisedAnswer & { readonly jwt: string }> {
    if (this.#jwt === undefined) await this.signIn(signal);
    const jwt = this.#jwt ?? "";
    const url = `${this.#access.url}${path}`;
    const headers = { Accept: "*/*", ...request.headers, Authorization: `Bearer ${jwt}` };
    const answer = await this.#link.request({ ...request, url, headers }, signal);
    const secrets = [this.#access.accessToken, jwt];
    return { answer, jwt, context: { attempted: attemptedText(request.method, url), secrets } };
  }

  async #fetchJwt(): Promise<void> {
    const { accessToken } = this.#access;
    const url = this.#signInUrl();
    const context = { attempted: attemptedText("POST", url), secrets: [accessToken] };
    const headers = { Accept: "*/*", "Content-Type": "application/json" };
    // A JSON string, quotes and all. Never the older form with the token in the address, which ends in logs.
    const body = Buffer.from(JSON.stringify(accessToken));
    const answer = await this.#link.request({ method: "POST", url, headers, body }, new AbortController().signal);
    if (answer.status !== 200) throw signInError(answer, context);
    const jwt = jwtOf(answer.body);
    if (jwt !== undefined && !isWebPage(answer)) this.#jwt = jwt;
    else {
      // Not a word of the answer: it may hold a token in a form that nobody has thought of.
      const message = `${context.attempted}: HTTP 200 with something that is no token`;
      throw new AgentError("HTTP_NOT_THE_PLATFORM", message, { disposition: "retry" });
    }
  }

  #signInUrl(): string {
    return `${this.#access.url}/Users/SignIn`;
  }
}

function signInError(answer: HttpAnswer, context: StatusContext): AgentError {
  const error = refusalError(answer, context);
  return outcomeOf(error).kind === "rejected" ? platformRefused(error) : error;
}
