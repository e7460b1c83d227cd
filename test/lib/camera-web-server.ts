import { once } from "node:events";
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";

export interface CameraWebServerOptions {
  /** A free one when absent; given to come back where a dead server was. */
  readonly port?: number;
  /** Serves https. PEM texts. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** Answers by itself and returns false for a request that may not pass. */
  readonly gate?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface SeenRequest {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** A camera's web server on loopback that answers as the test says. Gone with `await using`. */
export class CameraWebServer implements AsyncDisposable {
  /** Every request, those that the gate refused included. */
  readonly requests: SeenRequest[] = [];
  readonly #answer: RequestListener;
  readonly #options: CameraWebServerOptions;
  readonly #sockets = new Set<Socket>();
  #server: http.Server | undefined;
  #connections = 0;
  #port = 0;

  constructor(answer: RequestListener, options: CameraWebServerOptions = {}) {
    this.#answer = answer;
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  get port(): number {
    return this.#port;
  }

  /** Since the server was made. */
  get connections(): number {
    return this.#connections;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  url(path: string): string {
    return `${this.#options.tls === undefined ? "http" : "https"}://127.0.0.1:${this.#port}${path}`;
  }

  /** Again on the same port after `stop`. */
  async start(): Promise<this> {
    const { tls } = this.#options;
    const listener: RequestListener = (request, response) => this.#take(request, response);
    const server = tls === undefined ? http.createServer(listener) : https.createServer(tls, listener);
    server.on("connection", (socket: Socket) => {
      this.#connections += 1;
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.on("tlsClientError", () => undefined);
    this.#server = server;
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    return this;
  }

  /** Resets every connection, as a camera that is switched off and on does. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    for (const socket of this.#sockets) socket.destroy();
    server.close();
    await once(server, "close");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push({ path: request.url ?? "", headers: request.headers });
    if (this.#options.gate?.(request, response) === false) return;
    this.#answer(request, response);
  }
}
