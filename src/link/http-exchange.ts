import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { AgentError, errnoOf } from "../core/errors.ts";

/**
 * The transport axios is given instead of its own choice, for three reasons: with its own, `timeout` would count from the
 * start to the first byte of the answer and end every slow upload; nobody else bounds the connecting; and a body of
 * several Buffers would have to be joined first.
 */
export class HttpExchange {
  readonly #connectTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  readonly #body: readonly Buffer[];
  #answer: IncomingMessage | undefined;
  #request: ClientRequest | undefined;
  #sent = false;
  #socket: Socket | undefined;
  /** What other requests had sent on this connection; undefined until there is one. */
  #writtenBefore: number | undefined;
  #wasCut = false;

  /** `idleTimeoutMs` holds from the first byte of the answer on. Of the body axios itself knows nothing. */
  constructor(connectTimeoutMs: number, idleTimeoutMs: number, body: readonly Buffer[] = []) {
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#body = body;
  }

  request(options: https.RequestOptions, onAnswer: (answer: IncomingMessage) => void): ClientRequest {
    const open = options.protocol === "https:" ? https.request : http.request;
    const request = open(options, (answer) => {
      this.#answer = answer;
      request.setTimeout(this.#idleTimeoutMs);
      onAnswer(answer);
    });
    this.#request = request;
    if (this.#wasCut) request.destroy();
    request.once("finish", () => (this.#sent = true));
    request.once("socket", (socket) => {
      if (!request.reusedSocket) limitConnecting(socket, this.#connectTimeoutMs);
      this.#socket = socket;
      const opened = request.reusedSocket ? undefined : openedEvent(socket);
      if (opened === undefined) this.#writtenBefore = socket.bytesWritten;
      else socket.once(opened, () => (this.#writtenBefore = 0));
    });
    // Until axios ends it, so that the head and the pieces leave together.
    request.cork();
    for (const piece of this.#body) request.write(piece);
    return request;
  }

  /** Ends the request in whatever state it is, also before it exists. */
  readonly cut = (): void => {
    this.#wasCut = true;
    this.#request?.destroy();
  };

  /** Every byte of the request has been handed to the system. */
  get sent(): boolean {
    return this.#sent;
  }

  /**
   * Head and body, as they were handed to a connection; TLS and TCP add to it. Of a request that failed halfway the rest
   * counts too: what the system still held back cannot be told.
   */
  get sentBytes(): number {
    return this.#writtenBefore === undefined ? 0 : (this.#socket?.bytesWritten ?? 0) - this.#writtenBefore;
  }

  /** What cut the answer short, when something did: axios reports that and its own size limit with one code. */
  answerErrno(): string | undefined {
    return errnoOf(this.#answer?.errored);
  }
}

/** Of a new socket. Inside a tunnel that of a plain request is connected already. */
function openedEvent(socket: Socket): "secureConnect" | "connect" | undefined {
  if (socket instanceof TLSSocket) return "secureConnect";
  return socket.connecting ? "connect" : undefined;
}

function limitConnecting(socket: Socket, timeoutMs: number): void {
  const opened = openedEvent(socket);
  if (opened === undefined) return;
  // The pool's time for unused connections runs on this socket too, and would end one that is still being made.
  socket.setTimeout(0);
  const timer = setTimeout(() => socket.destroy(connectTimeout(timeoutMs)), timeoutMs);
  const clear = (): void => clearTimeout(timer);
  socket.once(opened, clear);
  socket.once("close", clear);
}

function connectTimeout(timeoutMs: number): AgentError {
  return new AgentError("NET_CONNECT_TIMEOUT", `no connection within ${timeoutMs} ms`, {
    disposition: "retry",
  });
}
