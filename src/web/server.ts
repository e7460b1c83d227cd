import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { hostname } from "node:os";
import { backoffMs } from "../core/backoff.ts";
import { AgentError, asAgentError, errnoOf } from "../core/errors.ts";
import { LogGate } from "../core/log-gate.ts";
import type { Seams } from "../core/ports.ts";
import { webLimits } from "../core/web-limits.ts";
import { readTlsOptions } from "../link/tls.ts";
import { Access } from "./access.ts";
import { readBody } from "./body.ts";
import type { WebConfig } from "./config.ts";
import { EventStreams } from "./event-streams.ts";
import { securityHeaders } from "./headers.ts";
import { authority, listenAddressOf, type ListenAddress } from "./listen-address.ts";
import type { Routes, WebApp } from "./ports.ts";
import { refusal, type Refusal } from "./refusal.ts";
import { pathOf, shapeProblem } from "./request-shape.ts";
import { Tokens } from "./tokens.ts";

export type WebTiming = Readonly<Record<"headersTimeoutMs" | "requestTimeoutMs" | "timeoutsEveryMs", number>>;

export interface WebServerOptions {
  readonly config: Pick<WebConfig, "listen" | "token" | "allowedHosts" | "tls">;
  /** Where the configured port is taken, any other one does: for a demonstration. */
  readonly orAnyPort?: boolean;
  /** For tests; the limits otherwise. */
  readonly timing?: Partial<WebTiming>;
  /** Told the tokens, where there are any: for the login. */
  readonly routes: (tokens: Tokens | undefined) => readonly Routes[];
}

type Serve = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Serves routes to whoever may see them. It runs beside the agent's work and is never a reason for that to stop: where it
 * cannot listen it says so and tries again.
 */
export class WebServer {
  readonly #options: WebServerOptions;
  readonly #seams: Seams;
  readonly #streams: EventStreams;
  readonly #gate: LogGate;
  #server: Server | undefined;
  #stopped = new AbortController();
  #trying: Promise<void> = Promise.resolve();
  readonly #occupied = new WeakSet<Socket>();
  #underWay = 0;

  constructor(options: WebServerOptions, seams: Seams) {
    this.#options = options;
    this.#seams = seams;
    this.#streams = new EventStreams(seams.clock);
    this.#gate = new LogGate(seams.clock);
  }

  /** Where it can be reached; undefined while it cannot. */
  url(): string | undefined {
    const address = this.#server?.address();
    if (address === null || address === undefined || typeof address === "string") return undefined;
    const { host } = this.#address();
    const shown = host === "0.0.0.0" || host === "::" ? hostname() : host;
    const scheme = this.#options.config.tls === undefined ? "http" : "https";
    return `${scheme}://${authority({ host: shown, port: address.port })}/`;
  }

