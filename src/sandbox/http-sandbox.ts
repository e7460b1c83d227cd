import { once } from "node:events";
import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { ContractViolation } from "./checks.ts";
import { html, type SandboxFault, tooLargePage } from "./faults.ts";

export interface SandboxOptions {
  /** 0 picks a free one. */
  readonly port?: number;
  /** Larger bodies are answered with 413, as soon as their length is known: by the web server before the platform. */
  readonly bodyBytesMax?: number;
  /** PEM texts, for https; `clientCa` demands a client certificate. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
}

export interface SandboxRequest {
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface SandboxAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text and Buffers as they are; anything else as JSON; nothing when absent. */
  readonly body?: unknown;
}

export interface SandboxCounts {
  readonly requests: number;
  readonly connections: number;
  readonly bodyBytes: number;
  /** Pictures answered as stored, repeats included. */
  readonly accepted: number;
  readonly violations: number;
}

/** Chooses what becomes of a request by its `METHOD /path`: undefined for no fault. */
export type SandboxStorm = (operation: string) => SandboxFault | undefined;

const keptBytesMax = 64 * 1024 * 1024;
const violationsMax = 1_000;

/** In the words of a web server that stands before the platform, which never sees the request. */
const tooLarge: SandboxAnswer = { status: 413, headers: html, body: tooLargePage };

/**
 * A stand-in for a platform on this machine: strict about its contract, with faults on demand. A violation is answered
 * with its status and remembered as one sentence. Subclasses know one platform each.
 */
export abstract class HttpSandbox {
  readonly #options: SandboxOptions;
  readonly #faults: { readonly fault: SandboxFault; readonly on?: RegExp; left: number }[] = [];
  #storm: SandboxStorm | undefined;
  readonly #violations: string[] = [];
  #stopping = new AbortController();
  #server: http.Server | undefined;
  #requests = 0;
  #connections = 0;
  #bodyBytes = 0;
  #violationCount = 0;

  constructor(options: SandboxOptions) {
    this.#options = options;
  }

  /**
   * Judges a request without any effect, or throws a ContractViolation. The function returned makes the effect happen
   * and gives the answer: a fault may call it and swallow the answer, or not call it at all.
   */
  protected abstract judge(request: SandboxRequest): () => SandboxAnswer;
  /** How the platform words a refusal. */
  protected abstract refusal(status: number, sentence: string): SandboxAnswer;
  /** Never in a violation's sentence. */
  protected abstract secrets(): readonly string[];
  protected abstract accepted(): number;

