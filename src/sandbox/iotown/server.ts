import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { ContractViolation, parseImageUpload, requireTruth, type SandboxImage, type SandboxTruth } from "./contract.ts";
import type { SandboxFault } from "./faults.ts";
import { SandboxStore, type StoredImage } from "./store.ts";

export interface IotownSandboxOptions {
  /** The token that is right; compared whole. */
  readonly token: string;
  /** 0 picks a free one. */
  readonly port?: number;
  /** PEM texts, for https; `clientCa` demands a client certificate. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
  /** Called for every image stored, before the answer. */
  readonly onImage?: (image: SandboxImage) => void;
}

export interface SandboxCounts {
  readonly requests: number;
  readonly connections: number;
  readonly bodyBytes: number;
  /** Uploads answered as stored, repeats included. */
  readonly accepted: number;
  readonly violations: number;
}

const bodyBytesMax = 64 * 1024 * 1024;

/**
 * A stand-in for an IoT.own server on this machine: strict about the contract, with faults on demand. A violation is
 * answered with 400, 401 or 404 and remembered as one sentence.
 */
export class IotownSandbox {
  readonly #options: IotownSandboxOptions;
  readonly #store = new SandboxStore();
  readonly #faults: { readonly fault: SandboxFault; left: number }[] = [];
  #stopping = new AbortController();
  #server: http.Server | undefined;
  #requests = 0;
  #connections = 0;
  #bodyBytes = 0;

  constructor(options: IotownSandboxOptions) {
    this.#options = options;
  }

  async start(): Promise<{ readonly url: string }> {
    this.#stopping = new AbortController();
    const { tls, port = 0 } = this.#options;
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#store.violate(`the sandbox itself failed: ${String(error)}`);
        response.destroy();
      });
    };
    const server =
      tls === undefined
        ? http.createServer(answer)
        : https.createServer(
            {
              cert: tls.cert,
              key: tls.key,
              ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
            },
            answer,
          );
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

  /** The next `times` requests meet this fault, after faults given earlier. */
  fault(fault: SandboxFault, times = 1): void {
    this.#faults.push({ fault, left: times });
  }

  /** Forgets all faults not yet met. */
  heal(): void {
    this.#faults.length = 0;
  }

  /**
   * From now on an image with this hash must carry exactly these boxes, and one with a hash that nobody named is a
   * violation: the same bytes decode to the same pixels, and the sandbox decodes none.
   */
  expect(sha256: string, truth: SandboxTruth): void {
    this.#store.expect(sha256, truth);
  }

  stored(): readonly StoredImage[] {
    return this.#store.images();
  }

  violations(): readonly string[] {
    return this.#store.violations();
  }

  counts(): SandboxCounts {
    return {
      requests: this.#requests,
      connections: this.#connections,
      bodyBytes: this.#bodyBytes,
      accepted: this.#store.accepted,
      violations: this.#store.violationCount,
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#requests += 1;
    const fault = this.#nextFault();
    // Whatever cuts a request short is the client's affair; the server must outlive it.
    request.on("error", ignore);
    response.on("error", ignore);
    if (fault?.kind === "reset-early") {
      request.socket.resetAndDestroy();
      return;
    }
    const body = await this.#readBody(request);
    if (body === undefined) return;
    const verdict = this.#judge(request, body);
    if (fault !== undefined) return this.#misbehave(fault, verdict, request, response);
    if (verdict.image !== undefined) this.#keep(verdict.image);
    send(response, verdict.status, verdict.answer);
  }

  #nextFault(): SandboxFault | undefined {
    const [first] = this.#faults;
    if (first === undefined) return undefined;
    first.left -= 1;
    if (first.left <= 0) this.#faults.shift();
    return first.fault;
  }

  async #readBody(request: IncomingMessage): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        sizeBytes += chunk.length;
        this.#bodyBytes += chunk.length;
        if (sizeBytes <= bodyBytesMax) chunks.push(chunk);
      }
    } catch {
      return undefined;
    }
    return Buffer.concat(chunks);
  }

  #judge(request: IncomingMessage, body: Buffer): Verdict {
    try {
      const image = this.#check(request, body);
      return { status: 200, answer: image === undefined ? { nodes: [] } : success, ...(image && { image }) };
    } catch (error) {
      if (!(error instanceof ContractViolation)) throw error;
      const status = error instanceof Refused ? error.status : 400;
      const sentence = `${request.method ?? ""} ${pathOf(request)}: ${error.message}`;
      this.#store.violate(sentence.replaceAll(this.#options.token, "***"));
      return { status, answer: { errorCode: status, errorMsg: error.message } };
    }
  }

  /** The image of an upload; undefined for a request that sends none. */
  #check(request: IncomingMessage, body: Buffer): SandboxImage | undefined {
    const { token } = this.#options;
    const operation = `${request.method ?? ""} ${pathOf(request)}`;
    if (operation !== "POST /api/v1.0/nn/image" && operation !== "GET /api/v1.0/nodes") {
      throw new Refused(404, "no such method and path");
    }
    if ((request.url ?? "").includes("?")) throw new ContractViolation("this operation takes no query");
    if (body.includes(token)) throw new ContractViolation("the token is in the body");
    if (request.headers["token"] !== token) {
      throw new Refused(401, request.headers["token"] === undefined ? "the Token header is missing" : "Invalid Token");
    }
    if (request.headers.authorization !== undefined) throw new ContractViolation("an Authorization header came along");
    if (request.method === "GET") return undefined;
    const image = parseImageUpload(request.headers["content-type"] ?? "", body);
    const truth = this.#store.truthOf(image.sha256);
    if (truth !== undefined) requireTruth(image, truth);
    else if (this.#store.knowsAllImages) throw new ContractViolation("the image is none of those that were captured");
    return image;
  }

  #keep(image: SandboxImage): void {
    this.#store.keep(image);
    this.#options.onImage?.(image);
  }

  async #misbehave(
    fault: Exclude<SandboxFault, { readonly kind: "reset-early" }>,
    verdict: Verdict,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const stores = fault.kind === "late" || ("stores" in fault && fault.stores);
    if (stores && verdict.image !== undefined) this.#keep(verdict.image);
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
      case "late":
        await this.#pause(fault.delayMs);
        send(response, verdict.status, verdict.answer);
        return;
      case "long-answer":
        response.writeHead(200, { "Content-Type": "application/json" }).end(Buffer.alloc(fault.sizeBytes, " "));
        return;
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(ignore);
  }
}

interface Verdict {
  readonly status: number;
  readonly answer: object;
  readonly image?: SandboxImage;
}

/** A violation that has a status of its own. */
class Refused extends ContractViolation {
  readonly status: number;

  constructor(status: number, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

const success = { errorCode: 200, errorMsg: "OK" };

function ignore(): void {
  // Nothing to do.
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}

function send(response: ServerResponse, status: number, answer: object): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
}
