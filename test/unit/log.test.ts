import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { logLimits } from "../../src/core/limits.ts";
import { maskUrls } from "../../src/core/mask.ts";
import type { Logger } from "../../src/core/ports.ts";
import { createLogger } from "../../src/log/logger.ts";
import type { LogLevel } from "../../src/log/logger.ts";
import { tempFolder } from "../lib/temp.ts";

const password = "pä$s/w?rd&7f3a91";
const token = "canary-token-91bd";
const pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqcanary\nhkiG9w0BAQEFAASCcanary\n-----END KEY-----";
const secrets = [password, token, pem];

function logInto(
  lines: string[],
  options: { level?: LogLevel; secrets?: readonly string[]; journald?: boolean } = {},
): Logger {
  const { level = "debug", journald = false } = options;
  return createLogger({
    level,
    journald,
    secrets: options.secrets ?? secrets,
    destination: { write: (line) => lines.push(line) },
  });
}

/** The one line that `write` logs, parsed. */
function logged(write: (log: Logger) => void): Record<string, unknown> {
  const lines: string[] = [];
  write(logInto(lines));
  assert.equal(lines.length, 1);
  return JSON.parse(lines[0] ?? "") as Record<string, unknown>;
}

/** As an HTTP client's error: everything that was sent hangs on it. */
function clientError(): Error {
  return Object.assign(new Error(`Request to https://me:${password}@host/a?api_key=${token} failed with 403`), {
    name: "AxiosError",
    code: "ERR_BAD_REQUEST",
    config: {
      headers: { Authorization: `Bearer ${token}`, Token: token },
      data: token.repeat(1_000),
      auth: { username: "me", password },
    },
    request: { path: `/a?api_key=${token}`, _header: `GET / HTTP/1.1\r\nToken: ${token}\r\n` },
    response: { status: 403, data: { echo: token }, headers: { "set-cookie": [token] } },
    toJSON: () => ({ token }),
  });
}

/** Every way in which a secret came near a log line so far. */
function leaks(): readonly unknown[] {
  const inner = new Error(`inner ${token}`, { cause: clientError() });
  const url = `https://me:${encodeURIComponent(password)}@host/path?token=${token}#${token}`;
  return [
    token,
    password,
    pem,
    `ffmpeg said: rtsp://me:${password}@10.0.0.1/stream: 401`,
    url,
    new URL(url),
    [url, { deep: { deeper: [url] } }],
    { [token]: 1, headers: { Authorization: `Basic ${Buffer.from(`me:${password}`).toString("base64")}` } },
    { rawHeaders: ["Cookie", `a=${token}`], "x-api-key": "not-in-the-config" },
    ...["", "m", "me", "use"].map((user) => `auth ${Buffer.from(`${user}:${password}`).toString("base64")}`),
    `form password=${new URLSearchParams({ password }).toString()}`,
    JSON.stringify({ password, pem }),
    JSON.stringify(JSON.stringify({ password, pem })),
    `key: ${pem.split("\n")[1] ?? ""}`,
    "x".repeat(logLimits.scannedChars - 5) + token,
    "x".repeat(logLimits.stringChars - 5) + token,
    token.repeat(20_000),
    Buffer.from(token),
    clientError(),
    Object.assign({}, clientError()),
    inner,
    new AgentError("HTTP_403", `posting to https://host/?t=${token}: 403`, {
      disposition: "retry",
      cause: inner,
      facts: { token, at: url },
    }),
    new AggregateError([clientError()], `several ${token}`),
    Object.assign(new Error("x"), { code: token, name: token }),
    Object.assign(new Error("x"), { stack: `Error\n    at ${token} (file.js:1:1)` }),
    new Map([[token, token]]),
    new Error(token, { cause: token }),
  ];
}

const traces = [
  token,
  password,
  "canary",
  encodeURIComponent(password),
  "not-in-the-config",
  Buffer.from(token).toString("base64"),
  Buffer.from(password).toString("base64").slice(3, -4),
  ...["", "m", "me", "use"].map((user) => Buffer.from(`${user}:${password}`).toString("base64").slice(-14, -4)),
];

function found(line: string): readonly string[] {
  return traces.filter((trace) => line.includes(trace));
}

