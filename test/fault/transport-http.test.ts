import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { after, afterEach, before, beforeEach, describe } from "mocha";
import type { SandboxFault } from "../../src/sandbox/faults.ts";
import { redirectFault } from "../../src/sandbox/faults.ts";
import { IotownSandbox, type IotownSandboxOptions } from "../../src/sandbox/iotown/server.ts";
import { type CertificateFiles, makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { HurriedClock } from "../lib/hurried-clock.ts";
import { freePort } from "../lib/mosquitto.ts";
import { until } from "../lib/poll.ts";
import { needsProgram } from "../lib/programs.ts";
import { tcpServer } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";
import { benchToken, TransportBench } from "../lib/transport-bench.ts";
import { survives } from "../lib/transport-faults.ts";

const deliverChild = fileURLToPath(new URL("../lib/deliver-child.js", import.meta.url));
const killStages = ["connected", "half of the body", "stored, not answered", "answered"];
const yearMs = 365 * 24 * 3_600_000;

describe("the delivery loop survives, over HTTP", function () {
  this.timeout(20_000);
  let bench: TransportBench;
  let sandbox: IotownSandbox;
  let url: string;

  beforeEach(async () => {
    bench = await TransportBench.open();
    sandbox = await serve();
  });
  afterEach(async () => {
    assert.deepEqual(sandbox.violations(), []);
    await bench[Symbol.asyncDispose]();
  });

  async function serve(options: Partial<IotownSandboxOptions> = {}): Promise<IotownSandbox> {
    const made = bench.use(new IotownSandbox({ token: benchToken, ...options }));
    ({ url } = await made.start());
    return made;
  }

  /** All of them are there; `repeats` of them once more than once. */
  function has(hashes: readonly string[], repeats = 0): void {
    assert.deepEqual(
      sandbox
        .stored()
        .map(({ sha256 }) => sha256)
        .sort(),
      [...hashes].sort(),
    );
    assert.equal(sandbox.counts().accepted, hashes.length + repeats);
  }

  /** Three records meet the fault until it is over. */
  async function meets(fault: SandboxFault, code: string): Promise<{ readonly waitedMs: number }> {
    sandbox.fault(fault, Infinity);
    const hashes = await bench.append(3);
    const loop = await bench.town(url);
    await bench.away(loop, code);
    const startedMs = bench.clock.monotonicMs();
    sandbox.heal();
    await bench.settled(loop);
    has(hashes);
    return { waitedMs: bench.clock.monotonicMs() - startedMs };
  }

  survives("connection refused", async () => {
    const port = await freePort();
    const hashes = await bench.append(3);
    const loop = await bench.town(`http://127.0.0.1:${port}`);
    await bench.away(loop, "NET_REFUSED");
    sandbox = await serve({ port });
    await bench.settled(loop);
    has(hashes);
  });

  survives("name that DNS does not know", async () => {
    const hashes = await bench.append(3);
    const lost = await bench.town("http://framepost.invalid");
    await bench.away(lost, "NET_DNS");
    await lost.stop();
    await bench.settled(await bench.town(url));
    has(hashes);
  });

  survives("reset in the middle of the body", async () => {
    sandbox.fault({ kind: "reset-early" }, 2);
    const hashes = await bench.append(2, 2_000_000);
    const loop = await bench.town(url);
    await until(() => loop.health().retried >= 1, "a reset");
    await bench.settled(loop);
    has(hashes);
  });

  survives("answer that drips", async () => {
    // The whole of a request has 15 seconds, which no clock hurries: the loop's own deadline ends the call before.
    await meets({ kind: "drip", everyMs: 50 }, "NET_TIMEOUT");
  });

  survives("413 too large", async () => {
    sandbox = await serve({ bodyBytesMax: 100_000 });
    await bench.append(1, 200_000);
    const hashes = await bench.append(3);
    const loop = await bench.town(url);
    await bench.settled(loop, { setAside: ["HTTP_413"] });
    has(hashes);
  });

  survives("429 with Retry-After", async () => {
    const retryAfter = { "Retry-After": "20", "Content-Type": "application/json" };
    sandbox.fault({ kind: "answer", status: 429, headers: retryAfter, body: "{}" });
    const startedMs = bench.clock.monotonicMs();
    const hashes = await bench.append(3);
    const loop = await bench.town(url);
    await bench.away(loop, "HTTP_429");
    await bench.settled(loop);
    has(hashes);
    assert.equal(sandbox.counts().requests, 4, "it is asked again once, after its time");
    assert.ok(bench.clock.monotonicMs() - startedMs >= 20_000);
  });

  survives("401", async () => {
    sandbox.fault({ kind: "answer", status: 401 }, Infinity);
    const hashes = await bench.append(3);
    const loop = await bench.town(url);
    await bench.away(loop, "HTTP_401");
    assert.equal(loop.health().awayBecause?.needsPerson, true);
    const { requests } = sandbox.counts();
    assert.ok(requests <= 2, `one on each connection, and then a person is waited for: ${requests}`);
    sandbox.heal();
    loop.flush(3);
    await bench.settled(loop);
    has(hashes);
  });

  survives("burst of 5xx", async () => {
    for (const status of [500, 502, 503, 504, 500, 503]) sandbox.fault({ kind: "answer", status });
    const hashes = await bench.append(6);
    const loop = await bench.town(url);
    await until(() => loop.health().retried >= 3, "some are refused");
    await bench.settled(loop);
    has(hashes);
  });

  survives("redirect to another host", async () => {
    await using other = await tcpServer(() => undefined);
    sandbox.fault(redirectFault(307, `http://127.0.0.1:${other.port}/api/v1.0/nn/image`), Infinity);
    const hashes = await bench.append(3);
    const loop = await bench.town(url);
    await bench.away(loop, "HTTP_REDIRECT");
    assert.equal(other.connections(), 0, "nothing is shown to the other host");
    sandbox.heal();
    loop.flush(3);
    await bench.settled(loop);
    has(hashes);
  });

  survives("answer lost after the record was stored", async () => {
    sandbox.fault({ kind: "reset-late", stores: true });
    const hashes = await bench.append(3);
    const loop = await bench.town(url);
    await bench.settled(loop);
    has(hashes, 1);
    const twice = sandbox.stored().filter(({ times }) => times === 2);
    assert.equal(twice.length, 1, "the same bytes under the same name, which tell the copy");
  });

  survives("wall clock jumps", async () => {
    await bench[Symbol.asyncDispose]();
    const clock = new LeapingClock(20);
    bench = await TransportBench.open({ clock });
    sandbox = await serve();
    sandbox.fault({ kind: "answer", status: 503 }, Infinity);
    const hashes = [...(await bench.append(1))];
    const loop = await bench.town(url);
    await bench.away(loop, "HTTP_503");
    for (const leapMs of [40 * yearMs, -90 * yearMs, 50 * yearMs]) {
      clock.leap(leapMs);
      hashes.push(...(await bench.append(1)));
    }
    sandbox.heal();
    await bench.settled(loop);
    has(hashes);
  });

  survives("spool full", async () => {
    await bench[Symbol.asyncDispose]();
    bench = await TransportBench.open({ recordsMax: 3 });
    sandbox = await serve();
    sandbox.fault({ kind: "answer", status: 503 }, Infinity);
    const hashes = [...(await bench.append(3))];
    const loop = await bench.town(url);
    await bench.away(loop, "HTTP_503");
    await assert.rejects(bench.append(1), { code: "SPOOL_FULL" });
    sandbox.heal();
    await bench.settled(loop);
    hashes.push(...(await bench.append(3)));
    await bench.settled(loop);
    has(hashes);
  });

  survives("agent killed", async () => {
    await using folder = await tempFolder();
    const hashes = new Set<string>();
    for (const stage of [...killStages, ""]) {
      // A proxy for each: what an agent had sent when it was killed must not come where the next one can be killed by it.
      let kill = (): void => assert.fail("too early");
      await using proxy = await killingProxy(Number(new URL(url).port), stage, () => kill());
      const child = spawn(process.execPath, [deliverChild, folder.path, `http://127.0.0.1:${proxy.port}`, "1"]);
      const exit = once(child, "exit");
      kill = () => void child.kill("SIGKILL");
      for await (const line of createInterface(child.stdout)) for (const hash of line.split(" ")) hashes.add(hash);
      assert.deepEqual(await exit, stage === "" ? [0, null] : [null, "SIGKILL"], stage);
    }
    assert.equal(hashes.size, killStages.length + 1);
    assert.deepEqual(new Set(sandbox.stored().map(({ sha256 }) => sha256)), hashes, "nothing is lost");
    const repeats = sandbox.counts().accepted - hashes.size;
    assert.ok(repeats <= 2 * killStages.length, `${repeats} copies, of at most two calls under way at each kill`);
  });

  describe("with TLS", () => {
    let folder: Awaited<ReturnType<typeof tempFolder>>;
    let authority: CertificateFiles;
    let server: CertificateFiles;

    before(async function () {
      needsProgram(this, "openssl", "openssl");
      folder = await tempFolder();
      authority = await makeAuthority(folder.path, "ca");
      server = await makeCertificate(folder.path, "server", authority, { subjectAltName: "IP:127.0.0.1" });
    });

    after(async () => await folder[Symbol.asyncDispose]());

    const textsOf = async ({ cert, key }: CertificateFiles) => ({
      cert: await readFile(cert, "utf8"),
      key: await readFile(key, "utf8"),
    });

    /** A target that cannot, then the one of a mended config. */
    async function mended(code: string, wrong: object, right: object): Promise<void> {
      const hashes = await bench.append(2);
      const loop = await bench.town(url, { tls: wrong });
      await bench.away(loop, code);
      assert.equal(sandbox.counts().requests, 0, "nothing was sent");
      await loop.stop();
      await bench.settled(await bench.town(url, { tls: right }));
      has(hashes);
    }

    survives("TLS by a wrong authority", async () => {
      const stranger = await makeAuthority(folder.path, "stranger");
      sandbox = await serve({ tls: await textsOf(server) });
      await mended("TLS_UNTRUSTED", { ca: stranger.cert }, { ca: authority.cert });
    });

    survives("TLS certificate that is over", async () => {
      const subject = { subjectAltName: "IP:127.0.0.1", expired: true };
      const old = await makeCertificate(folder.path, "old", authority, subject);
      const expired = await serve({ tls: await textsOf(old) });
      const hashes = await bench.append(2);
      const loop = await bench.town(url, { tls: { ca: authority.cert } });
      await bench.away(loop, "TLS_UNTRUSTED");
      const port = Number(new URL(url).port);
      await expired.stop();
      sandbox = await serve({ port, tls: await textsOf(server) });
      await bench.settled(loop);
      has(hashes);
    });

    survives("TLS without the client certificate that is asked for", async () => {
      const client = await makeCertificate(folder.path, "client", authority, { subjectAltName: "DNS:gate" });
      const clientCa = await readFile(authority.cert, "utf8");
      sandbox = await serve({ tls: { ...(await textsOf(server)), clientCa } });
      const ca = authority.cert;
      await mended("TLS_CLIENT_CERT", { ca }, { ca, cert: client.cert, key: join(folder.path, "client.key") });
    });
  });
});

/** Passes on what goes to the sandbox and comes back, and calls `kill` when a call has come as far as `stage` says. */
function killingProxy(sandboxPort: number, stage: string, kill: () => void): ReturnType<typeof tcpServer> {
  return tcpServer((socket) => {
    const onward = connect(sandboxPort, "127.0.0.1");
    let bytes = 0;
    if (stage === "connected") kill();
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (stage === "half of the body" && bytes > 100_000) kill();
      onward.write(chunk);
    });
    onward.on("data", (chunk: Buffer) => {
      if (stage === "stored, not answered") kill();
      else socket.write(chunk);
      if (stage === "answered") setTimeout(kill, 1);
    });
    for (const each of [onward, socket]) each.on("error", () => undefined);
    socket.on("close", () => onward.destroy());
  });
}

/** Its wall clock is set while all else goes on. */
class LeapingClock extends HurriedClock {
  #leaptMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.#leaptMs;
  }

  leap(ms: number): void {
    this.#leaptMs += ms;
  }
}
