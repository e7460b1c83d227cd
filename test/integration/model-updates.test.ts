import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import type { ClockQuality } from "../../src/core/types.ts";
import { FakeSwitch } from "../lib/fake-switch.ts";
import { TestSigner } from "../lib/minisign.ts";
import { until } from "../lib/poll.ts";
import { type ReleaseDraft, ReleaseServer } from "../lib/releases.ts";
import { RecordingLogger, seededRandom, SimulatedClock } from "../lib/seams.ts";
import { takeoverOf, updaterOf } from "../lib/takeover-bench.ts";
import { tempFolder } from "../lib/temp.ts";
import { never } from "../lib/vision.ts";

/** A server, and a device whose vision is a stand-in that proves what the test says. */
async function bench(options: { readonly limits?: Parameters<typeof updaterOf>[1]["limits"]; everyMs?: number } = {}) {
  const folder = await tempFolder();
  const server = await ReleaseServer.open();
  const [clock, log, vision] = [new SimulatedClock(), new RecordingLogger(), new FakeSwitch()];
  const seams = { clock, random: seededRandom(1), log };
  const device = { clockQuality: "unknown" as ClockQuality, proof: undefined as AgentError | undefined, proofs: 0 };
  const prove = async () => {
    device.proofs += 1;
    if (device.proof !== undefined) throw device.proof;
    return Promise.resolve({ runMs: 5 });
  };
  // So long that simulated time does not pass it.
  const keeping = takeoverOf({ folder: folder.path, vision, seams, prove, probationMs: 1e12 });
  const updater = updaterOf(keeping, {
    ...{ url: server.url, publicKey: server.signer.publicKey, vision, seams, clockQuality: () => device.clockQuality },
    ...options,
  });
  await keeping.takeover.guard();
  return {
    ...keeping,
    ...{ server, clock, log, vision, device, updater },
    models: join(folder.path, "models"),
    /** Probation would keep the next release waiting. */
    check: async () => {
      await keeping.takeover.books.update((now) => {
        const { clockSeenMs, refused, fetched, last } = now;
        return { clockSeenMs, refused, fetched, ...(last && { last }) };
      });
      return updater.check(never);
    },
    async [Symbol.asyncDispose]() {
      await updater.stop();
      await keeping.takeover.stop();
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function filesOf(text: string): Record<string, Buffer> {
  return {
    "model.onnx": Buffer.from(`model ${text}`.repeat(2_000)),
    "golden.jpg": Buffer.from(`picture ${text}`),
    "golden.json": Buffer.from(`"golden ${text}"`),
  };
}

const draft = (sequence: number, more: Partial<ReleaseDraft> = {}): ReleaseDraft => ({
  version: String(sequence),
  sequence,
  files: filesOf(String(sequence)),
  ...more,
});

describe("an update", () => {
  it("comes into use once, and again only with a higher number", async () => {
    await using opened = await bench();
    const { server, store, vision, check, log, models } = opened;
    const old = [
      server.publish(draft(1)),
      server.answers.get("/models/release.json.minisig") ?? Buffer.alloc(0),
    ] as const;
    assert.deepEqual(await check(), { kind: "done", found: "in-use", model: "wasps@1" });
    assert.deepEqual([vision.current, (await store.current())?.version], ["wasps@1", "1"]);
    assert.deepEqual((await readdir(join(models, "wasps", "1"))).sort(), ["golden.jpg", "golden.json", "model.onnx"]);
    const asked = server.requests.length;
    await check();
    assert.equal(server.requests.length, asked + 2);
    server.publish(draft(2));
    await check();
    assert.equal(vision.current, "wasps@2");
    server.answers.set("/models/release.json", old[0]);
    server.answers.set("/models/release.json.minisig", old[1]);
    await assert.rejects(check(), { code: "RELEASE_REPLAYED", message: /number is 1, and number 2 was taken/ });
    server.publish(draft(2, { files: filesOf("other") }));
    await assert.rejects(check(), { code: "RELEASE_REPLAYED", message: /with other files/ });
    server.publish(draft(3));
    await check();
    await check();
    // The one in use and the one before; what came before that is removed.
    assert.deepEqual(
      (await store.list()).map(({ version }) => version),
      ["2", "3"],
    );
    assert.deepEqual((await readdir(models)).sort(), ["current", "previous", "wasps"]);
    const events = log.lines.map(({ event }) => event);
    assert.deepEqual(events.filter((event) => event === "model.switched").length, 3);
  });

  it("never comes into use when anything about it is wrong, and leaves nothing behind", async () => {
    await using opened = await bench();
    const { server, store, vision, check, models } = opened;
    const wrong = (bytes: Buffer) => Buffer.from(bytes.map((byte, index) => (index === 9 ? byte ^ 1 : byte)));
    const onnx = "/models/wasps/1/model.onnx";
    const faults: readonly (readonly [string, () => void])[] = [
      ["RELEASE_SIGNATURE", () => server.publish(draft(1), new TestSigner(4))],
      ["RELEASE_SIGNATURE", () => server.answers.set("/models/release.json", wrong(server.publish(draft(1))))],
      ["RELEASE_SIGNATURE", () => server.answers.set("/models/release.json.minisig", Buffer.from("RW"))],
      ["RELEASE_UNAVAILABLE", () => server.answers.delete("/models/release.json.minisig")],
      ["RELEASE_TOO_LARGE", () => server.answers.set("/models/release.json", Buffer.alloc(300_000, 32))],
      ["RELEASE_EXPIRED", () => server.publish(draft(1, { expires: "2025-12-31T23:59:59Z" }))],
      ["RELEASE_SCHEMA", () => server.publish(draft(1, { name: "../wasps" }))],
      ["RELEASE_SCHEMA", () => server.publish(draft(1, { name: "current" }))],
      ["RELEASE_SCHEMA", () => server.publish(draft(1, { claims: { "golden.jpg": { path: "../../x" } } }))],
      ["RELEASE_SCHEMA", () => server.publish(draft(1, { claims: { "model.onnx": { url: "http://127.0.0.2/x" } } }))],
      ["RELEASE_SCHEMA", () => server.publish(draft(1, { files: { "model.onnx": Buffer.from("alone") } }))],
      ["RELEASE_SCHEMA", () => server.publish(draft(1, { further: { format: 2 } }))],
      ["MODEL_CHECKSUM", () => [server.publish(draft(1)), server.answers.set(onnx, Buffer.from("x"))]],
      [
        "MODEL_CHECKSUM",
        () => [
          server.publish(draft(1)),
          server.answers.set(onnx, wrong(filesOf("1")["model.onnx"] ?? Buffer.alloc(0))),
        ],
      ],
      ["HTTP_404", () => [server.publish(draft(1)), server.answers.delete(onnx)]],
      [
        "MODEL_TOO_LARGE",
        () => server.publish(draft(2, { files: { ...filesOf("2"), "model.onnx": Buffer.alloc(1_000_001) } })),
      ],
    ];
    for (const [index, [code, publish]] of faults.entries()) {
      publish();
      await assert.rejects(check(), { code }, `fault ${index}`);
      assert.deepEqual([vision.current, await store.current(), await store.list()], ["tiny-end-to-end", undefined, []]);
      const left = await readdir(models).catch(() => []);
      assert.deepEqual(left, [], `fault ${index}: ${code}`);
    }
    assert.equal(opened.device.proofs, 0);
    server.publish(draft(3));
    await check();
    assert.equal(vision.current, "wasps@3");
  });

  it("goes on with a download that was cut, at the next look too", async () => {
    await using opened = await bench();
    const { server, vision, check } = opened;
    server.publish(draft(1));
    const path = "/models/wasps/1/model.onnx";
    const whole = server.answers.get(path);
    assert.ok(Buffer.isBuffer(whole));
    server.answers.set(path, (_request, response) => {
      response.writeHead(200, { "content-length": whole.length });
      response.write(whole.subarray(0, 9_000), () => response.destroy());
    });
    await assert.rejects(check(), { disposition: "retry" });
    server.answers.set(path, whole);
    await check();
    assert.equal(vision.current, "wasps@1");
  });

  it("waits while the clock cannot be trusted, rather than take what may have expired", async () => {
    await using opened = await bench();
    const { server, vision, check, clock, device } = opened;
    server.publish(draft(1, { expires: "2026-03-01T00:00:00Z" }));
    clock.jump(Date.UTC(2020, 0, 1) - clock.nowMs());
    assert.deepEqual(await check(), { kind: "later", afterMs: 60_000, why: "the clock cannot be trusted yet" });
    // Once synchronised, the device knows that it is April; then it starts without a clock, in January.
    clock.jump(Date.UTC(2026, 3, 1) - clock.nowMs());
    device.clockQuality = "synchronised";
    await assert.rejects(check(), { code: "RELEASE_EXPIRED" });
    clock.jump(Date.UTC(2026, 0, 2) - clock.nowMs());
    device.clockQuality = "unknown";
    assert.equal((await check()).kind, "later");
    assert.equal(vision.current, "tiny-end-to-end");
    server.publish(draft(1, { expires: "2026-06-01T00:00:00Z" }));
    clock.jump(Date.UTC(2026, 3, 2) - clock.nowMs());
    await check();
    assert.equal(vision.current, "wasps@1");
  });

  it("that fails its proof is not tried again, under whatever number; what the machine cannot do just now is", async () => {
    await using opened = await bench();
    const { server, store, vision, check, device, takeover, log } = opened;
    device.proof = new AgentError("VISION_CRASHED", "out of memory", { disposition: "retry" });
    server.publish(draft(1));
    await assert.rejects(check(), { code: "VISION_CRASHED" });
    device.proof = new AgentError("MODEL_DIFFERENT", "no wasps", { disposition: "fatal" });
    await assert.rejects(check(), { code: "MODEL_DIFFERENT" });
    assert.equal(device.proofs, 2);
    assert.deepEqual(await store.list(), []);
    device.proof = undefined;
    await check();
    server.publish(draft(2, { files: filesOf("1") }));
    await check();
    assert.deepEqual([device.proofs, vision.current], [2, "tiny-end-to-end"]);
    assert.deepEqual(takeover.books.read().last, { ...takeover.books.read().last, sequence: 2, isSettled: true });
    // The agent that proves it dies each time.
    server.publish(draft(3));
    device.proof = new AgentError("VISION_CRASHED", "again", { disposition: "retry" });
    for (let tries = 0; tries < 3; tries += 1) await assert.rejects(check(), { code: "VISION_CRASHED" });
    await check();
    await check();
    assert.equal(device.proofs, 5);
    assert.deepEqual(
      log.lines.filter(({ event }) => event === "model.refused").map(({ fields }) => fields["model"]),
      ["wasps@1", "wasps@3"],
    );
  });

  it("does not replace what somebody has installed under its name", async () => {
    await using opened = await bench();
    const { server, store, check } = opened;
    const { folder, ref } = await store.stage({ name: "wasps", version: "1" });
    await writeFile(join(folder, "model.onnx"), "their own");
    await store.install({ folder, ref });
    server.publish(draft(1));
    await assert.rejects(check(), { code: "RELEASE_VERSION_TAKEN" });
    assert.equal((await store.list()).length, 1);
  });

  it("is looked for soon after the start, then every so often, and less often while that fails", async () => {
    const hour = 60 * 60_000;
    await using opened = await bench({ everyMs: hour });
    const { server, updater, clock, log } = opened;
    const startMs = clock.monotonicMs();
    updater.start();
    const failures = () => log.lines.filter(({ event }) => event === "model.update_failed").length;
    // Simulated time stands still while a request is under way, and passes at once where the agent waits.
    await until(() => failures() >= 12, "failures");
    const elapsedMs = clock.monotonicMs() - startMs;
    await updater.stop();
    assert.ok(elapsedMs > 5 * hour * 0.75, `${elapsedMs} ms`);
    assert.equal(updater.health().lastError?.code, "RELEASE_UNAVAILABLE");
    assert.ok(server.requests.length <= failures() + 1);
  });
});