  async start(): Promise<{ readonly url: string }> {
    this.#stopping = new AbortController();
    const { tls, port = 0 } = this.#options;
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch((error: unknown) => {
        this.violate(`the sandbox itself failed: ${String(error)}`);
        response.destroy();
      });
    };
    const server = tls === undefined ? http.createServer(answer) : https.createServer(tlsOptions(tls), answer);
    server.on("connection", () => (this.#connections += 1));
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    this.#server = server;
    const address = server.address() as AddressInfo;
    return { url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${address.port}` };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  /**
   * The next `times` requests meet this fault, after faults given earlier; with `on`, only those whose
   * `METHOD /path` it matches.
   */
  fault(fault: SandboxFault, times = 1, on?: RegExp): void {
    this.#faults.push({ fault, left: times, ...(on === undefined ? {} : { on }) });
  }

  /** From now on any request may meet a fault, beside those that `fault` was given. */
  storm(storm: SandboxStorm): void {
    this.#storm = storm;
  }

  /** Forgets all faults not yet met. */
  heal(): void {
    this.#faults.length = 0;
    this.#storm = undefined;
  }

  violations(): readonly string[] {
    return [...this.#violations];
  }

  counts(): SandboxCounts {
    return {
      requests: this.#requests,
      connections: this.#connections,
      bodyBytes: this.#bodyBytes,
      accepted: this.accepted(),
      violations: this.#violationCount,
    };
  }

  protected violate(sentence: string): void {
    this.#violationCount += 1;
    if (this.#violations.length >= violationsMax) return;
    this.#violations.push(this.secrets().reduce((text, secret) => text.replaceAll(secret, "***"), sentence));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#requests += 1;
    const operation = `${request.method ?? ""} ${pathOf(request)}`;
    const fault = this.#nextFault(operation);
    // Whatever cuts a request short is the client's affair; the server must outlive it.
    request.on("error", ignore);
    response.on("error", ignore);
    if (fault?.kind === "reset-early") {
      request.socket.resetAndDestroy();
      return;
    }
    const { bodyBytesMax = Infinity } = this.#options;
    const isAnnounced = Number(request.headers["content-length"] ?? 0) > bodyBytesMax;
    if (isAnnounced) send(response, tooLarge);
    const body = await this.#readBody(request);
    if (body === undefined || isAnnounced) return;
    if (body.length > bodyBytesMax) {
      send(response, tooLarge);
      return;
    }
    const effect = this.#judged(operation, asSandboxRequest(request, body));
    if (fault !== undefined) return this.#misbehave(fault, effect, request, response);
    send(response, effect());
  }

  #judged(operation: string, request: SandboxRequest): () => SandboxAnswer {
    try {
      return this.judge(request);
    } catch (error) {
      if (!(error instanceof ContractViolation)) throw error;
      this.violate(`${operation}: ${error.message}`);
      const answer = this.refusal(error.status, error.message);
      return () => answer;
    }
  }

  #nextFault(operation: string): SandboxFault | undefined {
    const at = this.#faults.findIndex(({ on }) => on === undefined || on.test(operation));
    const found = this.#faults[at];
    if (found === undefined) return this.#storm?.(operation);
    found.left -= 1;
    if (found.left <= 0) this.#faults.splice(at, 1);
    return found.fault;
  }

  async #readBody(request: IncomingMessage): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        sizeBytes += chunk.length;
        this.#bodyBytes += chunk.length;
        if (sizeBytes <= keptBytesMax) chunks.push(chunk);
      }
    } catch {
      return undefined;
    }
    return Buffer.concat(chunks);
  }

  async #misbehave(
    fault: Exclude<SandboxFault, { readonly kind: "reset-early" }>,
    effect: () => SandboxAnswer,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if ("stores" in fault && fault.stores) effect();
    switch (fault.kind) {
      case "answer":
        response.writeHead(fault.status, fault.headers).end(fault.body);
        return;
      case "reset-late":
        request.socket.resetAndDestroy();
        return;
      case "reset-answer":
        response.writeHead(200, { "Content-Length": "100" }).write('{"errorCode":');
        await this.#pause(20);
        request.socket.resetAndDestroy();
        return;
      case "hang":
        return;
      case "drip":
        response.writeHead(200, { "Content-Type": "application/json" });
        while (!response.destroyed && !this.#stopping.signal.aborted) {
          response.write(" ");
          await this.#pause(fault.everyMs);
        }
        return;
      case "late": {
        const answer = effect();
        await this.#pause(fault.delayMs);
        send(response, answer);
        return;
      }
      case "long-answer":
        response.writeHead(200, { "Content-Type": "application/json" }).end(Buffer.alloc(fault.sizeBytes, " "));
        return;
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(ignore);
  }
}

function tlsOptions({ cert, key, clientCa }: NonNullable<SandboxOptions["tls"]>): https.ServerOptions {
  return {
    cert,
    key,
    ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  };
}

function asSandboxRequest(request: IncomingMessage, body: Buffer): SandboxRequest {
  const { method = "", url = "", headers } = request;
  const at = url.indexOf("?");
  const query = new URLSearchParams(at === -1 ? "" : url.slice(at + 1));
  return { method, path: pathOf(request), query, headers, body };
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}

function send(response: ServerResponse, { status, headers, body }: SandboxAnswer): void {
  const bytes = body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const isJson = bytes !== undefined && bytes !== body;
  response.writeHead(status, { ...(isJson ? { "Content-Type": "application/json" } : {}), ...headers }).end(bytes);
}

function ignore(): void {
  // Nothing to do.
}
