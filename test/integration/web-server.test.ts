import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { Textfile } from "../../agent/health/textfile.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { webLimits } from "../../src/core/web-limits.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { tcpServer } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";
import { WebBench } from "../lib/web-bench.ts";

/** Short waits, so that no test takes long. */
class HurriedClock extends SystemClock {
  override async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await super.sleep(Math.min(ms, 10), signal);
  }
}

describe("the web server", () => {
  it("says once that its port is taken, and takes it when it is free", async () => {
    let bench: WebBench;
    {
      await using other = await tcpServer(() => undefined);
      bench = await new WebBench({ listen: `127.0.0.1:${other.port}` }, { clock: new HurriedClock() }).start();
      const tried = bench;
      await until(() => tried.log.lines.some(({ level }) => level === "debug"), "it is tried again");
    }
    await using served = bench;
    await until(() => served.url !== "", "it listens");
    assert.equal((await served.ask("GET /livez HTTP/1.1")).status, 200);
    const said = served.log.lines.filter(({ level }) => level === "warn");
    assert.deepEqual(
      said.map(({ event, fields }) => [event, fields["code"]]),
      [["web.unavailable", "EADDRINUSE"]],
    );
  });

  it("stops at any time, also while its port is taken, and starts again", async () => {
    await using other = await tcpServer(() => undefined);
    const bench = await new WebBench({ listen: `127.0.0.1:${other.port}` }).start();
    await bench.stop();
    await bench.stop();
    assert.equal(bench.url, "");
    await using fresh = await new WebBench().start();
    await fresh.stop();
    await fresh.start();
    assert.equal((await fresh.ask("GET /livez HTTP/1.1")).status, 200);
  });

  it("answers for loops, readiness and health with a status that a probe understands", async () => {
    await using bench = await new WebBench().start();
    const answer = async (path: string) => {
      const { status, text } = await bench.ask(`GET ${path} HTTP/1.1`);
      return [status, JSON.parse(text.split("\r\n\r\n")[1] ?? "")] as const;
    };
    assert.deepEqual(await answer("/livez"), [200, { live: true, late: [] }]);
    assert.deepEqual(await answer("/readyz"), [200, { ready: true, reasons: [] }]);
    bench.late = ["camera front"];
    bench.reasons = ["camera front: backoff"];
    assert.deepEqual(await answer("/livez"), [503, { live: false, late: ["camera front"] }]);
    assert.deepEqual(await answer("/readyz"), [503, { ready: false, reasons: ["camera front: backoff"] }]);
    bench.health = { state: "degraded", stateForMs: 59_999, report: { state: "degraded" } };
    assert.deepEqual(await answer("/healthz"), [200, { stateForMs: 59_999, state: "degraded" }]);
    bench.health = { state: "degraded", stateForMs: 60_000, report: { state: "degraded" } };
    assert.equal((await answer("/healthz"))[0], 503);
  });

  it("keeps so many streams open and no more, forgets those that left, and ends all when it stops", async () => {
    await using bench = await new WebBench({}, { clock: new HurriedClock() }).start();
    const url = `${bench.url}api/events`;
    const open = await Promise.all(Array.from({ length: webLimits.streamsMax }, () => new EventReader().open(url)));
    assert.ok(open.every(({ text }) => text.includes('event: hello\ndata: {"n":1}')));
    assert.equal((await fetch(url)).status, 503);
    await open[0]?.leave();
    await until(async () => {
      const reader = await new EventReader().open(url).catch(() => undefined);
      return reader !== undefined;
    }, "a place is free again");
    const startedMs = performance.now();
    await bench.stop();
    assert.ok(performance.now() - startedMs < 5_000);
    await Promise.all(open.slice(1).map((reader) => reader.ended()));
  });

  it("opens no stream for who asks for the head of one", async () => {
    await using bench = await new WebBench().start();
    const url = `${bench.url}api/events`;
    for (let times = 0; times <= webLimits.streamsMax; times += 1) {
      assert.equal((await fetch(url, { method: "HEAD" })).status, 200);
    }
    const reader = await new EventReader().open(url);
    assert.ok(reader.text.includes("event: hello"));
    await reader.leave();
  });
});

describe("the textfile of metrics", () => {
  it("is whole at any moment, has no remains beside it, and goes with the daemon", async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, "framepost.prom");
    let writes = 0;
    const text = async () => `framepost_info ${(writes += 1)}\n`;
    const seams = { clock: new HurriedClock(), random: seededRandom(1), log: new RecordingLogger() };
    const file = new Textfile({ path, everyMs: 60_000, text }, seams);
    await file.start();
    await until(() => writes > 3, "it is written again");
    assert.match(await readFile(path, "utf8"), /^framepost_info \d+\n$/);
    await file.stop();
    assert.deepEqual(await readdir(folder.path), []);
    assert.deepEqual(seams.log.lines, []);
  });

  it("can be read by the collector, whatever the service keeps from others", async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, "framepost.prom");
    const seams = { clock: new HurriedClock(), random: seededRandom(1), log: new RecordingLogger() };
    const before = process.umask(0o077);
    try {
      const file = new Textfile({ path, everyMs: 60_000, text: async () => "" }, seams);
      await file.start();
      await until(async () => (await readdir(folder.path)).includes("framepost.prom"), "it is there");
      assert.equal((await stat(path)).mode & 0o777, 0o644);
      await file.stop();
    } finally {
      process.umask(before);
    }
  });

  it("that cannot be written is said once, and nothing else suffers", async () => {
    const seams = { clock: new HurriedClock(), random: seededRandom(1), log: new RecordingLogger() };
    let writes = 0;
    const text = async () => String((writes += 1));
    const file = new Textfile({ path: "/nowhere/framepost.prom", everyMs: 60_000, text }, seams);
    await file.start();
    await until(() => writes > 3, "it is tried again");
    await file.stop();
    assert.deepEqual(
      seams.log.lines.map(({ event, fields }) => [event, fields["path"]]),
      [["metrics.not_written", "/nowhere/framepost.prom"]],
    );
  });
});

/** A browser's tab. */
class EventReader {
  text = "";
  #body: ReadableStreamDefaultReader<Uint8Array> | undefined;

  /** Resolves after the first event. */
  async open(url: string): Promise<this> {
    const { body, status } = await fetch(url);
    if (body === null || status !== 200) throw new Error(`no stream: ${status}`);
    this.#body = body.getReader();
    while (!this.text.includes("data:")) await this.#read();
    return this;
  }

  async leave(): Promise<void> {
    await this.#body?.cancel();
  }

  async ended(): Promise<void> {
    while (await this.#read().catch(() => false));
  }

  async #read(): Promise<boolean> {
    const { done, value } = (await this.#body?.read()) ?? { done: true, value: undefined };
    this.text += Buffer.from(value ?? []).toString();
    return !done;
  }
}
