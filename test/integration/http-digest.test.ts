import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "mocha";
import { HttpSnapshotDriver } from "../../src/capture/http/snapshot.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { CameraWebServer } from "../lib/camera-web-server.ts";
import { basicGate, DigestGate } from "../lib/digest-gate.ts";
import { jpegOf } from "../lib/pictures.ts";
import { until } from "../lib/poll.ts";
import { needsProgram } from "../lib/programs.ts";
import { seededRandom } from "../lib/seams.ts";
import { unusedPort } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";

const never = new AbortController().signal;
const login = { username: "viewer", password: "pass:word, 1" };

function driverFor(url: string, password = login.password): HttpSnapshotDriver {
  const options = { url, username: login.username, password, timeoutMs: 3_000 };
  return new HttpSnapshotDriver(options, { clock: new SystemClock(), random: seededRandom(4) });
}

/** Three pictures in one life of the driver: the later ones log in with what the first has learnt. */
async function threeShots(url: string, password?: string): Promise<readonly Buffer[]> {
  const driver = driverFor(url, password);
  try {
    await driver.start(never);
    const shots: Buffer[] = [];
    for (let number = 0; number < 3; number += 1) {
      const shot = await driver.shot(never);
      assert.equal(shot.kind, "image");
      shots.push(shot.jpeg);
    }
    return shots;
  } finally {
    await driver.stop();
  }
}

async function refusal(work: Promise<unknown>): Promise<AgentError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert(error instanceof AgentError, String(error));
  return error;
}

describe("Digest, against programs that are not ours", () => {
  it("the tests' own server lets curl in with the right password, and only then", async function () {
    needsProgram(this, "curl", "curl");
    for (const [algorithm, qop] of [
      [undefined, true],
      [undefined, false],
      ["MD5", true],
      ["MD5-sess", true],
      ["SHA-256", true],
      ["SHA-256-sess", true],
    ] as const) {
      const gate = new DigestGate({ ...login, qop, ...(algorithm === undefined ? {} : { algorithm }) });
      await using server = await new CameraWebServer((_, response) => response.end("picture"), {
        gate: gate.pass,
      }).start();
      const answer = await curl(server.url("/a?b=1"), login.password);
      assert.equal(answer, "picture", `${algorithm ?? "none"} ${qop}`);
      assert.notEqual(await curl(server.url("/a?b=1"), "wrong"), "picture");
      assert.equal(gate.wrongPasswords, 1);
    }
  });

  it("lighttpd lets the driver in, by every kind of login that it knows", async function () {
    needsProgram(this, "lighttpd", "lighttpd");
    await using temp = await tempFolder();
    const jpeg = await jpegOf(120);
    await writeFile(join(temp.path, "users"), `${login.username}:${login.password}\n`);
    for (const folder of Object.keys(lighttpdLogins)) {
      await mkdir(join(temp.path, folder));
      await writeFile(join(temp.path, folder, "shot.jpg"), jpeg);
    }
    await using server = await lighttpd(temp.path);
    for (const folder of Object.keys(lighttpdLogins)) {
      const url = `${server.url}/${folder}/shot.jpg`;
      assert.deepEqual(await threeShots(`${url}?channel=1&q=%20b`), [jpeg, jpeg, jpeg], folder);
    }
    // Once, because lighttpd takes its time to refuse.
    const { code, message } = await refusal(threeShots(`${server.url}/sha256/shot.jpg`, "wrong"));
    assert.equal(code, "CAMERA_LOGIN_REFUSED");
    assert.match(message, /shot\.jpg: HTTP 401, the user name or the password is wrong$/);
  });
});

