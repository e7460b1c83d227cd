import http from "node:http";
import https from "node:https";
import type { AxiosResponse } from "axios";
import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { deliverLimits, linkLimits } from "../core/deliver-limits.ts";
import { Deadline } from "./deadline.ts";
import { linkError } from "./http-errors.ts";
import { attemptedText, type HttpAnswer } from "./http-status.ts";
import { HttpExchange } from "./http-exchange.ts";
import type { Meter } from "../core/ports.ts";
import { readTlsOptions, type TlsOptions, type TlsSettings } from "./tls.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  /** Of the whole request. 15 s plus what the body needs at 8 KB/s when absent. */
  readonly deadlineMs?: number;
  /** After decompression. 1 MB when absent. */
  readonly answerBytesMax?: number;
}

/** Several Buffers are sent one after the other as one body, and not copied. */
export type HttpBody = Buffer | readonly Buffer[];

/** What a platform's client needs of the network. Every status is an answer; the caller judges it. */
export interface HttpCaller {
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
}

export interface HttpLinkOptions {
  readonly tls?: TlsSettings | undefined;
  /** `http://…` or `https://…`, with user and password where needed. The environment's proxy settings are ignored. */
  readonly proxy?: string | undefined;
  readonly socketsMax?: number;
  readonly connectTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
  /** Is told of each request what was sent of it, when it is over. */
  readonly meter?: Meter | undefined;
}

/** What a target's maker gives its link beside the config. The timeouts are for tests; the link's limits hold otherwise. */
export type LinkParts = Pick<HttpLinkOptions, "connectTimeoutMs" | "idleTimeoutMs" | "meter">;

/** The connections of one link: for plain addresses, and for those of https. */
export interface Agents {
  readonly plain: http.Agent;
  readonly secure: http.Agent;
}

/**
 * axios without its merging of defaults, transforms and interceptors, none of which are used: a tenth of an upload. Loaded
 * by the first request, because it is a sixth of what a start costs, and many commands and configs never ask.
 */
async function loadAxios() {
  const { default: axios, AxiosHeaders } = await import("axios");
  return { send: axios.getAdapter("http"), AxiosHeaders };
}

let loading: ReturnType<typeof loadAxios> | undefined;

const settings = {
  proxy: false,
  maxRedirects: 0,
  maxBodyLength: Infinity,
  responseType: "arraybuffer",
  validateStatus: () => true,
} as const;

/**
 * HTTP for one target. Every status is an answer; only an exchange without one is an error, always an AgentError. Three
 * clocks bound it: connecting (DNS, TCP, proxy and TLS), silence, and the whole. Redirects are never
 * followed. axios and its errors stay in this file: they hold the token and the body.
 */
export class HttpLink implements HttpCaller {
  readonly #options: HttpLinkOptions;
  #agents: Agents | undefined;
  #closed = false;

  constructor(options: HttpLinkOptions = {}) {
    this.#options = options;
  }

