import assert from "node:assert/strict";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { webLimits } from "../../src/core/web-limits.ts";
import { closed, rawExchange, request } from "../lib/raw-http.ts";
import { fuzzWeb } from "../lib/web-fuzz-run.ts";
import { WebBench, webToken } from "../lib/web-bench.ts";

const bearer = { authorization: `Bearer ${webToken}` };
const json = { "content-type": "application/json" };

describe("a stranger at the web server", () => {
  let open: WebBench;
  let closedDoor: WebBench;

  beforeEach(async () => {
    open = await new WebBench().start();
    closedDoor = await new WebBench({ token: webToken }).start();
  });

  afterEach(async () => {
    await open.stop();
    await closedDoor.stop();
  });

  it("is refused under any name but those of this machine", async () => {
    for (const host of [
      "evil.example",
      "127.0.0.1.evil.example",
      "localhost.evil",
      "10.0.0.1",
      "",
      "a b",
      "[::1",
      "0x7f.1",
    ]) {
      assert.equal((await open.ask("GET /livez HTTP/1.1", { host })).status, 421, host);
    }
    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:8470"]) {
      assert.equal((await open.ask("GET /livez HTTP/1.1", { host })).status, 200, host);
    }
    await using named = await new WebBench({ allowedHosts: ["gw.example"] }).start();
    assert.equal((await named.ask("GET /livez HTTP/1.1", { host: "gw.example" })).status, 200);
  });

  it("is refused from a page of another site, and a link of such a page is followed", async () => {
    const own = `http://127.0.0.1:${open.port}`;
    const statusOf = async (headers: Readonly<Record<string, string>>) =>
      (await open.ask("GET /livez HTTP/1.1", headers)).status;
    for (const origin of [
      "http://evil.example",
      "null",
      "http://127.0.0.1:1",
      "file://",
      `${own}.evil.example`,
      "%%",
    ]) {
      assert.equal(await statusOf({ origin }), 403, origin);
    }
    assert.equal(await statusOf({ origin: own }), 200);
    assert.equal(
      await statusOf({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" }),
      403,
    );
    assert.equal(
      await statusOf({ "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }),
      403,
    );
    assert.equal(
      await statusOf({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }),
      200,
    );
    assert.equal(await statusOf({ "sec-fetch-site": "same-origin" }), 200);
  });

  it("is refused behind a proxy where no token is asked for, and gets in there with the token", async () => {
    for (const header of ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"]) {
      const { status, text } = await open.ask("GET /livez HTTP/1.1", { [header]: "192.0.2.7" });
      assert.equal(status, 403, header);
      assert.match(text, /\{"error":"WEB_PROXY_NEEDS_TOKEN"\}$/);
      assert.equal((await closedDoor.ask("GET /livez HTTP/1.1", { ...bearer, [header]: "192.0.2.7" })).status, 200);
    }
  });

  it("does nothing by a form, and is told of no method but three", async () => {
    const post = async (headers: Readonly<Record<string, string>>, body = "{}") =>
      (await open.ask("POST /api/commands/mark HTTP/1.1", { "content-length": String(body.length), ...headers }, body))
        .status;
    for (const type of [
      "application/x-www-form-urlencoded",
      "text/plain",
      "multipart/form-data; boundary=x",
      "application/json-ish",
      "",
    ]) {
      assert.equal(await post({ "content-type": type }), 415, type);
    }
    assert.equal(await post({}), 415);
    assert.equal(await post({ ...json, "content-encoding": "gzip" }), 415);
    assert.equal(await post(json, "{not json"), 400);
    assert.deepEqual(open.told, []);
    assert.equal(await post({ "content-type": "application/json; charset=utf-8" }, '{"n":1}'), 200);
    assert.deepEqual(open.told, [{ n: 1 }]);
    for (const method of ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"]) {
      assert.equal((await open.ask(`${method} /livez HTTP/1.1`)).status, 405, method);
    }
    assert.doesNotMatch(
      (await open.ask("OPTIONS /livez HTTP/1.1", { origin: "http://evil.example" })).text,
      /access-control/i,
    );
  });

  it("finds nothing by any spelling of a path", async () => {
    const paths = [
      ...[
        "/../../etc/passwd",
        "/static/../../package.json",
        "/static/%2e%2e/x",
        "/static/..%2f..%2fetc/passwd",
        "/static/%252e%252e%252fx",
      ],
      ...[
        "/static/..\\..\\x",
        "/%00",
        "/static/page.js%00.html",
        "//evil.example/x",
        "/./livez",
        "/a//b",
        "http://evil.example/livez",
        "*",
        "/\u00e4",
        "/a;b",
      ],
    ];
    for (const path of paths) assert.equal((await open.ask(`GET ${path} HTTP/1.1`)).status, 400, path);
    for (const path of ["/etc/passwd", "/static/..", "/package.json", "/.git/config", "/static/server.ts"]) {
      const { status } = await open.ask(`GET ${path} HTTP/1.1`);
      assert.ok(status === 404 || status === 400, path);
    }
    assert.equal((await open.ask(`GET /${"a".repeat(webLimits.targetCharsMax)} HTTP/1.1`)).status, 414);
  });

  it("sees nothing without the token, and wrong ones shut out nobody who knows the right one", async () => {
    for (const path of ["/", "/livez", "/readyz", "/healthz", "/metrics", "/api/events", "/nothing"]) {
      const { status, text } = await closedDoor.ask(`GET ${path} HTTP/1.1`);
      assert.equal(status, 401, path);
      assert.match(text, /\r\n\r\n\{"error":"WEB_TOKEN"\}$/);
    }
    const body = "{}";
    const headers = { ...json, "content-length": "2" };
    assert.equal((await closedDoor.ask("POST /api/commands/mark HTTP/1.1", headers, body)).status, 401);
    assert.equal((await closedDoor.ask("GET / HTTP/1.1", { accept: "text/html" })).status, 303);
    assert.equal((await closedDoor.ask("GET /login HTTP/1.1")).status, 200);
    assert.equal((await closedDoor.ask("GET /livez HTTP/1.1", bearer)).status, 200);
    const wrong = { authorization: "Bearer wrong" };
    const statuses: number[] = [];
    for (let tries = 0; tries < 7; tries += 1)
      statuses.push((await closedDoor.ask("GET /livez HTTP/1.1", wrong)).status);
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429]);
    assert.equal((await closedDoor.ask("GET /livez HTTP/1.1", bearer)).status, 200, "of the same address, by a proxy");
    assert.equal((await closedDoor.ask("GET /livez HTTP/1.1", wrong)).status, 429);
    assert.deepEqual(closedDoor.told, []);
  });

  it("becomes no stranger by logging in, with a cookie that scripts and other sites never see", async () => {
    const login = async (token: string) => {
      const body = `token=${token}`;
      const headers = { "content-type": "application/x-www-form-urlencoded", "content-length": String(body.length) };
      return await closedDoor.ask("POST /login HTTP/1.1", headers, body);
    };
    assert.equal((await login("wrong")).status, 401);
    const { status, text } = await login(webToken);
    assert.equal(status, 303);
    const [, cookie = "", rest] = /set-cookie: (framepost=[^;]+); (.*)\r/i.exec(text) ?? [];
    assert.match(rest ?? "", /^HttpOnly; SameSite=Strict; Path=\/; Max-Age=\d+$/);
    assert.doesNotMatch(text, new RegExp(webToken));
    assert.equal((await closedDoor.ask("GET /livez HTTP/1.1", { cookie: `a=b; ${cookie}` })).status, 200);
    assert.equal((await closedDoor.ask("GET /livez HTTP/1.1", { cookie: `${cookie}x` })).status, 401);
    assert.equal((await closedDoor.ask("GET /livez HTTP/1.1", { cookie, origin: "http://evil.example" })).status, 403);
  });

  it("is not read to the end of what is too large, and smuggles nothing", async () => {
    const large = String(webLimits.bodyBytesMax + 1);
    const at = { host: `127.0.0.1:${open.port}` };
    assert.equal(
      (await open.ask("POST /api/commands/mark HTTP/1.1", { ...json, "content-length": large })).status,
      413,
    );
    const chunk = "a".repeat(8_192);
    const endless = `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(10);
    assert.equal(
      (await open.ask("POST /api/commands/mark HTTP/1.1", { ...json, "transfer-encoding": "chunked" }, endless)).status,
      413,
    );
    assert.equal(
      (await open.ask("GET /livez HTTP/1.1", { "x-long": "a".repeat(webLimits.headerBytesMax) })).status,
      431,
    );
    const inner = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    const shapes = [
      request(
        "POST /api/commands/mark HTTP/1.1",
        { ...at, ...json, "content-length": "2", "transfer-encoding": "chunked" },
        "0\r\n\r\n",
      ),
      `POST /api/commands/mark HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\nContent-Length: 44\r\n\r\n{}${inner}`,
      request("POST /api/commands/mark HTTP/1.1", { ...at, ...json, "transfer-encoding": "chunked, identity" }, inner),
      request("POST /api/commands/mark HTTP/1.1", { ...at, ...json, "content-length": "+2" }, `{}${inner}`),
      request("GET /livez HTTP/1.1", { ...at, "content-length": String(inner.length) }, inner),
      `GET /livez HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n`,
      `GET /livez HTTP/1.1\nhost: localhost\n\n`,
      `GET /livez HTTP/1.1\r\nhost : localhost\r\n\r\n`,
      `GET /livez HTTP/1.1\r\n\r\n`,
      request("GET /livez HTTP/1.1", { ...at, upgrade: "websocket" }),
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    for (const shape of shapes) {
      const { status, text } = await rawExchange(open.port, shape);
      assert.ok(status >= 400 || status === 0, `${JSON.stringify(shape.slice(0, 120))}: ${status}`);
      assert.equal(text.split("HTTP/1.1 ").length <= 2, true, "one answer at the most");
    }
    assert.deepEqual(open.told, []);
  });

  it("ends many connections and does not wait for slow ones, while others are served", async () => {
    const timing = { headersTimeoutMs: 300, requestTimeoutMs: 600, timeoutsEveryMs: 50 };
    await using hurried = await new WebBench({}, { timing }).start();
    const slow = Array.from({ length: webLimits.connectionsMax - 4 }, () => connect(hurried.port, "127.0.0.1"));
    for (const socket of slow) socket.on("error", () => undefined).write("GET /livez HTTP/1.1\r\nhost: local");
    const body = connect(hurried.port, "127.0.0.1").on("error", () => undefined);
    body.write(request("POST /api/commands/mark HTTP/1.1", { host: "localhost", ...json, "content-length": "9" }, "{"));
    assert.equal((await hurried.ask("GET /livez HTTP/1.1")).status, 200);
    const ended = await Promise.all([...slow, body].map((socket) => closed(socket.resume(), 10_000)));
    assert.ok(ended.every((each) => each));
    assert.deepEqual(hurried.told, []);
  });

  it("occupies nothing with requests that it sends in a row and does not wait for", async () => {
    const one = request("GET /livez HTTP/1.1", { host: "localhost", connection: "keep-alive" });
    for (let times = 0; times < 2 * webLimits.requestsAtOnceMax; times += 1) {
      const { text } = await rawExchange(open.port, one.repeat(3));
      assert.ok(text.split("HTTP/1.1 ").length <= 2, "one answer at the most");
    }
    assert.equal((await open.ask("GET /livez HTTP/1.1")).status, 200);
  });

  it("learns nothing of a fault, and an owner learns what an error says", async () => {
    open.failure = new Error("cannot read /var/lib/framepost/state/secret.json");
    const fault = await open.ask("GET /breaks HTTP/1.1");
    assert.deepEqual([fault.status, fault.text.split("\r\n\r\n")[1]], [500, '{"error":"WEB_FAILED"}']);
    assert.equal(open.log.lines.filter(({ event }) => event === "web.request_failed").length, 1);
    open.failure = new AgentError("CAMERA_AWAY", "front: no picture", { disposition: "retry" });
    const away = await open.ask("GET /breaks HTTP/1.1");
    assert.deepEqual(
      [away.status, away.text.split("\r\n\r\n")[1]],
      [503, '{"error":"CAMERA_AWAY","message":"front: no picture"}'],
    );
  });

  it("is refused in sixty further ways by a daemon that works meanwhile", async function () {
    this.timeout(40_000);
    const { leaks, served, mistakes, delivered } = await fuzzWeb({ count: 60, seed: 7 });
    assert.deepEqual({ leaks, served, mistakes }, { leaks: [], served: [], mistakes: [] });
    assert.ok(delivered[1] > delivered[0]);
  });

  it("gets the same strict headers with every answer", async () => {
    const answers = [
      await open.ask("GET /livez HTTP/1.1"),
      await open.ask("GET /nothing HTTP/1.1"),
      await open.ask("PUT / HTTP/1.1"),
    ];
    for (const { text } of answers) {
      assert.match(text, /content-security-policy: default-src 'self';.*frame-ancestors 'none'\r/i);
      assert.match(text, /x-content-type-options: nosniff\r/i);
      assert.match(text, /referrer-policy: no-referrer\r/i);
      assert.match(text, /cache-control: no-store\r/i);
      assert.doesNotMatch(text, /access-control|x-powered-by|server:/i);
    }
  });
});
