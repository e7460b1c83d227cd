import assert from "node:assert/strict";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, it } from "mocha";
import { HttpMjpegDriver } from "../../src/capture/http/mjpeg.ts";
import type { HttpCameraOptions } from "../../src/capture/http/options.ts";
import { HttpSnapshotDriver } from "../../src/capture/http/snapshot.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { Frame } from "../../src/core/types.ts";
import { CameraWebServer, type CameraWebServerOptions } from "../lib/camera-web-server.ts";
import { basicGate, DigestGate } from "../lib/digest-gate.ts";
import { handmadeJpeg, segment } from "../lib/jpegs.ts";
import { mjpegAnswer, mjpegBoundary } from "../lib/mjpeg-server.ts";
import { MjpegProcess } from "../lib/mjpeg-process.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { findings, planted, type Planted } from "../lib/secret-search.ts";
import { unusedPort } from "../lib/servers.ts";

const limits = {
  backoffFirstMs: 10,
  backoffMaxMs: 40,
  startTimeoutMs: 500,
  watchdogMinMs: 300,
  httpIdleMs: 150,
  jpegBytesMax: 100_000,
};
const timeoutMs = 300;
/** For what must work without a single restart, however busy the machine is. */
const calm = { ...limits, startTimeoutMs: 5_000, watchdogMinMs: 5_000, httpIdleMs: 5_000 };
/** The longest wait between two tries, and what one try takes. */
const backWithinMs = 3_000;

function picture(number: number, width = 640, height = 480): Buffer {
  return handmadeJpeg(width, height, segment(0xfe, Buffer.alloc(2_000, number)));
}

const pictures = [1, 2, 3, 4].map((number) => picture(number));

function html(title: string): string {
  return `<!DOCTYPE html>\n<html><head><title>\n ${title}</title></head><body>${"x".repeat(5_000)}</body></html>`;
}

