import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { tls } from "../../src/config/values.ts";
import type { TlsSettings } from "../../src/link/tls.ts";
import { AgentError } from "../../src/core/errors.ts";
import { HttpLink } from "../../src/link/http.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { makeAuthority, makeCertificate, type CertificateFiles } from "../lib/certificates.ts";
import { needsProgram } from "../lib/programs.ts";
import { unusedPort } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";

const token = "tls-token-canary";

describe("HTTP link over TLS", () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let authority: CertificateFiles;
  let stranger: CertificateFiles;
  let client: CertificateFiles;
  let good: CertificateFiles;

  before(async function () {
    needsProgram(this, "openssl", "openssl");
    this.timeout(20_000);
    folder = await tempFolder();
    authority = await makeAuthority(folder.path, "authority");
    stranger = await makeAuthority(folder.path, "stranger");
    good = await makeCertificate(folder.path, "server", authority, { subjectAltName: "IP:127.0.0.1" });
    client = await makeCertificate(folder.path, "client", authority, { subjectAltName: "DNS:gw-07" });
  });
  after(() => folder[Symbol.asyncDispose]());

  /** What a GET to a server with these certificates comes to: a status or an error code. */
  async function attempt(
    server: CertificateFiles,
    settings: Partial<TlsSettings>,
    clientAuthority?: CertificateFiles,
  ): Promise<string> {
    const sandbox = new IotownSandbox({
      token,
      tls: {
        cert: await readFile(server.cert, "utf8"),
        key: await readFile(server.key, "utf8"),
        ...(clientAuthority === undefined ? {} : { clientCa: await readFile(clientAuthority.cert, "utf8") }),
      },
    });
    const { url } = await sandbox.start();
    const link = new HttpLink({ tls: tls.parse(settings) });
    try {
      const request = { method: "GET", url: `${url}/api/v1.0/nodes`, headers: { Token: token } } as const;
      return String((await link.request(request, new AbortController().signal)).status);
    } catch (error) {
      assert.ok(error instanceof AgentError);
      assert.ok(!JSON.stringify(error).includes(token) && !error.message.includes(token));
      return error.code;
    } finally {
      link.close();
      await sandbox.stop();
    }
  }

  /** The same with openssl's own server, which refuses a client with an alert; Node's hangs up without a word. */
  async function attemptStrict(settings: Partial<TlsSettings>): Promise<string> {
    const port = await unusedPort();
    const files = ["-cert", good.cert, "-key", good.key, "-CAfile", authority.cert];
    const args = ["s_server", "-accept", `127.0.0.1:${port}`, ...files, "-Verify", "1", "-verify_return_error", "-www"];
    const server = spawn("openssl", args, { stdio: ["pipe", "pipe", "ignore"] });
    const link = new HttpLink({ tls: tls.parse(settings) });
    try {
      let said = "";
      for await (const chunk of server.stdout as AsyncIterable<Buffer>) {
        said += chunk.toString();
        if (said.includes("ACCEPT")) break;
      }
      const request = { method: "GET", url: `https://127.0.0.1:${port}/`, headers: {} } as const;
      return String((await link.request(request, new AbortController().signal)).status);
    } catch (error) {
      assert.ok(error instanceof AgentError);
      return error.code;
    } finally {
      link.close();
      server.kill("SIGKILL");
    }
  }

  it("talks to a server whose authority is named", async () => {
    assert.equal(await attempt(good, { ca: authority.cert }), "200");
  });

  it("does not trust a server signed by nobody known, or by another authority", async () => {
    assert.equal(await attempt(good, {}), "TLS_UNTRUSTED");
    assert.equal(await attempt(stranger, {}), "TLS_UNTRUSTED");
    assert.equal(await attempt(good, { ca: stranger.cert }), "TLS_UNTRUSTED");
  });

  it("does not trust a certificate that is over", async () => {
    const options = { subjectAltName: "IP:127.0.0.1", expired: true };
    const expired = await makeCertificate(folder.path, "expired", authority, options);
    assert.equal(await attempt(expired, { ca: authority.cert }), "TLS_UNTRUSTED");
  });

  it("does not trust a certificate for another name, unless that name is expected", async () => {
    const other = await makeCertificate(folder.path, "other", authority, { subjectAltName: "DNS:town.example" });
    assert.equal(await attempt(other, { ca: authority.cert }), "TLS_UNTRUSTED");
    assert.equal(await attempt(other, { ca: authority.cert, servername: "town.example" }), "200");
  });

  it("trusts anybody only when told so", async () => {
    assert.equal(await attempt(stranger, { insecureSkipVerify: true }), "200");
  });

  it("shows a client certificate, and says when one is missing or refused", async () => {
    const { cert, key } = client;
    assert.equal(await attempt(good, { ca: authority.cert, cert, key }, authority), "200");
    assert.equal(await attemptStrict({ ca: authority.cert, cert, key }), "200");
    const missing = await attemptStrict({ ca: authority.cert });
    assert.equal(missing, "TLS_CLIENT_CERT");
    const refused = await attemptStrict({ ca: authority.cert, cert: stranger.cert, key: stranger.key });
    assert.equal(refused, "TLS_CLIENT_CERT");
  });

  it("names the file that is missing, damaged or does not fit", async () => {
    const damaged = join(folder.path, "damaged.pem");
    await writeFile(damaged, "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
    const { cert, key } = client;
    const cases: readonly (readonly [Partial<TlsSettings>, RegExp])[] = [
      [{ ca: join(folder.path, "absent.pem") }, /absent\.pem cannot be read \(ENOENT\)$/],
      [{ ca: damaged }, /damaged\.pem holds no certificate in PEM form$/],
      [{ cert: damaged, key }, /damaged\.pem holds no certificate/],
      [{ cert, key: damaged }, /damaged\.pem holds no private key/],
      [{ cert, key: good.key }, /server\.key does not belong to the certificate in .*client\.pem$/],
      [{ cert }, /needs both tls\.cert and tls\.key$/],
    ];
    for (const [settings, message] of cases) {
      const link = new HttpLink({ tls: tls.parse(settings) });
      const request = { method: "GET", url: "https://127.0.0.1:1/", headers: {} } as const;
      await assert.rejects(link.request(request, new AbortController().signal), { code: "TLS_CONFIG", message });
      link.close();
    }
  });

  it("reads a mended file at the next request", async () => {
    const path = join(folder.path, "late.pem");
    const link = new HttpLink({ tls: tls.parse({ ca: path }) });
    const request = { method: "GET", url: "https://127.0.0.1:1/", headers: {} } as const;
    await assert.rejects(link.request(request, new AbortController().signal), { code: "TLS_CONFIG" });
    await writeFile(path, await readFile(authority.cert));
    await assert.rejects(link.request(request, new AbortController().signal), { code: "NET_REFUSED" });
    link.close();
  });
});