  /** Resolves after the first try; where that failed, others follow until `stop`. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#stopped = new AbortController();
    if (await this.#tried(1)) return;
    this.#trying = this.#keepTrying(this.#stopped.signal);
  }

  /** Ends what is under way, open streams included. Safe at any time, also twice. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#trying;
    const server = this.#server;
    this.#server = undefined;
    this.#streams.close();
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async #keepTrying(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#seams;
    for (let failures = 1; ; failures += 1) {
      const waitMs = backoffMs(failures, webLimits.listenFirstMs, webLimits.listenMaxMs, random);
      const isOver = await clock.sleep(waitMs, signal).then(
        () => false,
        () => true,
      );
      if (isOver || (await this.#tried(failures + 1))) return;
    }
  }

  async #tried(attempt: number): Promise<boolean> {
    const { log } = this.#seams;
    const address = this.#address();
    try {
      this.#server = await this.#listening(address);
      log.info("web.listening", { url: this.url() });
      return true;
    } catch (error) {
      const { code, message } = asAgentError(error, `listen on ${authority(address)}`);
      // Said once: the port may be another program's for weeks.
      const say = attempt === 1 ? log.warn.bind(log) : log.debug.bind(log);
      say("web.unavailable", { listen: authority(address), code: errnoOf(error) ?? code, message });
      return false;
    }
  }

  async #listening(address: ListenAddress): Promise<Server> {
    const serve = await this.#handler(address);
    const server = await this.#newServer((request, response) => {
      response.on("error", () => undefined);
      if (!this.#takesTurn(request, response)) return;
      for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
      serve(request, response);
    });
    try {
      await listening(server, address);
    } catch (error) {
      if (errnoOf(error) !== "EADDRINUSE" || this.#options.orAnyPort !== true) throw error;
      await listening(server, { ...address, port: 0 });
    }
    server.on("error", (error) => this.#seams.log.warn("web.failed", { message: error.message }));
    return server;
  }

  /** Loads the router, which costs memory and time that a device without the page does not spend. */
  async #handler(address: ListenAddress): Promise<Serve> {
    const [{ Hono }, { getRequestListener }] = await Promise.all([import("hono"), import("@hono/node-server")]);
    const { token, allowedHosts, tls } = this.#options.config;
    const { clock } = this.#seams;
    const tokens = token === undefined ? undefined : new Tokens(token, { secure: tls !== undefined, clock });
    const app: WebApp = new Hono();
    for (const mount of this.#options.routes(tokens)) mount(app, this.#streams);
    app.notFound((context) => context.json({ error: "WEB_NOTHING_HERE" }, 404));
    app.onError((error, context) => context.json(...this.#failure(error, pathOf(context.req.path))));
    const listener = getRequestListener(app.fetch, {
      overrideGlobalObjects: false,
      errorHandler: (error) => {
        const [body, status] = this.#failure(error, "a request");
        return Response.json(body, { status });
      },
    });
    const names = tokens === undefined ? {} : { tokens };
    const access = new Access({ address, allowedHosts, hostName: hostname(), ...names });
    return (request, response) => void this.#guarded(request, response, access, listener);
  }

  async #newServer(serve: Serve): Promise<Server> {
    const { config, timing } = this.#options;
    const { tls } = config;
    const { headersTimeoutMs, requestTimeoutMs, timeoutsEveryMs } = { ...webLimits, ...timing };
    const options = {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: timeoutsEveryMs,
      keepAliveTimeout: webLimits.keepAliveMs,
      maxHeaderSize: webLimits.headerBytesMax,
      insecureHTTPParser: false,
    };
    const server =
      tls === undefined
        ? createServer(options, serve)
        : createTlsServer({ ...options, ...(await readTlsOptions({ ...tls, insecureSkipVerify: false })) }, serve);
    server.maxConnections = webLimits.connectionsMax;
    server.maxRequestsPerSocket = webLimits.requestsPerConnectionMax;
    server.timeout = webLimits.idleTimeoutMs;
    // Without these, Node asks for bodies that are refused after all, and keeps sockets that asked for something else.
    server.on("checkContinue", serve);
    server.on("checkExpectation", serve);
    return server;
  }

  /**
   * One request at a time of each connection, as browsers do it. Node tells nobody when a connection ends on which further
   * answers wait, so that these would count as under way for ever.
   */
  #takesTurn({ socket }: IncomingMessage, response: ServerResponse): boolean {
    if (this.#occupied.has(socket)) {
      socket.destroySoon();
      return false;
    }
    this.#occupied.add(socket);
    response.once("close", () => this.#occupied.delete(socket));
    return true;
  }

  /** Never fails: what goes wrong is the answer, or nobody is there any more to get it. */
  async #guarded(
    request: IncomingMessage,
    response: ServerResponse,
    access: Access,
    listener: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  ): Promise<void> {
    const problem = this.#busy() ?? shapeProblem(request) ?? access.problem(request);
    if (problem !== undefined) {
      refuse(response, problem);
      return;
    }
    this.#underWay += 1;
    response.once("close", () => (this.#underWay -= 1));
    try {
      if (request.method === "POST") {
        if (request.headers.expect !== undefined) response.writeContinue();
        const body = await readBody(request);
        if (body === undefined) {
          refuse(response, refusal(413, "WEB_TOO_LARGE"));
          return;
        }
        Object.assign(request, { rawBody: body });
      }
      await listener(request, response);
    } catch {
      response.destroy();
    }
  }

  #busy(): Refusal | undefined {
    const isBusy = this.#underWay - this.#streams.count >= webLimits.requestsAtOnceMax;
    return isBusy ? refusal(503, "WEB_BUSY", { "retry-after": "1" }) : undefined;
  }

  /** An error of ours was written for a person; of any other nothing is said, as nobody knows what it holds. */
  #failure(error: unknown, attempted: string): [{ error: string; message?: string }, 400 | 500 | 503] {
    const { log } = this.#seams;
    if (error instanceof AgentError) {
      const { code, message, disposition } = error;
      return [{ error: code, message: log.redacted(message) }, disposition === "retry" ? 503 : 400];
    }
    if (error instanceof SyntaxError) return [{ error: "WEB_MALFORMED" }, 400];
    const suppressed = this.#gate.pass(attempted);
    if (suppressed !== undefined) log.warn("web.request_failed", { path: attempted, error, suppressed });
    return [{ error: "WEB_FAILED" }, 500];
  }

  #address(): ListenAddress {
    const { listen } = this.#options.config;
    const address = listenAddressOf(listen);
    if (address === undefined) {
      throw new AgentError("CONFIG_INVALID", `web.listen: ${listen} is no address and port`, { disposition: "fatal" });
    }
    return address;
  }
}

async function listening(server: Server, { host, port }: ListenAddress): Promise<void> {
  server.listen({ host, port });
  await once(server, "listening");
}

/** One that is refused may have a body: it is not read, and the connection ends with the answer. */
function refuse(response: ServerResponse, { status, code, headers }: Refusal): void {
  const body = JSON.stringify({ error: code });
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    connection: "close",
    ...headers,
  });
  response.end(body);
}
