import { createHash } from "node:crypto";
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";

/** What one request meets; without one left, the server does everything right. */
export type ServerFault =
  /** So many bytes of the body, then the connection is gone. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** The same, and the answer says nothing of its length: an end and a cut look alike. */
  | { readonly kind: "cut-without-length"; readonly afterBytes: number }
  /** One byte of the whole file is another one; `ofRest`: only for who asks for the rest of it. */
  | { readonly kind: "wrong-byte"; readonly at: number; readonly ofRest?: true }
  /** The length is said, and sent, as that of a file so much longer, or shorter. */
  | { readonly kind: "wrong-size"; readonly by: number }
  | { readonly kind: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: "ignores-range" }
  /** A part of whatever the file is now. */
  | { readonly kind: "ignores-if-range" }
  /** A part, but another one than was asked for. */
  | { readonly kind: "wrong-range" }
  /** So many bytes, then silence. */
  | { readonly kind: "silent"; readonly afterBytes: number }
  | { readonly kind: "endless" }
  /** A byte now and then. */
  | { readonly kind: "drip" }
  | { readonly kind: "no-length" };

export interface ServedRequest {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  /** Of the body, that were handed to the system. */
  sentBytes: number;
}

export interface ModelServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: ServedRequest[];
  /** Replaced: the file is another one from now on. */
  content: Buffer;
  readonly faults: ServerFault[];
  /** With a validator or without, and of which kind. */
  validator: "etag" | "weak" | "date" | "none";
}

/** One file over HTTP on loopback, with ranges as RFC 9110 has them, and with faults in the order that the test puts in. */
export async function modelServer(content: Buffer, path = "/model.onnx"): Promise<ModelServer> {
  const requests: ServedRequest[] = [];
  const faults: ServerFault[] = [];
  const server = http.createServer((request, answer) => {
    answer.on("error", () => undefined);
    void serve(served, request, answer).catch(() => answer.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const served: ModelServer = {
    url: `http://127.0.0.1:${port}${path}`,
    requests,
    content,
    faults,
    validator: "etag",
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return served;
}

export function sha256Of(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

async function serve(server: ModelServer, request: IncomingMessage, answer: ServerResponse): Promise<void> {
  const fault = server.faults.shift();
  const { range, "if-range": ifRange } = request.headers;
  const seen: ServedRequest = { range, ifRange: ifRange?.toString(), sentBytes: 0 };
  server.requests.push(seen);
  if (fault?.kind === "status") {
    answer.writeHead(fault.status, fault.headers).end();
    return;
  }
  if (fault?.kind === "endless" || fault?.kind === "drip") {
    answer.writeHead(200);
    const [chunkBytes, pauseMs] = fault.kind === "drip" ? [1, 20] : [65_536, 0];
    await pipeline(withoutEnd(chunkBytes, pauseMs), answer);
    return;
  }
  const file = fileWith(server.content, fault, range !== undefined);
  const asked = fault?.kind === "ignores-if-range" ? { ...seen, ifRange: undefined } : seen;
  const start = fault?.kind === "ignores-range" ? 0 : startOf(server, asked);
  if (start > file.length || (start === file.length && start > 0)) {
    answer.writeHead(416, { "Content-Range": `bytes */${file.length}` }).end();
    return;
  }
  const from = fault?.kind === "wrong-range" && start > 0 ? start - 1 : start;
  const body = file.subarray(from);
  const hasLength = fault?.kind !== "no-length" && fault?.kind !== "cut-without-length";
  answer.writeHead(start > 0 ? 206 : 200, {
    ...validatorHeaders(server),
    ...(hasLength ? { "Content-Length": body.length } : {}),
    ...(start > 0 ? { "Content-Range": `bytes ${from}-${file.length - 1}/${file.length}` } : {}),
    // Then the end of the connection is the end of the body.
    ...(fault?.kind === "cut-without-length" ? { Connection: "close", "Transfer-Encoding": "identity" } : {}),
  });
  await sendBody(answer, body, seen, fault);
}

async function sendBody(
  answer: ServerResponse,
  body: Buffer,
  seen: ServedRequest,
  fault: ServerFault | undefined,
): Promise<void> {
  const isPart = fault !== undefined && "afterBytes" in fault;
  const part = isPart ? body.subarray(0, Math.min(fault.afterBytes, body.length)) : body;
  seen.sentBytes = part.length;
  if (!isPart) {
    answer.end(part);
    return;
  }
  answer.flushHeaders();
  if (part.length > 0) await new Promise<void>((done) => answer.write(part, () => done()));
  if (fault.kind === "silent") return;
  // What the system holds back leaves before the end does.
  await delay(5);
  if (fault.kind === "cut-without-length") answer.socket?.end();
  else answer.destroy();
}

async function* withoutEnd(chunkBytes: number, pauseMs: number): AsyncGenerator<Buffer> {
  for (;;) {
    yield Buffer.alloc(chunkBytes, 7);
    await delay(pauseMs);
  }
}

function fileWith(content: Buffer, fault: ServerFault | undefined, isRest: boolean): Buffer {
  if (fault?.kind === "wrong-byte") {
    if (fault.ofRest === true && !isRest) return content;
    const copy = Buffer.from(content);
    copy[fault.at] = (copy[fault.at] ?? 0) ^ 0xff;
    return copy;
  }
  if (fault?.kind !== "wrong-size") return content;
  return fault.by < 0 ? content.subarray(0, fault.by) : Buffer.concat([content, Buffer.alloc(fault.by, 1)]);
}

/** 0 where no range is asked for, or one of another file. */
function startOf(server: ModelServer, { range, ifRange }: ServedRequest): number {
  const [, start] = /^bytes=(\d+)-$/.exec(range ?? "") ?? [];
  if (start === undefined) return 0;
  const headers = validatorHeaders(server);
  const isSame = ifRange === undefined || ifRange === headers["ETag"] || ifRange === headers["Last-Modified"];
  return isSame ? Number(start) : 0;
}

function validatorHeaders({ content, validator }: ModelServer): Readonly<Record<string, string>> {
  const digest = sha256Of(content);
  switch (validator) {
    case "etag":
      return { ETag: `"${digest.slice(0, 16)}"` };
    case "weak":
      return { ETag: `W/"${digest.slice(0, 16)}"` };
    case "date":
      return { "Last-Modified": new Date(1_700_000_000_000 + content.length * 1_000).toUTCString() };
    case "none":
      return {};
  }
}