  /**
   * Fails with `NET_…`, `TLS_…`, `PROXY_FAILED`, `HTTP_ANSWER_TOO_LARGE`, `HTTP_NOT_THE_PLATFORM` (not HTTP at all) or
   * `ABORTED`. The caller judges the status.
   */
  async request(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    // Before any clock runs: a slow disk is no slow server.
    const { send, AxiosHeaders } = await (loading ??= loadAxios());
    const attempted = attemptedText(request.method, request.url);
    const answerBytesMax = request.answerBytesMax ?? linkLimits.answerBytesMax;
    const idleTimeoutMs = this.#options.idleTimeoutMs ?? linkLimits.idleTimeoutMs;
    const { connectTimeoutMs = linkLimits.connectTimeoutMs } = this.#options;
    const body = [request.body ?? []].flat();
    const bodyBytes = body.reduce((sum, { length }) => sum + length, 0);
    const exchange = new HttpExchange(connectTimeoutMs, idleTimeoutMs, body);
    const deadlineMs = request.deadlineMs ?? linkLimits.requestTimeoutMs + sendingMs(bodyBytes);
    const deadline = new Deadline(deadlineMs, signal, exchange.cut);
    try {
      const agents = await this.agents();
      const answer = await send({
        ...settings,
        method: request.method,
        url: request.url,
        headers: new AxiosHeaders({
          "User-Agent": "framepost",
          ...request.headers,
          ...(request.body === undefined ? {} : { "Content-Length": String(bodyBytes) }),
        }),
        httpAgent: agents.plain,
        httpsAgent: agents.secure,
        maxContentLength: answerBytesMax,
        // The system may hold the whole body when the last byte has left for our eyes: silence then is no fault yet.
        timeout: idleTimeoutMs + sendingMs(bodyBytes),
        transport: exchange,
      });
      return {
        status: answer.status,
        headers: plainHeaders(answer.headers),
        body: answer.data as Buffer,
        requestSent: exchange.sent,
      };
    } catch (error) {
      if (signal.aborted || this.#closed) throw new AgentError("ABORTED", `${attempted}: stopped`, retry);
      if (deadline.expired) {
        throw new AgentError("NET_TIMEOUT", `${attempted}: no whole answer within ${deadlineMs} ms`, retry);
      }
      throw asLinkError(error, attempted, exchange, answerBytesMax);
    } finally {
      deadline.clear();
      this.#options.meter?.(exchange.sentBytes);
    }
  }

  /** Cuts every connection; requests under way end with `ABORTED`. */
  close(): void {
    this.#closed = true;
    this.#agents?.plain.destroy();
    this.#agents?.secure.destroy();
  }

  /**
   * For `http-stream.ts`, whose answers do not come through axios. The PEM files are read at the first request, and again
   * after a failure: a mended file needs no restart.
   */
  async agents(): Promise<Agents> {
    this.#failIfClosed();
    if (this.#agents !== undefined) return this.#agents;
    const { tls, proxy } = this.#options;
    const tlsOptions = tls === undefined ? { rejectUnauthorized: true } : await readTlsOptions(tls);
    const made = proxy === undefined ? this.#directAgents(tlsOptions) : await this.#tunnelAgents(proxy, tlsOptions);
    // Another caller or `close` may have come while the files were read.
    this.#failIfClosed();
    return (this.#agents ??= made);
  }

  #failIfClosed(): void {
    if (this.#closed) throw new Error("closed");
  }

  #directAgents(tls: TlsOptions): Agents {
    const pool = this.#pool();
    return { plain: new http.Agent(pool), secure: new https.Agent({ ...pool, ...tls }) };
  }

  async #tunnelAgents(proxy: string, tls: TlsOptions): Promise<Agents> {
    const connectTimeoutMs = this.#options.connectTimeoutMs ?? linkLimits.connectTimeoutMs;
    const { TunnelAgent } = await import("./tunnel.ts");
    const agent = new TunnelAgent(proxy, this.#pool(), tls, connectTimeoutMs);
    return { plain: agent, secure: agent };
  }

  #pool(): http.AgentOptions {
    return {
      keepAlive: true,
      maxSockets: this.#options.socketsMax ?? linkLimits.socketsPerTargetMax,
      timeout: linkLimits.socketUnusedMs,
      autoSelectFamilyAttemptTimeout: linkLimits.addressAttemptMs,
    };
  }
}

const retry = { disposition: "retry" } as const;

/** What a body takes on the slowest line that still counts as one. */
function sendingMs(bodyBytes: number): number {
  return Math.ceil((bodyBytes / deliverLimits.bytesPerSecondMin) * 1_000);
}

function asLinkError(error: unknown, attempted: string, exchange: HttpExchange, answerBytesMax: number): AgentError {
  const own = ownErrorIn(error);
  if (own !== undefined) {
    return new AgentError(own.code, `${attempted}: ${own.message}`, { disposition: own.disposition, facts: own.facts });
  }
  const errno = exchange.answerErrno() ?? errnoOf(error);
  switch (errno) {
    case "ERR_BAD_RESPONSE":
      return new AgentError("HTTP_ANSWER_TOO_LARGE", `${attempted}: the answer exceeds ${answerBytesMax} bytes`, retry);
    case "ECONNABORTED":
      return new AgentError("NET_TIMEOUT", `${attempted}: no byte came or went for too long`, retry);
    case "ERR_INVALID_URL":
    case "ERR_BAD_REQUEST":
    case "ERR_INVALID_CHAR":
      return new AgentError("HTTP_BAD_REQUEST", `${attempted}: the request cannot be formed (${errno})`, {
        disposition: "fatal",
      });
    default:
      return linkError(attempted, { errno, detail: messageOf(error, linkLimits.snippetChars) });
  }
}

/** An error that our own agents or timers gave to the socket, which axios has wrapped. */
function ownErrorIn(error: unknown): AgentError | undefined {
  if (error instanceof AgentError) return error;
  return error instanceof Error && error.cause instanceof AgentError ? error.cause : undefined;
}

function plainHeaders(headers: AxiosResponse["headers"]): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
