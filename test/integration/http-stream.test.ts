import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "mocha";
import { HttpStream } from "../../src/link/http-stream.ts";
import { type CertificateFiles, makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { modelServer } from "../lib/model-server.ts";
import { needsProgram } from "../lib/programs.ts";
import { unusedPort } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";

const never = new AbortController().signal;

describe("streamed HTTP answers", () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let authority: CertificateFiles;
  let server: https.Server;
  let location = "";
  let url = "";

  before(async function () {
    needsProgram(this, "openssl", "openssl");
    this.timeout(20_000);
    folder = await tempFolder();
    authority = await makeAuthority(folder.path, "authority");
    const files = await makeCertificate(folder.path, "server", authority, { subjectAltName: "IP:127.0.0.1" });
    const [cert, key] = [await readFile(files.cert), await readFile(files.key)];
    server = https.createServer({ cert, key }, (_, answer) => {
      answer.writeHead(302, { Location: location }).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/file?token=canary`;
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await folder[Symbol.asyncDispose]();
  });

  it("are never taken from http where https was asked for", async () => {
    await using plain = await modelServer(Buffer.from("content"));
    const stream = new HttpStream({ tls: { ca: authority.cert, insecureSkipVerify: false } });
    for (const target of [plain.url, "ftp://127.0.0.1/x", "file:///etc/passwd"]) {
      location = target;
      await assert.rejects(stream.get({ url, headers: {} }, never), (error: Error & { code?: string }) => {
        assert.equal(error.code, "HTTP_REDIRECT");
        assert.match(error.message, /leads from https to (http|ftp|file):/);
        assert.doesNotMatch(error.message, /canary/);
        return true;
      });
    }
    stream.close();
    assert.equal(plain.requests.length, 0);
  });

  it("come only from a server whose certificate is trusted", async () => {
    const stream = new HttpStream();
    await assert.rejects(stream.get({ url, headers: {} }, never), { code: "TLS_UNTRUSTED" });
    stream.close();
  });

  it("fail with what the network says, and at once when stopped", async () => {
    const stream = new HttpStream({ idleTimeoutMs: 200, connectTimeoutMs: 200 });
    const refused = `http://127.0.0.1:${await unusedPort()}/`;
    await assert.rejects(stream.get({ url: refused, headers: {} }, never), { code: "NET_REFUSED" });
    for (const address of ["ftp://example.org/x", "not an address"]) {
      await assert.rejects(stream.get({ url: address, headers: {} }, never), { code: "HTTP_BAD_REQUEST" });
    }
    await assert.rejects(stream.get({ url: refused, headers: {} }, AbortSignal.abort()), { code: "ABORTED" });
    stream.close();
  });

  it("end with what came when the reader has enough", async () => {
    await using plain = await modelServer(Buffer.alloc(5_000_000, 1));
    const stream = new HttpStream();
    const answer = await stream.get({ url: plain.url, headers: {} }, never);
    let bytes = 0;
    for await (const chunk of answer.body) {
      bytes += chunk.length;
      if (bytes > 100_000) break;
    }
    answer.close();
    assert.ok(bytes < 5_000_000);
    stream.close();
  });
});
