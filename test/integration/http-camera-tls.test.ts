import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { HttpSnapshotDriver } from "../../src/capture/http/snapshot.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { CameraWebServer } from "../lib/camera-web-server.ts";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { basicGate } from "../lib/digest-gate.ts";
import { jpegOf } from "../lib/pictures.ts";
import { needsProgram } from "../lib/programs.ts";
import { seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const never = new AbortController().signal;
const login = { username: "viewer", password: "secret" };

describe("cameras read by https", () => {
  let temp: Awaited<ReturnType<typeof tempFolder>> | undefined;
  let tls: { cert: Buffer; key: Buffer };
  let ca = "";
  let picture: RequestListener;

  before(async function () {
    needsProgram(this, "openssl", "openssl");
    temp = await tempFolder();
    const authority = await makeAuthority(temp.path, "authority");
    const made = await makeCertificate(temp.path, "camera", authority, { subjectAltName: "IP:127.0.0.1" });
    tls = { cert: await readFile(made.cert), key: await readFile(made.key) };
    ca = authority.cert;
    const jpeg = await jpegOf(77);
    picture = (_, response) => response.end(jpeg);
  });

  after(async () => temp?.[Symbol.asyncDispose]());

  /** The error of the first of three shots that fails. */
  async function trouble(url: string, authority?: string): Promise<AgentError | undefined> {
    const tlsOptions = authority === undefined ? {} : { tls: { ca: authority, insecureSkipVerify: false } };
    const options = { url, ...login, ...tlsOptions, timeoutMs: 3_000 };
    const driver = new HttpSnapshotDriver(options, { clock: new SystemClock(), random: seededRandom(6) });
    try {
      await driver.start(never);
      for (let shots = 0; shots < 3; shots += 1) await driver.shot(never);
      return undefined;
    } catch (error) {
      assert(error instanceof AgentError, String(error));
      return error;
    } finally {
      await driver.stop();
    }
  }

  it("are believed by their certificate alone", async () => {
    await using camera = await new CameraWebServer(picture, {
      tls,
      gate: basicGate(login.username, login.password),
    }).start();
    assert.equal(await trouble(camera.url("/a?x=1"), ca), undefined);
    const untrusted = await trouble(camera.url("/a?x=1"));
    assert.equal(untrusted?.code, "CAMERA_TLS");
    assert.match(
      untrusted.message,
      /^http-snapshot https:\/\/127\.0\.0\.1:\d+\/a: the server's certificate is not trusted/,
    );
    const missing = await trouble(camera.url("/a?x=1"), join(temp?.path ?? "", "no-such.pem"));
    assert.equal(missing?.code, "CAMERA_TLS");
    assert.match(missing.message, /no-such\.pem cannot be read/);
  });

  it("may be where http leads to: the password is sent there alone, every time", async () => {
    const gate = basicGate(login.username, login.password);
    await using secure = await new CameraWebServer(picture, { tls, gate }).start();
    await using plain = await new CameraWebServer((_, response) =>
      response.writeHead(302, { Location: secure.url("/b") }).end(),
    ).start();
    assert.equal(await trouble(plain.url("/a"), ca), undefined);
    assert.equal(plain.requests.length, 3);
    for (const { headers } of plain.requests) assert.equal(headers.authorization, undefined);
    assert.equal(secure.requests.filter(({ headers }) => headers.authorization !== undefined).length, 3);
  });

  it("lead nowhere where the password would not be encrypted", async () => {
    await using plain = await new CameraWebServer(picture).start();
    await using secure = await new CameraWebServer(
      (_, response) => response.writeHead(302, { Location: plain.url("/b?x=1") }).end(),
      { tls, gate: basicGate(login.username, login.password) },
    ).start();
    const error = await trouble(secure.url("/a"), ca);
    assert.equal(error?.code, "CAMERA_REDIRECTED");
    assert.match(error.message, /it redirects to http:\/\/127\.0\.0\.1:\d+; not followed$/);
    assert.equal(plain.requests.length, 0);
  });
});
