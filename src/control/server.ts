import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AgentError, asAgentError } from "../core/errors.ts";
import { controlLimits } from "../core/limits.ts";
import type { Logger } from "../core/ports.ts";
import { readBody } from "./body.ts";
import {
  decodeMessage,
  encodeMessage,
  errorValue,
  type Message,
  methodPath,
  protocol,
  protocolHeader,
} from "./message.ts";
import { methodOf, type Offer } from "./methods.ts";

/** Mode 0600: to connect to a Unix socket one needs the right to write to it. */
const onlyOwner = 0o177;

/**
 * Serves the queue and the choice of a model to commands of the daemon's own user, over a Unix socket that nobody else may open. It runs beside the
 * daemon's work and is never a reason for that to stop: where it cannot listen the daemon says so and goes without.
 */
export class ControlServer {
  readonly #path: string;
  readonly #offer: Offer;
  readonly #log: Logger;
  #server: Server | undefined;
  #requests = 0;

  /** `path` is the socket's, in the data folder. */
  constructor(path: string, offer: Offer, log: Logger) {
    this.#path = path;
    this.#offer = offer;
    this.#log = log;
  }

  /** The spool is running, so this process owns the folder, and a socket in it is a killed daemon's. */
  async start(signal: AbortSignal): Promise<void> {
    const path = this.#path;
    signal.throwIfAborted();
    try {
      if (Buffer.byteLength(path) > controlLimits.pathBytesMax) {
        throw new Error(`its path is longer than the ${controlLimits.pathBytesMax} bytes that a socket's may have`);
      }
      await rm(path, { force: true });
      this.#server = await this.#listening(path);
    } catch (error) {
      const { message } = asAgentError(error, `listen on ${path}`);
      this.#log.warn("control.unavailable", { path, message });
    }
  }

  /** Ends what is under way; the queue finishes its step. Safe at any time, also twice. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async #listening(path: string): Promise<Server> {
    const { requestTimeoutMs, idleTimeoutMs, connectionsMax } = controlLimits;
    const server = createServer(
      {
        requestTimeout: requestTimeoutMs,
        headersTimeout: requestTimeoutMs,
        connectionsCheckingInterval: 1_000,
        maxHeaderSize: 4_096,
        keepAlive: false,
      },
      (request, response) => void this.#serve(request, response),
    );
    server.maxConnections = connectionsMax;
    server.timeout = idleTimeoutMs;
    // The socket is made within `listen`, so that nothing else is made under this mask, and no moment is left in
    // which others might connect.
    const before = process.umask(onlyOwner);
    try {
      server.listen(path);
    } finally {
      process.umask(before);
    }
    await once(server, "listening");
    server.on("error", (error) => this.#log.warn("control.failed", { message: error.message }));
    return server;
  }

  /** Never fails: what goes wrong is the answer, or nobody is there any more to get it. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined);
    this.#requests += 1;
    try {
      send(response, 200, await this.#answer(request));
    } catch (error) {
      // The connection broke off, or took too long.
      if (request.destroyed && !request.complete) response.destroy();
      else send(response, 500, { value: errorValue(asAgentError(error, `control ${request.url ?? ""}`)) });
    } finally {
      this.#requests -= 1;
    }
  }

  async #answer(request: IncomingMessage): Promise<Message> {
    const { url = "", method = "" } = request;
    if (this.#requests > controlLimits.requestsMax) {
      throw new AgentError("CONTROL_BUSY", `control ${url}: ${controlLimits.requestsMax} requests are under way`, {
        disposition: "retry",
      });
    }
    if (method !== "POST" || !url.startsWith(methodPath)) {
      throw new AgentError("CONTROL_UNKNOWN", "control: there is nothing here but the queue and the model in use", {
        disposition: "reject",
      });
    }
    const { answer, requestBytesMax, idleTimeoutMs } = methodOf(url.slice(methodPath.length));
    request.setTimeout(idleTimeoutMs);
    return await answer(this.#offer, decodeMessage(await readBody(request, requestBytesMax)));
  }
}

function send(response: ServerResponse, status: number, message: Message): void {
  if (response.destroyed) return;
  const body = encodeMessage(message);
  // One request a connection: nothing of a body that was not read to its end can pass for the next.
  response.writeHead(status, { [protocolHeader]: protocol, connection: "close", "content-length": body.length });
  response.end(body);
}
