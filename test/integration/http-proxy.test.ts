import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { afterEach, describe, it } from "mocha";
import { tls } from "../../src/config/values.ts";
import { AgentError } from "../../src/core/errors.ts";
import { HttpLink, type HttpLinkOptions } from "../../src/link/http.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { needsProgram } from "../lib/programs.ts";
import { tcpServer, unusedPort } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";

const token = "proxy-token-canary";
const password = "proxy-password-canary";

describe("HTTP link through a proxy", () => {
  const undo: (() => unknown)[] = [];
  afterEach(async () => {
    for (const stop of undo.splice(0).reverse()) await stop();
  });

  async function town(tlsFiles?: { readonly cert: string; readonly key: string }): Promise<string> {
    const sandbox = new IotownSandbox({ token, ...(tlsFiles && { tls: tlsFiles }) });
    undo.push(() => sandbox.stop());
    return (await sandbox.start()).url;
  }

  function linkThrough(proxy: string, options: HttpLinkOptions = {}): HttpLink {
    const link = new HttpLink({ proxy, ...options });
    undo.push(() => link.close());
    return link;
  }

  async function ask(link: HttpLink, url: string): Promise<string> {
    try {
      const request = { method: "GET", url: `${url}/api/v1.0/nodes`, headers: { Token: token } } as const;
      return String((await link.request(request, new AbortController().signal)).status);
    } catch (error) {
      assert.ok(error instanceof AgentError);
      for (const secret of [token, password]) assert.ok(!`${error.message} ${error.stack ?? ""}`.includes(secret));
      return `${error.code} ${error.message}`;
    }
  }

  it("reaches a plain server through the tunnel, with user and password, and keeps the connection", async () => {
    const proxy = await connectProxy(undo, `Basic ${Buffer.from(`gw:${password}`).toString("base64")}`);
    const link = linkThrough(`http://gw:${password}@127.0.0.1:${proxy.port}`);
    const url = await town();
    assert.equal(await ask(link, url), "200");
    assert.equal(await ask(link, url), "200");
    assert.deepEqual(proxy.tunnels, [new URL(url).host]);
  });

  it("takes a password with a percent sign both encoded and as it is", async () => {
    const proxy = await connectProxy(undo, `Basic ${Buffer.from("gw:50%off!").toString("base64")}`);
    const url = await town();
    for (const written of ["50%25off%21", "50%off!"]) {
      assert.equal(await ask(linkThrough(`http://gw:${written}@127.0.0.1:${proxy.port}`), url), "200", written);
    }
  });

  it("checks the server's certificate inside the tunnel", async function () {
    needsProgram(this, "openssl", "openssl");
    await using folder = await tempFolder();
    const authority = await makeAuthority(folder.path, "authority");
    const files = await makeCertificate(folder.path, "server", authority, { subjectAltName: "IP:127.0.0.1" });
    const url = await town({ cert: await readFile(files.cert, "utf8"), key: await readFile(files.key, "utf8") });
    const proxy = await connectProxy(undo);
    const address = `http://127.0.0.1:${proxy.port}`;
    assert.match(await ask(linkThrough(address), url), /^TLS_UNTRUSTED/);
    assert.equal(await ask(linkThrough(address, { tls: tls.parse({ ca: authority.cert }) }), url), "200");
  });

  it("takes a refusal for the proxy's, not for the target's answer", async () => {
    const proxy = await connectProxy(undo, "Basic other");
    const said = await ask(linkThrough(`http://gw:${password}@127.0.0.1:${proxy.port}`), await town());
    assert.match(said, /^PROXY_FAILED .*the proxy http:\/\/127\.0\.0\.1:\d+\/: refused the tunnel with HTTP 407$/);
  });

  it("says so when the proxy is not there, is silent or hangs up", async () => {
    const url = await town();
    const absent = await ask(linkThrough(`http://127.0.0.1:${await unusedPort()}`), url);
    assert.match(absent, /^PROXY_FAILED .*ECONNREFUSED$/);
    await using silent = await tcpServer((socket) => socket.resume());
    const startedMs = performance.now();
    const link = linkThrough(`http://127.0.0.1:${silent.port}`, { connectTimeoutMs: 200 });
    assert.match(await ask(link, url), /^PROXY_FAILED .*no tunnel within 200 ms$/);
    assert.ok(performance.now() - startedMs < 1_500);
    await using rude = await tcpServer((socket) => socket.destroy());
    assert.match(await ask(linkThrough(`http://127.0.0.1:${rude.port}`), url), /^PROXY_FAILED/);
  });
});

/** A proxy that knows CONNECT only, and demands `authorization` where it is given. */
async function connectProxy(
  undo: (() => unknown)[],
  authorization?: string,
): Promise<{ readonly port: number; readonly tunnels: readonly string[] }> {
  const tunnels: string[] = [];
  const server = http.createServer((_, response) => response.writeHead(500).end());
  server.on("connect", (request, client: net.Socket) => {
    client.on("error", () => undefined);
    if (authorization !== undefined && request.headers["proxy-authorization"] !== authorization) {
      client.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    tunnels.push(request.url ?? "");
    const { hostname, port } = new URL(`http://${request.url ?? ""}`);
    const upstream = net.connect(Number(port), hostname, () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on("error", () => client.destroy());
    undo.push(() => {
      upstream.destroy();
      client.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  undo.push(() => server.close());
  return { port: (server.address() as AddressInfo).port, tunnels };
}
