import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/**
 * A web server that answers badly and repeats to the client what the client sent, as debug pages and captive portals do.
 * The first step of the path says how.
 */
export class HostileServer implements AsyncDisposable {
  /** Path and headers of every request, proxy requests included: what a thief in its place would know. */
  readonly requests: { readonly path: string; readonly headers: http.IncomingHttpHeaders }[] = [];
  readonly #redirectTo: string;
  readonly #sockets = new Set<Socket>();
  readonly #server = http.createServer((request, response) => this.#answer(request, response));
  #port = 0;

  /** `redirectTo` gets the client's token in its query, where it would show in logs. */
  constructor(redirectTo = "") {
    this.#redirectTo = redirectTo;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<this> {
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
    });
    this.#server.on("connect", (request, socket: Socket) => this.#tunnel(request, socket));
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push({ path: request.url ?? "", headers: request.headers });
    const token = String(request.headers["token"]);
    const [, how = ""] = (request.url ?? "").split("/");
    const echo = `${token} ${encodeURIComponent(token)} ${JSON.stringify(request.headers)}`;
    const reply = (status: number, type: string, body: string, headers: http.OutgoingHttpHeaders = {}) =>
      response.writeHead(status, `Bad ${encodeURIComponent(token)}`, { "Content-Type": type, ...headers }).end(body);
    request.resume().on("error", () => undefined);
    switch (how) {
      case "refuse":
        reply(401, "application/json", JSON.stringify({ errorCode: 401, errorMsg: echo }), {
          "WWW-Authenticate": 'Basic realm="hostile"',
        });
        return;
      case "reject":
        reply(400, "application/json", JSON.stringify({ errorCode: 400, errorMsg: echo }));
        return;
      case "break":
        reply(500, "text/html", `<html><pre>${echo}</pre></html>`);
        return;
      case "portal":
        reply(200, "text/html", `<!doctype html><html>${echo}</html>`);
        return;
      case "redirect":
        reply(302, "text/plain", echo, { Location: `${this.#redirectTo}/?token=${encodeURIComponent(token)}` });
        return;
      case "hang":
        return;
      default:
        request.socket.resetAndDestroy();
    }
  }

  /** As a proxy it refuses, and says in its answer what it was given. */
  #tunnel(request: IncomingMessage, socket: Socket): void {
    this.requests.push({ path: request.url ?? "", headers: request.headers });
    const echo = JSON.stringify(request.headers);
    const head = `HTTP/1.1 407 Refused\r\nContent-Type: text/plain\r\nX-Echo: ${echo}`;
    socket.end(`${head}\r\nContent-Length: ${echo.length}\r\nConnection: close\r\n\r\n${echo}`);
  }
}