describe("cameras read by HTTP, in trouble", () => {
  let secrets: { readonly password: Planted; readonly query: Planted; readonly header: Planted };
  let log: RecordingLogger;
  let answer: RequestListener;
  let seen: string[];
  const cleanups: (() => Promise<void>)[] = [];

  beforeEach(() => {
    secrets = { password: planted("password"), query: planted("query"), header: planted("header") };
    log = new RecordingLogger();
    seen = [];
  });

  /** Whatever happened, nothing that was planted shows in what was logged or answered. */
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    const places = new Map([
      ["log", Buffer.from(inspect(log.lines, { depth: 9, maxStringLength: null }))],
      ["health", Buffer.from(seen.join("\n"))],
    ]);
    assert.deepEqual(findings(places, Object.values(secrets)), []);
  });

  async function server(options: CameraWebServerOptions = {}): Promise<CameraWebServer> {
    const made = await new CameraWebServer((request, response) => answer(request, response), options).start();
    cleanups.push(() => made.stop());
    return made;
  }

  function optionsFor(origin: string, bounds: typeof limits): HttpCameraOptions {
    return {
      url: `${origin}/shot.cgi?user=admin&pwd=${encodeURIComponent(secrets.query.text)}`,
      username: "viewer",
      password: secrets.password.text,
      headers: { "X-Key": secrets.header.text },
      timeoutMs: bounds === limits ? timeoutMs : calm.startTimeoutMs,
    };
  }

  async function camera(kind: "snapshot" | "mjpeg", origin: string, bounds = limits): Promise<SupervisedCamera> {
    const seams = { clock: new SystemClock(), random: seededRandom(5), limits: bounds };
    const Driver = kind === "snapshot" ? HttpSnapshotDriver : HttpMjpegDriver;
    const driver = new Driver(optionsFor(origin, bounds), seams);
    const made = new SupervisedCamera({ id: "yard", driver, intervalMs: 10, limits: bounds }, { ...seams, log });
    await made.start(new AbortController().signal);
    cleanups.push(() => made.stop());
    return made;
  }

  function frame(from: SupervisedCamera): Promise<Frame | undefined> {
    return from.nextFrame(AbortSignal.timeout(backWithinMs));
  }

  async function flows(from: SupervisedCamera, frames = 3): Promise<void> {
    for (let count = 0; count < frames; count += 1) assert.ok((await frame(from)) !== undefined);
  }

  /** Waits for this error, newer than the call. */
  async function error(of: SupervisedCamera, code: string, message = /./): Promise<void> {
    const begunMs = Date.now();
    const lines: string[] = [];
    const isIt = () => {
      const { lastError } = of.health();
      if (lastError === undefined || lastError.atMs < begunMs) return false;
      lines.push(`${lastError.code} ${lastError.message}`);
      return lastError.code === code && message.test(lastError.message);
    };
    await until(isIt, `${code} ${String(message)}`).catch((late: unknown) => {
      throw new Error(`${String(late)}, but there was: ${[...new Set(lines)].join("; ")}`);
    });
    seen.push(inspect(of.health()));
  }

  async function stopsCleanly(from: SupervisedCamera, at: CameraWebServer): Promise<void> {
    await from.stop();
    await until(() => at.openSockets === 0, "every socket to be closed");
  }

  let sent = 0;
  const good = (_: IncomingMessage, response: ServerResponse) => {
    sent += 1;
    response.writeHead(200, { "Content-Type": "text/plain" }).end(pictures[sent % pictures.length]);
  };
  const declared = (response: ServerResponse, sizeBytes: number) =>
    response.writeHead(200, { "Content-Type": "image/jpeg", "Content-Length": sizeBytes });
  const whole = picture(9);

  const snapshotTroubles: Readonly<Record<string, readonly [code: string, message: RegExp, answer: RequestListener]>> =
    {
      "an error of its own": [
        "CAMERA_HTTP_STATUS",
        /shot\.cgi: HTTP 500$/,
        (_, response) => response.writeHead(500).end(),
      ],
      "too many viewers": [
        "CAMERA_HTTP_STATUS",
        /HTTP 503, the camera is busy/,
        (_, r) => r.writeHead(503).end("busy"),
      ],
      "a path that is gone": ["CAMERA_NOT_FOUND", /HTTP 404, there is nothing/, (_, r) => r.writeHead(404).end("no")],
      "a user without rights": [
        "CAMERA_LOGIN_REFUSED",
        /HTTP 403, this user may not/,
        (_, r) => r.writeHead(403).end(),
      ],
      "a page with status 200, which repeats what it was sent": [
        "CAMERA_NOT_A_PICTURE",
        /: it answered with the page "Log in.*" \(text\/html\), no JPEG$/,
        ({ url, headers }, response) => {
          const title = `Log in ${url ?? ""} ${headers.authorization ?? ""} ${String(headers["x-key"])}`;
          response.writeHead(200, { "Content-Type": "text/html" }).end(html(title));
        },
      ],
      "a page that calls itself a JPEG": [
        "CAMERA_NOT_A_PICTURE",
        /the page "Restarting" \(image\/jpeg\)/,
        (_, response) => response.writeHead(200, { "Content-Type": "image/jpeg" }).end(html("Restarting")),
      ],
      "a picture of another kind": [
        "CAMERA_NOT_A_PICTURE",
        /: it answered with image\/png, no JPEG$/,
        (_, response) => response.writeHead(200, { "Content-Type": "image/png" }).end("\x89PNG\r\n"),
      ],
      "a stream": ["CAMERA_NOT_A_PICTURE", /with the driver http-mjpeg$/, mjpegAnswer({ pictures })],
      "an endless stream without a name": [
        "CAMERA_BAD_IMAGE",
        /the picture exceeds 100000 bytes/,
        mjpegAnswer({ pictures: [Buffer.alloc(50_000, 0xff)], framing: "raw", periodMs: 1 }),
      ],
      "an announced monster": [
        "CAMERA_BAD_IMAGE",
        /exceeds 100000 bytes/,
        (_, r) => declared(r, 10 ** 12).write("\xff"),
      ],
      "an empty answer": ["CAMERA_BAD_IMAGES", /it is empty/, (_, response) => response.end()],
      "a cut picture": [
        "CAMERA_BAD_IMAGES",
        /the picture was cut after 1000 bytes \(.*the connection was cut/,
        (_, response) => declared(response, whole.length).write(whole.subarray(0, 1_000), () => response.socket?.end()),
      ],
      "a reset inside the picture": [
        "CAMERA_BAD_IMAGES",
        /the picture was cut after/,
        (_, response) =>
          declared(response, whole.length).write(whole.subarray(0, 1_000), () => response.socket?.resetAndDestroy()),
      ],
      "a picture that stands still": [
        "CAMERA_BAD_IMAGES",
        /cut after 1000 bytes \(.*nothing came for 150 ms/,
        (_, response) => declared(response, whole.length).write(whole.subarray(0, 1_000)),
      ],
      "a picture that drips": [
        "CAMERA_TIMEOUT",
        /no whole picture within 300 ms$/,
        (_, response) => {
          declared(response, whole.length);
          let at = 0;
          const timer = setInterval(() => response.write(whole.subarray(at, (at += 10))), 20);
          response.once("close", () => clearInterval(timer));
        },
      ],
      "no answer": ["CAMERA_TIMEOUT", /no whole picture within 300 ms$/, () => undefined],
      "a connection that is cut at once": [
        "CAMERA_LOST",
        /ECONNRESET/,
        (_, response) => response.socket?.resetAndDestroy(),
      ],
      "words that are not HTTP": ["CAMERA_NOT_HTTP", /not HTTP/, (_, r) => r.socket?.end("220 FTP server ready\r\n")],
      "a redirect to another host": [
        "CAMERA_REDIRECTED",
        /it redirects to http:\/\/127\.0\.0\.2; not followed$/,
        ({ url = "" }, response) => response.writeHead(302, { Location: `http://127.0.0.2${url}` }).end(),
      ],
      "redirects without end": [
        "CAMERA_REDIRECTED",
        /more than 3 times$/,
        ({ url = "" }, response) => response.writeHead(302, { Location: url }).end("moved"),
      ],
    };

  for (const [trouble, [code, message, badAnswer]] of Object.entries(snapshotTroubles)) {
    it(`a snapshot camera survives ${trouble}`, async () => {
      const web = await server({ gate: basicGate("viewer", secrets.password.text) });
      answer = good;
      const subject = await camera("snapshot", web.url(""));
      await flows(subject);
      answer = badAnswer;
      await error(subject, code, message);
      answer = good;
      await flows(subject);
      await stopsCleanly(subject, web);
    });
  }

  it("a snapshot camera survives a challenge that cannot be answered", async () => {
    const web = await server();
    answer = (_, response) => {
      const challenge = 'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="a\u0001b", nonce="0"';
      response.socket?.end(`${challenge}\r\nContent-Length: 0\r\n\r\n`);
    };
    const subject = await camera("snapshot", web.url(""));
    await error(subject, "CAMERA_NOT_HTTP", /shot\.cgi: it asks for a login in words/);
    answer = good;
    await flows(subject);
    await stopsCleanly(subject, web);
  });

  it("a snapshot camera survives a server that goes away and comes back", async () => {
    const web = await server();
    answer = good;
    const subject = await camera("snapshot", web.url(""));
    await flows(subject);
    await web.stop();
    await error(subject, "CAMERA_UNREACHABLE", /shot\.cgi: connection refused \(ECONNREFUSED\)$/);
    await web.start();
    // A frame from before may still lie in the slot.
    await flows(subject);
    await stopsCleanly(subject, web);
  });

  it("a snapshot camera needs no kept connection, and forgives one that is closed under it", async () => {
    const web = await server();
    for (const close of ["announced", "silent"] as const) {
      answer = (request, response) => {
        if (close === "announced") response.setHeader("Connection", "close");
        else response.once("finish", () => response.socket?.destroySoon());
        good(request, response);
      };
      const subject = await camera("snapshot", web.url(""), calm);
      await flows(subject, 6);
      assert.equal(subject.health().restarts, 0, inspect(subject.health().lastError));
      await stopsCleanly(subject, web);
    }
  });

  it("a camera is asked at the longest distance after a refused password, and comes back once it is right", async () => {
    for (const kind of ["snapshot", "mjpeg"] as const) {
      const gate = new DigestGate({ username: "viewer", password: "another" });
      const web = await server({ gate: gate.pass });
      answer = kind === "snapshot" ? good : mjpegAnswer({ pictures });
      const begunMs = performance.now();
      const subject = await camera(kind, web.url(""));
      await until(() => subject.health().restarts >= 4, "four restarts");
      const tookMs = performance.now() - begunMs;
      assert.match(subject.health().lastError?.message ?? "", /HTTP 401, the user name or the password is wrong$/);
      // One wrong password for each try, and the whole back-off between two tries.
      const tries = 1 + Math.floor(tookMs / limits.backoffMaxMs);
      assert.ok(gate.wrongPasswords >= 4 && gate.wrongPasswords <= tries, `${gate.wrongPasswords} in ${tookMs} ms`);
      gate.password = secrets.password.text;
      await flows(subject);
      // The operator changes it on the camera while it is in use.
      gate.password = "changed";
      web.cutAll();
      await error(subject, "CAMERA_LOGIN_REFUSED");
      gate.password = secrets.password.text;
      await flows(subject);
      await stopsCleanly(subject, web);
    }
  });

  it("keeps a slow camera, whatever the time for unused connections", async () => {
    const slow = { ...calm, httpUnusedMs: 50 };
    const web = await server();
    for (const kind of ["snapshot", "mjpeg"] as const) {
      const stream = mjpegAnswer({ pictures, periodMs: 120 });
      answer = kind === "mjpeg" ? stream : (request, response) => void setTimeout(() => good(request, response), 120);
      const subject = await camera(kind, web.url(""), slow);
      await flows(subject);
      assert.equal(subject.health().restarts, 0, inspect(subject.health().lastError));
      await stopsCleanly(subject, web);
    }
  });

  it("follows a redirect within the camera, with the login", async () => {
    const gate = new DigestGate({ username: "viewer", password: secrets.password.text });
    const web = await server({ gate: gate.pass });
    answer = (request, response) => {
      if (request.url?.startsWith("/shot.cgi") !== true) good(request, response);
      else response.writeHead(301, { Location: "/real.jpg" }).end("moved");
    };
    const subject = await camera("snapshot", web.url(""), calm);
    await flows(subject);
    assert.equal(subject.health().restarts, 0);
    await stopsCleanly(subject, web);
  });

  it("reads a camera whose HTTP is old and careless", async () => {
    const web = await server();
    answer = (_, response) => {
      sent += 1;
      const head = "HTTP/1.0 200 OK\nContent-Type:image/jpeg\nServer: old camera\n\n";
      response.socket?.end(Buffer.concat([Buffer.from(head), pictures[sent % pictures.length] ?? whole]));
    };
    const subject = await camera("snapshot", web.url(""));
    await flows(subject);
    await stopsCleanly(subject, web);
  });

  describe("streams", () => {
    const streaming = mjpegAnswer({ pictures });
    const part = (jpeg: Buffer) => Buffer.concat([Buffer.from(`${mjpegBoundary}\r\n\r\n`), jpeg, Buffer.from("\r\n")]);
    const multipart = { "Content-Type": "multipart/x-mixed-replace; boundary=frame" };

    const streamTroubles: typeof snapshotTroubles = {
      "an error of its own": ["CAMERA_HTTP_STATUS", /HTTP 500$/, (_, response) => response.writeHead(500).end()],
      "no answer": ["CAMERA_TIMEOUT", /no answer within 300 ms$/, () => undefined],
      "a page": [
        "CAMERA_NOT_A_PICTURE",
        /the page "Log in [^"]*" \(text\/html\), no stream$/,
        ({ headers }, response) =>
          response.setHeader("Content-Type", "text/html").end(html(`Log in ${String(headers["x-key"])}`)),
      ],
      "one picture": ["CAMERA_NOT_A_STREAM", /with the driver http-snapshot$/, good],
      "an end after each frame": [
        "CAMERA_LOST",
        /the stream ended after 2 frames$/,
        (_, r) => r.writeHead(200, multipart).end(Buffer.concat([part(whole), part(whole)])),
      ],
      "a stream in which nothing comes": [
        "CAMERA_START_TIMEOUT",
        /did not show a picture within 500 ms: nothing came$/,
        (_, response) => response.writeHead(200, multipart).flushHeaders(),
      ],
      "a reset inside a picture": [
        "CAMERA_LOST",
        /the connection was cut/,
        (_, r) => r.writeHead(200, multipart).write(part(whole).subarray(0, 900), () => r.socket?.resetAndDestroy()),
      ],
    };

    for (const [trouble, [code, message, badAnswer]] of Object.entries(streamTroubles)) {
      it(`survive ${trouble}`, async () => {
        const web = await server({ gate: basicGate("viewer", secrets.password.text) });
        answer = streaming;
        const subject = await camera("mjpeg", web.url(""));
        await flows(subject);
        answer = badAnswer;
        web.cutAll();
        await error(subject, code, message);
        answer = streaming;
        web.cutAll();
        await flows(subject);
        await stopsCleanly(subject, web);
      });
    }

    it("lose no more than the picture that was cut, and take a change of size as it comes", async () => {
      const boundaryInside = handmadeJpeg(640, 480, segment(0xfe, Buffer.from(`\r\n${mjpegBoundary}\r\n`.repeat(50))));
      const parts = [pictures[0], whole.subarray(0, 2_050), boundaryInside, picture(5, 1280, 720)];
      const web = await server();
      answer = (_, response) => {
        response.writeHead(200, multipart);
        let at = 0;
        const timer = setInterval(() => response.write(part(parts[at++ % parts.length] ?? whole)), 15);
        response.once("close", () => clearInterval(timer));
      };
      const subject = await camera("mjpeg", web.url(""), calm);
      const widths = new Map<number, number>();
      for (let count = 0; count < 12; count += 1) {
        const { width = 0 } = (await frame(subject)) ?? {};
        widths.set(width, (widths.get(width) ?? 0) + 1);
      }
      assert.deepEqual([...widths.keys()].sort(), [1280, 640]);
      assert.equal(subject.health().restarts, 0, inspect(subject.health()));
      await stopsCleanly(subject, web);
    });

    it("come back from a server that was killed, and from one that stood still", async () => {
      const port = await unusedPort();
      const child = await new MjpegProcess(port).start();
      cleanups.push(() => child.kill());
      const subject = await camera("mjpeg", `http://127.0.0.1:${port}`);
      await flows(subject);
      await child.kill();
      await error(subject, "CAMERA_UNREACHABLE");
      await child.start();
      await flows(subject);
      child.freeze();
      await error(subject, "CAMERA_STALLED");
      await error(subject, "CAMERA_TIMEOUT");
      child.thaw();
      await flows(subject);
    }).timeout(15_000);
  });
});
