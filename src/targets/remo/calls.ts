import { AgentError } from "../../core/errors.ts";
import { remoLimits } from "../../core/platform-limits.ts";
import type { HttpCaller, HttpRequest } from "../../link/http.ts";
import type { MultipartBody } from "../../link/multipart.ts";
import { attemptedText, type HttpAnswer, type StatusContext } from "../../link/http-status.ts";
import { isWebPage, jsonAnswer, notThePlatform, refusalError, requireStatus } from "../platform-answer.ts";
import { keyOf, nextOf, pageOf } from "./parse.ts";

export interface RemoAccess {
  /** Scheme, host and port, without a trailing slash. */
  readonly url: string;
  readonly email: string;
  readonly password: string;
}

export interface RemoCall {
  readonly method: HttpRequest["method"];
  /** From `/api/` on. It ends in `/`: the server knows no path without, and a redirect would lose the body. */
  readonly path: string;
  /** Left out where undefined. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly json?: object;
  readonly form?: MultipartBody;
  readonly answerBytesMax?: number;
}

const okStatuses = [200, 201, 202];

/**
 * Requests to one remo server in the name of one account. The server gives a token for email and password; a 401 means
 * that it is no longer good: there is one login and one repeat then, also when several requests meet it at once, and
 * never a third try. Neither token nor password is in any error.
 */
export class RemoCalls {
  readonly #access: RemoAccess;
  readonly #link: HttpCaller;
  #token: string | undefined;
  #login: Promise<string> | undefined;

  constructor(access: RemoAccess, link: HttpCaller) {
    this.#access = access;
    this.#link = link;
  }

  /** The parsed answer of 200, 201 or 202. */
  async json(call: RemoCall, signal: AbortSignal): Promise<unknown> {
    const { answer, context } = await this.#send(call, this.#urlOf(call), signal);
    return jsonAnswer(answer, context, okStatuses);
  }

  /** For operations whose answer says nothing: any 2xx. */
  async done(call: RemoCall, signal: AbortSignal): Promise<void> {
    const { answer, context } = await this.#send(call, this.#urlOf(call), signal);
    requireStatus(answer, context, [...okStatuses, 204]);
  }

  async bytes(call: RemoCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { answer, context } = await this.#send(call, this.#urlOf(call), signal);
    requireStatus(answer, context);
    return answer;
  }

  /** The answer whatever its status, for whoever knows what a refusal means; a web page fails all the same. */
  async answer(call: RemoCall, signal: AbortSignal): Promise<{ answer: HttpAnswer; context: StatusContext }> {
    const exchange = await this.#send(call, this.#urlOf(call), signal);
    if (isWebPage(exchange.answer)) {
      throw exchange.answer.status < 400
        ? notThePlatform(exchange.answer, exchange.context)
        : refusalError(exchange.answer, exchange.context);
    }
    return exchange;
  }

  /**
   * The items of a page and of those behind it, up to `itemsMax`. A next page at another origin is refused: it would be
   * shown the token.
   */
  async *pages(call: RemoCall, signal: AbortSignal, itemsMax = Infinity): AsyncGenerator {
    let url = this.#urlOf(call);
    let items = 0;
    for (let page = 0; page < remoLimits.pagesMax; page += 1) {
      const { answer, context } = await this.#send(call, url, signal);
      const value = jsonAnswer(answer, context, okStatuses);
      for (const item of pageOf(value, context.attempted)) {
        yield item;
        items += 1;
        if (items >= itemsMax) return;
      }
      const next = nextOf(value);
      if (next === undefined) return;
      url = this.sameOrigin(next, context.attempted);
    }
    throw new AgentError("REMO_ANSWER", `${attemptedText(call.method, url)}: more than ${remoLimits.pagesMax} pages`, {
      disposition: "retry",
    });
  }