describe("logging in at a camera", () => {
  const answer = async () => {
    const jpeg = await jpegOf(99);
    return (_: unknown, response: { end(body: Buffer): void }) => response.end(jpeg);
  };

  it("takes one question for many pictures, in every form of Digest", async () => {
    for (const algorithm of [undefined, "MD5", "MD5-sess", "SHA-256", "SHA-256-sess"] as const) {
      for (const qop of [true, false]) {
        const gate = new DigestGate({ ...login, qop, ...(algorithm === undefined ? {} : { algorithm }) });
        await using server = await new CameraWebServer(await answer(), { gate: gate.pass }).start();
        await threeShots(server.url("/shot.jpg?q=1"));
        const figures = [gate.challenges, gate.wrongPasswords, server.requests.length, server.connections];
        assert.deepEqual(figures, [1, 0, 4, 1], `${algorithm ?? "none"} ${qop}`);
      }
    }
  });

  it("goes on with a new nonce where the old one is stale, whether the camera says so or not", async () => {
    for (const saysStale of [true, false]) {
      const gate = new DigestGate({ ...login, usesMax: 1, saysStale });
      await using server = await new CameraWebServer(await answer(), { gate: gate.pass }).start();
      await threeShots(server.url("/shot.jpg"));
      assert.equal(gate.wrongPasswords, 0);
    }
  });

  it("sends no password before it is asked for one, and asks no camera twice with a wrong one", async () => {
    for (const scheme of ["basic", "digest"]) {
      const digest = new DigestGate(login);
      const gate = scheme === "basic" ? basicGate(login.username, login.password) : digest.pass;
      await using server = await new CameraWebServer(await answer(), { gate }).start();
      const error = await refusal(threeShots(server.url("/shot.jpg"), "wrong"));
      assert.deepEqual([error.code, error.afterMs], ["CAMERA_LOGIN_REFUSED", 60_000]);
      const sent = server.requests.map(({ headers }) => headers.authorization?.split(" ")[0]?.toLowerCase());
      assert.deepEqual(sent, [undefined, scheme]);
    }
  });

  it("asks no camera twice with a password that was right until it was changed there", async () => {
    let { password } = login;
    const gate: ReturnType<typeof basicGate> = (request, response) =>
      basicGate(login.username, password)(request, response);
    await using server = await new CameraWebServer(await answer(), { gate }).start();
    const driver = driverFor(server.url("/shot.jpg"));
    await driver.start(never);
    assert.equal((await driver.shot(never)).kind, "image");
    password = "changed";
    const before = server.requests.length;
    assert.equal((await refusal(driver.shot(never))).code, "CAMERA_LOGIN_REFUSED");
    await driver.stop();
    assert.equal(server.requests.length - before, 1);
  });

  it("says so when a camera wants a login and none is configured", async () => {
    await using server = await new CameraWebServer(await answer(), { gate: new DigestGate(login).pass }).start();
    const driver = new HttpSnapshotDriver(
      { url: server.url("/a"), timeoutMs: 3_000 },
      { clock: new SystemClock(), random: Math.random },
    );
    await driver.start(never);
    const error = await refusal(driver.shot(never));
    await driver.stop();
    assert.match(error.message, /\/a: HTTP 401, it wants a user name and password, and none is configured$/);
  });
});

/** The body of the answer that curl got in the end. */
async function curl(url: string, password: string): Promise<string> {
  const child = spawn("curl", ["-s", "--digest", "-K", "-", url], { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.end(`user = "${login.username}:${password}"\n`);
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  await once(child, "close");
  return said;
}

const lighttpdLogins = { basic: ["basic", "MD5"], md5: ["digest", "MD5"], sha256: ["digest", "SHA-256"] } as const;

async function lighttpd(folder: string) {
  const port = await unusedPort();
  const config = join(folder, "lighttpd.conf");
  const rules = Object.entries(lighttpdLogins).map(
    ([path, [method, algorithm]]) =>
      `"/${path}" => ("method" => "${method}", "algorithm" => "${algorithm}", "realm" => "a", "require" => "valid-user")`,
  );
  const lines = [
    'server.modules = ("mod_auth", "mod_authn_file")',
    `server.document-root = "${folder}"`,
    'server.bind = "127.0.0.1"',
    `server.port = ${port}`,
    'mimetype.assign = (".jpg" => "image/jpeg")',
    'auth.backend = "plain"',
    `auth.backend.plain.userfile = "${folder}/users"`,
    `auth.require = (${rules.join(", ")})`,
  ];
  await writeFile(config, `${lines.join("\n")}\n`);
  const child: ChildProcess = spawn("lighttpd", ["-D", "-f", config], { stdio: "ignore" });
  const ended = once(child, "exit");
  await until(async () => accepts(port), "lighttpd to listen");
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return once(socket, "connect").then(
    () => {
      socket.destroy();
      return true;
    },
    () => false,
  );
}
