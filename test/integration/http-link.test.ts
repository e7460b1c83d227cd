import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net, { type Socket } from "node:net";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { afterEach, describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { linkLimits } from "../../src/core/deliver-limits.ts";
import { HttpLink, type HttpLinkOptions, type HttpRequest } from "../../src/link/http.ts";
import { missing } from "../lib/programs.ts";
import { tcpServer, unusedPort } from "../lib/servers.ts";

const never = new AbortController().signal;
const canaries = {
  token: "canary-token-31415",
  body: "canary-body-27182",
  query: "canary-query-16180",
  password: "canary-password-14142",
};

describe("HTTP link", () => {
  const links: HttpLink[] = [];
  const linkOf = (options: HttpLinkOptions = {}): HttpLink => {
    const link = new HttpLink(options);
    links.push(link);
    return link;
  };
  afterEach(() => {
    for (const link of links.splice(0)) link.close();
  });

  const post = (port: number | string, changes: Partial<HttpRequest> = {}): HttpRequest => ({
    method: "POST",
    url: `http://user:${canaries.password}@127.0.0.1:${port}/path?key=${canaries.query}`,
    headers: { Token: canaries.token, "Content-Type": "text/plain" },
    body: Buffer.from(canaries.body.repeat(1_000)),
    ...changes,
  });

  /** The error of a request; checks on the way that none of its secrets can be found in it. */
  async function failureOf(link: HttpLink, request: HttpRequest, signal = never): Promise<AgentError> {
    const error = await link.request(request, signal).then(
      (answer) => assert.fail(`answered ${answer.status}`),
      (failure: unknown) => failure,
    );
    assert.ok(error instanceof AgentError, `not an AgentError: ${String(error)}`);
    assert.equal(error.cause, undefined);
    assert.deepEqual(canariesIn(error), []);
    return error;
  }

  it("resolves every status with headers and body", async () => {
    await using server = await tcpServer((socket) => {
      socket.on("data", () => socket.end("HTTP/1.1 418 Teapot\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nshort"));
    });
    const answer = await linkOf().request(post(server.port), never);
    assert.equal(answer.status, 418);
    assert.equal(answer.headers["x-one"], "1");
    assert.equal(answer.body.toString(), "short");
  });

  it("tells its meter every byte that went to the server, and none of what did not", async () => {
    let received = 0;
    await using server = await tcpServer((socket) => {
      socket.on("data", (chunk: Buffer) => {
        received += chunk.length;
        if (chunk.includes("end-of-body")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      });
    });
    let [counted, told] = [0, 0];
    const meter = (bytes: number) => {
      counted += bytes;
      told += 1;
    };
    const link = linkOf({ meter, socketsMax: 1 });
    for (const size of [10, 300_000, 1]) {
      const body = [Buffer.alloc(size, "x"), Buffer.from("end-of-body")];
      await link.request(post(server.port, { body }), never);
    }
    assert.deepEqual([counted, told], [received, 3], "head and body, also on a connection that is used again");
    const sent = received;
    assert.ok(sent > 300_300);
    await failureOf(linkOf({ meter }), post(await unusedPort()));
    await failureOf(linkOf({ meter }), post(server.port, { url: `https://127.0.0.1:${server.port}/` }));
    assert.equal(counted, sent);
  });

  it("tells its meter of a request that breaks off, at most the whole of it", async () => {
    const bodyBytes = 4_000_000;
    let received = 0;
    await using server = await tcpServer((socket) => {
      socket.on("data", (chunk: Buffer) => {
        received += chunk.length;
        if (received > 100_000) socket.resetAndDestroy();
      });
    });
    let counted = 0;
    const link = linkOf({ meter: (bytes) => (counted += bytes) });
    const error = await failureOf(link, post(server.port, { body: Buffer.alloc(bodyBytes, 1) }));
    assert.equal(error.code, "NET_RESET");
    assert.ok(counted >= received && counted < bodyBytes + 1_000, `${counted} of ${received} received`);
  });

  it("reports a refused connection", async () => {
    const error = await failureOf(linkOf(), post(await unusedPort()));
    assert.equal(error.code, "NET_REFUSED");
    assert.match(error.message, /^POST http:\/\/127\.0\.0\.1:\d+\/path: connection refused \(ECONNREFUSED\)$/);
  });

  it("reports a name that nobody knows", async () => {
    const error = await failureOf(linkOf(), post(0, { url: "http://framepost.invalid/path" }));
    assert.equal(error.code, "NET_DNS");
  });

  it("reports an address that cannot be reached", async function () {
    // A multicast address takes no TCP connection, whatever the network.
    const error = await failureOf(linkOf({ connectTimeoutMs: 500 }), post(0, { url: "http://224.0.0.1:9/path" }));
    if (error.code === "NET_CONNECT_TIMEOUT") missing(this, "a kernel that refuses TCP to a multicast address");
    assert.equal(error.code, "NET_UNREACHABLE");
  });

  it("gives up on a connection that is never made", async function () {
    this.timeout(10_000);
    await using full = await fullListener();
    if (!full.isFull) missing(this, "a kernel that drops connections to a full backlog");
    const startedMs = performance.now();
    const patient = failureOf(linkOf({ connectTimeoutMs: linkLimits.socketUnusedMs + 500 }), post(full.port));
    const error = await failureOf(linkOf({ connectTimeoutMs: 300 }), post(full.port));
    assert.equal(error.code, "NET_CONNECT_TIMEOUT");
    assert.ok(performance.now() - startedMs < 1_500);
    // Longer than an unused connection may last, which must not end one that is being made.
    assert.equal((await patient).code, "NET_CONNECT_TIMEOUT");
    assert.ok(performance.now() - startedMs > linkLimits.socketUnusedMs + 400);
  });

  it("gives up on a TLS handshake that never ends", async () => {
    await using server = await tcpServer(() => undefined);
    const url = `https://127.0.0.1:${server.port}/path`;
    const error = await failureOf(linkOf({ connectTimeoutMs: 200 }), post(0, { url }));
    assert.equal(error.code, "NET_CONNECT_TIMEOUT");
  });

  it("ends a request that stays without an answer", async () => {
    await using server = await tcpServer((socket) => socket.resume());
    const error = await failureOf(linkOf({ idleTimeoutMs: 200 }), post(server.port, { body: Buffer.from("small") }));
    assert.equal(error.code, "NET_TIMEOUT");
  });

  it("ends an answer that stops coming, however large the body was", async () => {
    await using server = await tcpServer((socket) => {
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"));
      socket.resume();
    });
    const body = Buffer.alloc(500_000);
    const error = await failureOf(linkOf({ idleTimeoutMs: 200 }), post(server.port, { body }));
    assert.equal(error.code, "NET_TIMEOUT");
    assert.match(error.message, /no byte/);
  });

  it("does not take an upload that leaves slowly for silence", async () => {
    await using server = await tcpServer((socket) => {
      // 2 MB in about 0.6 s, three times the idle limit; then an answer.
      let taken = 0;
      socket.on("data", (chunk) => {
        taken += chunk.length;
        if (taken > 2_000_000) socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        socket.pause();
        setTimeout(() => socket.resume(), 15);
      });
    });
    const body = Buffer.alloc(2_000_000);
    const startedMs = performance.now();
    const answer = await linkOf({ idleTimeoutMs: 200 }).request(post(server.port, { body }), never);
    assert.equal(answer.status, 200);
    assert.ok(performance.now() - startedMs > 250, "the upload was slow enough to prove it");
  });

  it("ends an answer that drips at the total deadline", async () => {
    await using server = await tcpServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
      const timer = setInterval(() => socket.write("x"), 20);
      socket.on("close", () => clearInterval(timer));
    });
    const startedMs = performance.now();
    const error = await failureOf(linkOf({ idleTimeoutMs: 300 }), post(server.port, { deadlineMs: 700 }));
    assert.equal(error.code, "NET_TIMEOUT");
    assert.match(error.message, /within 700 ms/);
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs > 600 && tookMs < 2_000, `${tookMs} ms`);
  });

  for (const [name, prelude] of [
    ["before the answer", ""],
    ["in the middle of the headers", "HTTP/1.1 200 OK\r\nContent-"],
    ["in the middle of the body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"],
  ] as const) {
    it(`reports a connection cut ${name}`, async () => {
      await using server = await tcpServer((socket) => {
        socket.once("data", () => {
          socket.write(prelude);
          setTimeout(() => socket.resetAndDestroy(), 20);
        });
      });
      assert.equal((await failureOf(linkOf(), post(server.port))).code, "NET_RESET");
    });

    it(`reports a connection closed ${name}`, async () => {
      await using server = await tcpServer((socket) => {
        socket.once("data", () => socket.end(prelude));
        socket.resume();
      });
      const { code } = await failureOf(linkOf(), post(server.port));
      // Half a header block is also no HTTP.
      assert.ok(["NET_RESET", "HTTP_NOT_THE_PLATFORM"].includes(code), code);
    });
  }

  it("reads no more of an answer than it may", async () => {
    await using server = await tcpServer((socket) => {
      socket.on("data", () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n${"x".repeat(5_000)}`));
    });
    const error = await failureOf(linkOf(), post(server.port, { answerBytesMax: 1_000 }));
    assert.equal(error.code, "HTTP_ANSWER_TOO_LARGE");
  });

  it("reads no more of a compressed answer than it may, counted unpacked", async () => {
    const packed = gzipSync(Buffer.alloc(50_000_000));
    await using server = await tcpServer((socket) => {
      const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`;
      socket.once("data", () => socket.end(Buffer.concat([Buffer.from(head), packed])));
      socket.resume();
    });
    assert.equal((await failureOf(linkOf(), post(server.port))).code, "HTTP_ANSWER_TOO_LARGE");
  });

  it("reports a compressed answer that is damaged", async () => {
    await using server = await tcpServer((socket) => {
      socket.once("data", () =>
        socket.end("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot-gzip!"),
      );
      socket.resume();
    });
    assert.equal((await failureOf(linkOf(), post(server.port))).code, "HTTP_NOT_THE_PLATFORM");
  });

  it("reports a server that does not speak HTTP", async () => {
    await using server = await tcpServer((socket) => {
      socket.once("data", () => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
      socket.resume();
    });
    assert.equal((await failureOf(linkOf(), post(server.port))).code, "HTTP_NOT_THE_PLATFORM");
  });

  it("reports a server that speaks plain HTTP where TLS was due", async () => {
    await using server = await tcpServer((socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    });
    const url = `https://127.0.0.1:${server.port}/path`;
    assert.equal((await failureOf(linkOf(), post(0, { url }))).code, "TLS_FAILED");
  });

  it("reports a header that cannot be sent, and an address that is none, as the config's fault", async () => {
    const address = await failureOf(linkOf(), post(0, { url: "nonsense" }));
    assert.equal(address.code, "HTTP_BAD_REQUEST");
    assert.equal(address.disposition, "fatal");
  });

  for (const [name, afterwards] of [
    ["and stops reading", (socket: Socket) => void socket.pause()],
    ["and closes", (socket: Socket) => void socket.end()],
  ] as const) {
    it(`takes the answer of a server that refuses before it has the whole body ${name}`, async () => {
      await using server = await tcpServer((socket) => {
        socket.once("data", () => {
          socket.write("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
          afterwards(socket);
        });
      });
      const answer = await linkOf().request(post(server.port, { body: Buffer.alloc(30_000_000) }), never);
      assert.equal(answer.status, 413);
      assert.equal(answer.requestSent, false, "the body may not be used again yet");
    });
  }

  it("says that a body is free once the system has it", async () => {
    await using server = await tcpServer((socket) => {
      let taken = 0;
      socket.on("data", (chunk) => {
        taken += chunk.length;
        if (taken > 300_000) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      });
    });
    const answer = await linkOf().request(post(server.port, { body: Buffer.alloc(300_000) }), never);
    assert.equal(answer.requestSent, true);
  });

  it("follows no redirect", async () => {
    await using other = await tcpServer(() => undefined);
    await using server = await tcpServer((socket) => {
      const location = `http://127.0.0.1:${other.port}/`;
      socket.on("data", () => socket.end(`HTTP/1.1 307 Moved\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`));
    });
    assert.equal((await linkOf().request(post(server.port), never)).status, 307);
    assert.equal(other.connections(), 0);
  });

  it("stops at once when its caller says so, before and during a request", async () => {
    await using server = await tcpServer((socket) => socket.resume());
    assert.equal((await failureOf(linkOf(), post(server.port), AbortSignal.abort())).code, "ABORTED");
    const startedMs = performance.now();
    assert.equal((await failureOf(linkOf(), post(server.port), AbortSignal.timeout(100))).code, "ABORTED");
    assert.ok(performance.now() - startedMs < 1_000);
  });

  it("ends what is under way when it is closed, and takes nothing more", async () => {
    await using server = await tcpServer((socket) => socket.resume());
    const link = linkOf();
    const underWay = failureOf(link, post(server.port));
    setTimeout(() => link.close(), 100);
    assert.equal((await underWay).code, "ABORTED");
    assert.equal((await failureOf(link, post(server.port))).code, "ABORTED");
  });

  it("uses one connection for requests that follow each other, and two at most", async () => {
    await using server = await tcpServer((socket) => {
      socket.on("data", (chunk) => {
        if (chunk.includes("GET")) setTimeout(() => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 5);
      });
    });
    const link = linkOf();
    const get = { method: "GET", url: `http://127.0.0.1:${server.port}/`, headers: {} } as const;
    for (let turn = 0; turn < 5; turn += 1) await link.request(get, never);
    assert.equal(server.connections(), 1);
    await Promise.all(Array.from({ length: 6 }, () => link.request(get, never)));
    assert.equal(server.connections(), 2);
  });

  it("ignores the proxy settings of the environment", async () => {
    await using server = await tcpServer((socket) => {
      socket.on("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    });
    await using proxy = await tcpServer(() => undefined);
    process.env["HTTP_PROXY"] = process.env["http_proxy"] = `http://127.0.0.1:${proxy.port}`;
    try {
      assert.equal((await linkOf().request(post(server.port), never)).status, 200);
    } finally {
      delete process.env["HTTP_PROXY"];
      delete process.env["http_proxy"];
    }
    assert.equal(proxy.connections(), 0);
  });

  it("would find a secret if there were one", () => {
    const leaking = new AgentError("X", "x", { disposition: "retry", cause: { headers: { Token: canaries.token } } });
    assert.deepEqual(canariesIn(leaking), ["token"]);
    assert.deepEqual(canariesIn(new Error(`x ${canaries.query}`)), ["query"]);
    const own = Object.assign(new Error("x"), { request: { body: Buffer.from(canaries.body) } });
    assert.deepEqual(canariesIn(own), ["body"]);
  });
});

/** Which canaries can be read anywhere in an error: text, stack, every property, hidden ones too, and bytes. */
function canariesIn(error: Error): readonly string[] {
  const bytes: string[] = [];
  collectBuffers(error, bytes, new Set(), 0);
  const options = { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null };
  const text = [error.message, error.stack, JSON.stringify(error), inspect(error, options), ...bytes].join("\n");
  return Object.entries(canaries).flatMap(([name, canary]) => (text.includes(canary) ? [name] : []));
}

function collectBuffers(value: unknown, into: string[], seen: Set<unknown>, depth: number): void {
  if (typeof value !== "object" || value === null || seen.has(value) || depth > 12) return;
  seen.add(value);
  if (Buffer.isBuffer(value)) {
    into.push(value.toString("latin1"));
    return;
  }
  for (const key of Reflect.ownKeys(value)) collectBuffers(Reflect.get(value, key), into, seen, depth + 1);
}

/** A listener whose process is blocked and whose backlog is full: the kernel then lets connection attempts wait. */
async function fullListener(): Promise<AsyncDisposable & { readonly port: number; readonly isFull: boolean }> {
  const script = `
    const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      require("node:fs").writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [text] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(text.toString());
  const fillers: net.Socket[] = [];
  let isFull = false;
  while (!isFull && fillers.length < 16) {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    fillers.push(socket);
    isFull = await Promise.race([
      once(socket, "connect").then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 300)),
    ]);
  }
  return {
    port,
    isFull,
    async [Symbol.asyncDispose]() {
      for (const socket of fillers) socket.destroy();
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