  /** An address out of an answer, absolute or relative to the server's own. */
  sameOrigin(address: string, attempted: string): string {
    const { url: base } = this.#access;
    const url = URL.canParse(address, `${base}/`) ? new URL(address, `${base}/`) : undefined;
    if (url?.origin === new URL(base).origin) return url.href;
    const where = url === undefined ? "no address" : url.origin;
    throw new AgentError("REMO_ANSWER", `${attempted}: the answer points to ${where}, which is not asked`, {
      disposition: "retry",
    });
  }

  /** Fails with `HTTP_401` when the account is refused, in whichever way the server says so. */
  async login(signal: AbortSignal): Promise<void> {
    this.#token = undefined;
    await this.#freshToken(signal);
  }

  #urlOf({ path, query }: RemoCall): string {
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) given.append(name, String(value));
    const text = given.toString();
    return `${this.#access.url}${path}${text === "" ? "" : `?${text}`}`;
  }

  async #send(
    call: RemoCall,
    url: string,
    signal: AbortSignal,
  ): Promise<{ answer: HttpAnswer; context: StatusContext }> {
    const { method, json, form, answerBytesMax = remoLimits.answerBytesMax } = call;
    const body = json === undefined ? form?.body : Buffer.from(JSON.stringify(json));
    const contentType = json === undefined ? form?.contentType : "application/json";
    const attempt = async (token: string): Promise<HttpAnswer> =>
      this.#link.request(
        {
          method,
          url,
          headers: {
            Accept: "application/json, */*;q=0.5",
            Authorization: `Token ${token}`,
            ...(contentType === undefined ? {} : { "Content-Type": contentType }),
          },
          ...(body === undefined ? {} : { body }),
          answerBytesMax,
        },
        signal,
      );
    const contextOf = (token: string): StatusContext => ({
      attempted: attemptedText(method, url),
      secrets: [token, this.#access.password],
    });
    const token = this.#token ?? (await this.#freshToken(signal));
    const answer = await attempt(token);
    if (answer.status !== 401) return { answer, context: contextOf(token) };
    // Somebody else may have logged in since this request left.
    if (this.#token === token) this.#token = undefined;
    const renewed = this.#token ?? (await this.#freshToken(signal));
    return { answer: await attempt(renewed), context: contextOf(renewed) };
  }

  /** One login for all who need it now. */
  async #freshToken(signal: AbortSignal): Promise<string> {
    this.#login ??= this.#loggedIn(signal).finally(() => (this.#login = undefined));
    try {
      return await this.#login;
    } catch (error) {
      // The login was somebody else's, who was stopped.
      const stopped = error instanceof AgentError && error.code === "ABORTED" && !signal.aborted;
      if (!stopped) throw error;
      return await this.#loggedIn(signal);
    }
  }

  /** `POST /api/rest-auth/login/`, as a form and nothing else. A wrong password is answered with 400. */
  async #loggedIn(signal: AbortSignal): Promise<string> {
    const { url: base, email, password } = this.#access;
    const url = `${base}/api/rest-auth/login/`;
    const form = `email=${encodeURIComponent(email)}&password=${encodeURIComponent(password)}`;
    const request: HttpRequest = {
      method: "POST",
      url,
      headers: { Accept: "application/json", "Content-Type": "application/x-www-form-urlencoded" },
      body: Buffer.from(form),
    };
    const answer = await this.#link.request(request, signal);
    const context = { attempted: attemptedText("POST", url), secrets: [password] };
    if ([400, 401, 403].includes(answer.status) && !isWebPage(answer)) throw accountRefused(answer, context);
    const token = keyOf(jsonAnswer(answer, context, okStatuses), context.attempted);
    this.#token = token;
    return token;
  }
}

function accountRefused(answer: HttpAnswer, context: StatusContext): AgentError {
  const { message } = refusalError(answer, context);
  return new AgentError("HTTP_401", `${message} (the server refuses the email or the password)`, {
    disposition: "fatal",
    facts: { status: answer.status },
  });
}
