import type { IncomingMessage } from "node:http";
import { urlToHttpOptions } from "node:url";
import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { linkLimits } from "../core/deliver-limits.ts";
import { Deadline } from "./deadline.ts";
import { linkError } from "./http-errors.ts";
import { HttpExchange } from "./http-exchange.ts";
import { attemptedText } from "./http-status.ts";
import { HttpLink, type HttpLinkOptions } from "./http.ts";

export interface StreamedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface StreamedAnswer {
  readonly status: number;
  /** Names in lower case; a repeated header is joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** What its errors begin with; names the address that answered, after all redirects. */
  readonly attempted: string;
  /** To be read once. Fails with `NET_…` where it is cut short, silent or too slow, and with `ABORTED`. */
  readonly body: AsyncIterable<Buffer>;
  /** Gives the connection up; after the whole body it does nothing. */
  readonly close: () => void;
}

export interface HttpStreamOptions extends HttpLinkOptions {
  readonly slowAfterMs?: number;
}

/**
 * GET of what is too large for memory, with the connections, certificates, proxy and errors of `HttpLink`. The caller
 * takes the body chunk by chunk, as slowly as it likes: only the time in which it waits for bytes counts as silence.
 * Unlike `HttpLink`'s requests it follows redirects, as public stores of files need it; never from https to http.
 */
export class HttpStream {
  readonly #link: HttpLink;
  readonly #connectTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  readonly #slowAfterMs: number;

  constructor(options: HttpStreamOptions = {}) {
    this.#link = new HttpLink(options);
    this.#connectTimeoutMs = options.connectTimeoutMs ?? linkLimits.connectTimeoutMs;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? linkLimits.idleTimeoutMs;
    this.#slowAfterMs = options.slowAfterMs ?? linkLimits.slowAfterMs;
  }

  /** Fails with `NET_…`, `TLS_…`, `PROXY_FAILED`, `HTTP_…` or `ABORTED`. The caller judges any status but redirects. */
  async get(request: StreamedRequest, signal: AbortSignal): Promise<StreamedAnswer> {
    let url = request.url;
    for (let hops = 0; ; hops += 1) {
      const answer = await this.#getOnce(url, request.headers, signal);
      if (!redirects.has(answer.status)) return answer;
      // Nobody reads what a redirect says beside its address, and an answer that is not read holds its connection.
      answer.close();
      const next = redirectIn(answer, url);
      if (hops >= linkLimits.redirectsMax) throw redirectError(answer.attempted, "it redirects again and again");
      url = next;
    }
  }

  /** Cuts every connection. */
  close(): void {
    this.#link.close();
  }

  async #getOnce(url: string, headers: StreamedRequest["headers"], signal: AbortSignal): Promise<StreamedAnswer> {
    const attempted = attemptedText("GET", url);
    const exchange = new HttpExchange(this.#connectTimeoutMs, this.#idleTimeoutMs);
    const deadline = new Deadline(this.#connectTimeoutMs + this.#idleTimeoutMs, signal, exchange.cut);
    try {
      const target = addressOf(url, attempted);
      const { plain, secure } = await this.#link.agents();
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const options = {
          ...urlToHttpOptions(target),
          method: "GET",
          agent: target.protocol === "https:" ? secure : plain,
          // A compressed answer could be neither counted nor gone on with.
          headers: { "User-Agent": "framepost", Accept: "*/*", "Accept-Encoding": "identity", ...headers },
        };
        exchange.request(options, resolve).on("error", reject).end();
      });
      return {
        status: answer.statusCode ?? 0,
        headers: plainHeaders(answer),
        attempted,
        body: this.#bodyOf(answer, attempted, signal),
        close: () => void answer.destroy(),
      };
    } catch (error) {
      if (signal.aborted) throw new AgentError("ABORTED", `${attempted}: stopped`, retry);
      if (deadline.expired) throw new AgentError("NET_TIMEOUT", `${attempted}: no answer began in time`, retry);
      throw asStreamError(error, attempted);
    } finally {
      deadline.clear();
    }
  }

  async *#bodyOf(answer: IncomingMessage, attempted: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    const onAbort = (): void => void answer.destroy(new AgentError("ABORTED", `${attempted}: stopped`, retry));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const chunks = (answer as AsyncIterable<Buffer, undefined>)[Symbol.asyncIterator]();
    const pace = { waitedMs: 0, bytes: 0 };
    try {
      for (;;) {
        const chunk = await this.#next(chunks, answer, attempted, pace);
        if (chunk !== undefined) {
          yield chunk;
          continue;
        }
        // The end of what came is not always the end of what was sent.
        if (!answer.complete) throw linkError(attempted, { errno: "ECONNRESET", detail: "cut" });
        return;
      }
    } catch (error) {
      if (signal.aborted) throw new AgentError("ABORTED", `${attempted}: stopped`, retry);
      throw asStreamError(error, attempted);
    } finally {
      signal.removeEventListener("abort", onAbort);
      answer.destroy();
    }
  }

  /** Undefined at the end of a whole body. */
  async #next(
    chunks: AsyncIterator<Buffer, undefined>,
    answer: IncomingMessage,
    attempted: string,
    pace: { waitedMs: number; bytes: number },
  ): Promise<Buffer | undefined> {
    const giveUp = (what: string): void =>
      void answer.destroy(new AgentError("NET_TIMEOUT", `${attempted}: ${what}`, retry));
    const timer = setTimeout(() => giveUp(`no byte came for ${this.#idleTimeoutMs} ms`), this.#idleTimeoutMs);
    const startedMs = performance.now();
    try {
      const { done, value }: IteratorResult<Buffer, undefined> = await chunks.next();
      if (done === true) return undefined;
      pace.waitedMs += performance.now() - startedMs;
      pace.bytes += value.length;
      if (pace.waitedMs < this.#slowAfterMs) return value;
      // A server that drips a byte now and then is never silent, and never done.
      if (pace.bytes < (this.#slowAfterMs / 1_000) * linkLimits.slowBytesPerSecond) giveUp("it sends too slowly");
      Object.assign(pace, { waitedMs: 0, bytes: 0 });
      return value;
    } finally {
      clearTimeout(timer);
    }
  }
}

const retry = { disposition: "retry" } as const;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function addressOf(url: string, attempted: string): URL {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return new URL(url);
  throw new AgentError("HTTP_BAD_REQUEST", `${attempted}: an address begins with https:// or http://`, {
    disposition: "fatal",
  });
}

/** Where a redirect leads, which is always another GET. */
function redirectIn({ status, headers, attempted }: StreamedAnswer, from: string): string {
  const { location = "" } = headers;
  if (location === "" || !URL.canParse(location, from)) {
    throw redirectError(attempted, `HTTP ${status} redirects to no address`);
  }
  const target = new URL(location, from);
  if (target.protocol === "https:" || (target.protocol === "http:" && !from.startsWith("https:"))) return target.href;
  throw redirectError(attempted, `HTTP ${status} leads from https to ${target.protocol}//; not followed`);
}

function redirectError(attempted: string, what: string): AgentError {
  return new AgentError("HTTP_REDIRECT", `${attempted}: ${what}`, { disposition: "fatal" });
}

function asStreamError(error: unknown, attempted: string): AgentError {
  if (error instanceof AgentError) return error;
  return linkError(attempted, { errno: errnoOf(error), detail: messageOf(error, linkLimits.snippetChars) });
}

function plainHeaders(answer: IncomingMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]));
}
