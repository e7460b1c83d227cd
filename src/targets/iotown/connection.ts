import { AgentError } from "../../core/errors.ts";
import type { HttpBody, HttpCaller, HttpRequest } from "../../link/http.ts";
import { attemptedText, type HttpAnswer } from "../../link/http-status.ts";
import { jsonOf, unexpectedAnswer } from "../platform-answer.ts";
import { requireSuccess } from "./answer.ts";

export interface IotownAccess {
  /** Scheme, host and port, without a trailing slash. */
  readonly url: string;
  readonly token: string;
  readonly grpid?: string | undefined;
}

export interface IotownRequest {
  readonly method: HttpRequest["method"];
  /** From the server's root. */
  readonly path: string;
  /** Those that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: HttpBody;
  readonly answerBytesMax?: number;
}

/** Every request carries the token in its own header, which a redirect would show to another host: none is followed. */
export class IotownConnection {
  readonly #access: IotownAccess;
  readonly #link: HttpCaller;

  constructor(access: IotownAccess, link: HttpCaller) {
    this.#access = access;
    this.#link = link;
  }

  /** Resolves with an answer of success, or fails with what `requireSuccess` or the link throws. */
  async call(request: IotownRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { token, grpid } = this.#access;
    const { method, path, query = {}, accept = "application/json", body, answerBytesMax } = request;
    const url = this.#access.url + path + queryText(query);
    const contentType = request.contentType ?? "application/json";
    const answer = await this.#link.request(
      {
        method,
        url,
        headers: {
          Accept: accept,
          Token: token,
          ...(grpid === undefined ? {} : { grpid }),
          ...(body === undefined ? {} : { "Content-Type": contentType }),
        },
        ...(body === undefined ? {} : { body }),
        ...(answerBytesMax === undefined ? {} : { answerBytesMax }),
      },
      signal,
    );
    requireSuccess(answer, this.#context(method, url));
    return answer;
  }

  /** The same for answers that are read: `parse` calls its `fail` with what is wrong. */
  async read<T>(
    request: IotownRequest,
    parse: (answer: unknown, fail: (what: string) => never) => T,
    signal: AbortSignal,
  ): Promise<T> {
    const answer = await this.call(request, signal);
    const fail = (what: string): never => this.fail(request, answer, what);
    const value = jsonOf(answer.body);
    return value === undefined ? fail("no JSON") : parse(value, fail);
  }

  fail({ method, path }: IotownRequest, answer: HttpAnswer, what: string): never {
    throw unexpectedAnswer(what, answer, this.#context(method, this.#access.url + path));
  }

  #context(method: string, url: string): { readonly attempted: string; readonly secrets: readonly string[] } {
    return { attempted: attemptedText(method, url), secrets: [this.#access.token] };
  }
}

/** An id as one part of a path. `..` would be resolved before it is sent, also percent-encoded. */
export function pathPart(id: string, what: string): string {
  if (id !== "" && id !== "." && id !== "..") return encodeURIComponent(id);
  throw badInput(`${what} "${id}" cannot stand in an address`);
}

/** What was asked for cannot be sent at all. */
export function badInput(message: string): AgentError {
  return new AgentError("ENCODE_FAILED", message, { disposition: "reject" });
}

/** A fixed form: a space is `%20`, a plus `%2B`. */
function queryText(query: NonNullable<IotownRequest["query"]>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