describe("the log", () => {
  it("holds no secret, at any level, however it comes in", () => {
    const lines: string[] = [];
    const log = logInto(lines);
    for (const leak of leaks()) {
      for (const level of ["debug", "info", "warn", "error"] as const) {
        log[level]("event", { leak, error: leak });
        log.child({ leak })[level](typeof leak === "string" ? leak : "event");
      }
    }
    assert.equal(lines.length, leaks().length * 8);
    for (const line of lines) assert.deepEqual(found(line), [], line);
  });

  it("would hold them without the masking: the search finds them", () => {
    // Every one of these reaches the log when it is written as it is; the rest are searched for in these forms.
    const raw = leaks().map((leak) =>
      leak instanceof Error
        ? JSON.stringify(Object.assign({}, leak, { message: leak.message, stack: leak.stack }))
        : typeof leak === "string"
          ? leak
          : JSON.stringify(leak),
    );
    const silent = raw.filter((line) => found(line).length === 0 && !line.includes('"type":"Buffer"') && line !== "{}");
    // Escaped twice, the password's own characters are all that is left to see.
    assert.deepEqual(
      silent.filter((line) => !line.includes("7f3a91")),
      [],
    );
    assert(raw.length - silent.length > 20);
  });

  it("is one JSON line an event, with the level in words and the time in ISO form", () => {
    const line = logged((log) =>
      log.child({ target: "town" }).warn("delivery-failed", {
        attempt: 2,
        ok: false,
        at: new Date(0),
        nothing: null,
        missing: undefined,
        big: 10n,
        odd: Number.NaN,
      }),
    );
    const { time, ...rest } = line;
    assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.deepEqual(rest, {
      level: "warn",
      event: "delivery-failed",
      target: "town",
      attempt: 2,
      ok: false,
      at: "1970-01-01T00:00:00.000Z",
      nothing: null,
      big: "10",
      odd: "NaN",
    });
  });

  it("keeps its own fields when a caller's have the same names", () => {
    const line = logged((log) => log.info("real", { event: "fake", level: "fake", time: "fake" }));
    assert.equal(line["event"], "real");
    assert.equal(line["level"], "info");
    assert.equal(line["event_"], "fake");
  });

  it("leaves out what is below its level", () => {
    const lines: string[] = [];
    const log = logInto(lines, { level: "warn" });
    log.debug("a");
    log.child({ b: 1 }).info("b");
    log.warn("c");
    log.error("d");
    logInto(lines, { level: "silent" }).error("e");
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { event: string }).event),
      ["c", "d"],
    );
  });

  it("starts each line with journald's level when asked to", () => {
    const lines: string[] = [];
    const log = logInto(lines, { journald: true });
    log.debug("a");
    log.info("b");
    log.child({ c: 1 }).warn("c");
    log.error("d");
    assert.deepEqual(
      lines.map((line) => line.slice(0, 4)),
      ["<7>{", "<6>{", "<4>{", "<3>{"],
    );
  });

  it("shows an error by name, code, disposition, message, facts, causes and stack, and nothing else of it", () => {
    const cause = Object.assign(new Error("connect refused"), { code: "ECONNREFUSED", config: { a: 1 } });
    const error = new AgentError("NET_REFUSED", "posting: refused", {
      disposition: "retry",
      cause,
      facts: { port: 80 },
    });
    const { stack, ...shown } = logged((log) => log.error("failed", { error }))["error"] as Record<string, unknown>;
    assert.deepEqual(shown, {
      name: "AgentError",
      code: "NET_REFUSED",
      disposition: "retry",
      message: "posting: refused",
      facts: { port: 80 },
      causes: [{ code: "ECONNREFUSED", message: "connect refused" }],
    });
    assert.match(String(stack), /^at /);
    let chain = new Error("0");
    for (let depth = 1; depth < 10; depth += 1) chain = new Error(String(depth), { cause: chain });
    const { causes } = logged((log) => log.error("failed", { chain }))["chain"] as { causes: unknown[] };
    assert.deepEqual(causes, [{ message: "8" }, { message: "7" }, { message: "6" }]);
  });

  it("is bounded by long texts, pictures, wide and deep objects, and what refers to itself", () => {
    const loop: Record<string, unknown> = {};
    loop["loop"] = loop;
    const causeLoop = new Error("a");
    causeLoop.cause = causeLoop;
    const values = [
      "x".repeat(5_000_000),
      Buffer.alloc(5_000_000),
      new Float32Array(1_000),
      Array.from({ length: 100_000 }, (_, index) => index),
      Array.from({ length: 300 }, () => "x".repeat(100)),
      Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key${index}`, index])),
      loop,
      causeLoop,
      {
        get bad(): never {
          throw new Error("no");
        },
      },
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error("no");
          },
        },
      ),
      () => 1,
      Symbol("s"),
      process,
      Promise.resolve(),
    ];
    for (const value of values) {
      const lines: string[] = [];
      const startMs = performance.now();
      logInto(lines).info("event", { value });
      assert.equal(lines.length, 1);
      assert((lines[0] ?? "").length < 64_000);
      assert(performance.now() - startMs < 3_000);
    }
    assert.equal(logged((log) => log.info("e", { jpeg: Buffer.alloc(7) }))["jpeg"], "<7 bytes>");
    assert.equal(logged((log) => log.info("e", { floats: new Float32Array(2) }))["floats"], "<8 bytes>");
    assert.match(
      String(logged((log) => log.info("e", { text: "y".repeat(9_999) }))["text"]),
      /y… \(9999 characters\)$/,
    );
  });

  it("shows no private key, also one that no config knows, encoded or cut off", () => {
    const key = [
      "-----BEGIN EC PRIVATE KEY-----",
      "MHcCAQEEIcanary",
      "AwEHoUQDQcanary",
      "-----END EC PRIVATE KEY-----",
    ];
    const text = key.join("\n");
    for (const shown of [text, JSON.stringify(text), encodeURIComponent(text), `${key[0] ?? ""}\n${key[1] ?? ""}`]) {
      const { said } = logged((log) => log.error("x", { said: `before ${shown}` }));
      assert.match(String(said), /^before "?\*\*\*"?$/);
    }
  });

  it("stays readable: short secrets and ordinary words are left alone", () => {
    const lines: string[] = [];
    logInto(lines, { secrets: ["", "a", "abc"] }).info("basic information about a Bearer certificate, tokens: 3", {
      tokens: 5,
      keyframes: "abc",
      url: "https://host:8888/path",
    });
    const line = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
    assert.equal(line["event"], "basic information about a Bearer certificate, tokens: 3");
    assert.equal(line["keyframes"], "abc");
    assert.equal(line["tokens"], 5);
    assert.equal(line["url"], "https://host:8888/path");
  });
});

describe("the log of a process", () => {
  it("ends nothing where stderr is on a full disk", async () => {
    const full = await open("/dev/full", "w");
    const home = pathToFileURL(join(import.meta.dirname, "../../src/log/logger.js")).href;
    const script = `const { createLogger } = await import("${home}");
      const log = createLogger({ level: "info", secrets: [], journald: false });
      for (let line = 0; line < 2_000; line += 1) log.warn("disk.full", { message: "x".repeat(1_000) });
      await new Promise((resolve) => setTimeout(resolve, 20));
      console.log("alive");`;
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", full.fd],
    });
    await full.close();
    assert.deepEqual([run.stdout, run.status], ["alive\n", 0]);
  });

  it("goes on once stderr is read again that nobody read for a while", async () => {
    await using folder = await tempFolder();
    const home = pathToFileURL(join(import.meta.dirname, "../../src/log/logger.js")).href;
    const pipe = join(folder.path, "pipe");
    assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
    const reader = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = await open(pipe, constants.O_WRONLY);
    await reader.close();
    const script = `
      import { constants, openSync, readSync } from "node:fs";
      const { createLogger } = await import("${home}");
      const log = createLogger({ level: "info", secrets: [], journald: false });
      log.info("unread");
      const reader = openSync(${JSON.stringify(pipe)}, constants.O_RDONLY | constants.O_NONBLOCK);
      log.info("read");
      const lines = Buffer.alloc(4096);
      console.log(lines.toString("utf8", 0, readSync(reader, lines)));
    `;
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", writer.fd],
    });
    await writer.close();
    assert.match(run.stdout, /"event":"read"/);
    assert.equal(run.status, 0);
  });
});

describe("a URL that is shown", () => {
  it("has neither user info nor query nor fragment", () => {
    const pairs = {
      "https://host/path": "https://host/path",
      "see rtsp://u:p@10.0.0.1:554/s?x=1, then": "see rtsp://***@10.0.0.1:554/s?*** then",
      "mqtts://u@h": "mqtts://***@h",
      "rtsp://u:p/w?d#x@h/s": "rtsp://***@h/s",
      "http://h/#access_token=1": "http://h/#***",
      "a http://h?a and http://u:p@i/": "a http://h?*** and http://***@i/",
      "no url: a/b?c=d e@f": "no url: a/b?c=d e@f",
    };
    for (const [text, shown] of Object.entries(pairs)) assert.equal(maskUrls(text), shown);
  });

  it("is found in linear time", () => {
    const startMs = performance.now();
    for (const piece of ["a", "a.", "a://", "a@", "http://a", "?"]) maskUrls(piece.repeat(300_000));
    assert(performance.now() - startMs < 2_000);
  });
});
