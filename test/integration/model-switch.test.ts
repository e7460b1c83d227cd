import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { scene } from "../../src/capture/simulated/scene.ts";
import { SimulatedDriver } from "../../src/capture/simulated/driver.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import { VisionSwitch } from "../../src/vision/switch.ts";
import { MemorySpool } from "../lib/memory-spool.ts";
import { ownChildren } from "../lib/own-processes.ts";
import { keepAll } from "../lib/pipeline-bench.ts";
import { until } from "../lib/poll.ts";
import { ReleaseServer } from "../lib/releases.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { releaseFiles, takeoverOf, updaterOf } from "../lib/takeover-bench.ts";
import { tempFolder } from "../lib/temp.ts";
import { never, tinyModel } from "../lib/vision.ts";

/** Real vision processes; those for the takeover itself, with every step and fault, are in model-takeover.test.ts. */
describe("a new model under load", () => {
  const log = new RecordingLogger();
  const seams = { clock: new SystemClock(), random: Math.random, log };
  let vision: VisionSwitch;
  let files: Record<string, Buffer>;
  let childrenBefore = 0;

  before(async function () {
    this.timeout(30_000);
    childrenBefore = (await ownChildren()).length;
    vision = new VisionSwitch({ model: await tinyModel(), threads: 1, backoffFirstMs: 20 }, seams);
    await vision.start(never);
    const { svg } = scene({ seed: 2, index: 1, width: 640, height: 360 });
    files = await releaseFiles("tiny-yolo8", (await vision.render(svg, { quality: 90 }, never)).jpeg);
  });
  after(async () => {
    await vision.stop();
    assert.equal((await ownChildren()).length, childrenBefore);
  });

  it("takes over between two frames, is refused when it fails its picture, and goes back when it dies", async function () {
    this.timeout(60_000);
    await using folder = await tempFolder();
    await using server = await ReleaseServer.open();
    await using flow = frames(vision, seams);
    const limits = { probationLookMs: 5 };
    const keeping = takeoverOf({ folder: folder.path, vision, seams, limits });
    const { store, takeover } = keeping;
    const updater = updaterOf(keeping, { url: server.url, publicKey: server.signer.publicKey, vision, seams });
    await takeover.guard();
    takeover.start();
    try {
      await until(() => flow.pipeline.health().frames >= 5, "frames");
      server.publish({ version: "1", sequence: 1, files });
      await updater.check(never);
      assert.equal((await store.current())?.version, "1");
      const framesThen = flow.pipeline.health().frames;
      await until(() => flow.pipeline.health().frames >= framesThen + 5, "frames of the new model");
      assert.equal(vision.model()?.name, "wasps@1");
      const models = await flow.models();
      assert.deepEqual([...new Set(models)], ["tiny-end-to-end", "wasps@1"]);
      assert.equal((await ownChildren()).length, childrenBefore + 1);

      await takeover.use("wasps@1");
      await takeover.rollback();
      assert.equal(vision.model()?.name, "tiny-end-to-end");

      // The same picture; of the same model, but for another class of each box, or for none.
      const golden = JSON.parse(String(files["golden.json"])) as { expected: { label: string }[] };
      const expected = golden.expected.map((detection) => ({ ...detection, label: "nothing of the kind" }));
      const different = Buffer.from(JSON.stringify({ ...golden, expected }));
      server.publish({ version: "2", sequence: 2, files: { ...files, "golden.json": different } });
      await assert.rejects(updater.check(never), { code: "MODEL_DIFFERENT" });
      const blank = await vision.render(
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="360"/>',
        { quality: 90 },
        never,
      );
      const unbound = JSON.stringify({ ...golden, sha256: undefined });
      const dead = { ...files, "golden.jpg": blank.jpeg, "golden.json": Buffer.from(unbound) };
      server.publish({ version: "3", sequence: 3, files: dead });
      await assert.rejects(updater.check(never), { code: "MODEL_DEAD" });
      const again = { ...files, "golden.json": Buffer.concat([spaced(files["golden.json"]), Buffer.from("\n")]) };
      server.publish({ version: "4", sequence: 4, files: again, maxRunMs: 0.000_1 });
      await assert.rejects(updater.check(never), {
        code: "MODEL_UNPROVEN",
        message: /a run takes .* ms, and may take/,
      });
      assert.equal(await store.current(), undefined);
      assert.deepEqual(await store.list(), []);
      assert.equal((await ownChildren()).length, childrenBefore + 1);

      // The first model again; then its process dies three times.
      server.publish({ version: "6", sequence: 6, files: { ...files, "golden.json": spaced(files["golden.json"]) } });
      await updater.check(never);
      assert.equal(vision.model()?.name, "wasps@6");
      const { unlabelled, refused, dropped } = flow.pipeline.health();
      const lost = Object.keys(dropped).filter((why) => why !== "empty");
      // So far nothing was lost: what was not processed, a newer frame had replaced.
      assert.deepEqual([unlabelled, lost, refused, flow.camera.health().restarts], [0, [], 0, 0]);
      const { framesCaptured, framesSkipped } = flow.camera.health();
      const waiting = framesCaptured - framesSkipped - flow.pipeline.health().frames;
      assert.ok(waiting >= 0 && waiting <= 2, `${waiting} frames are missing`);
      for (let kills = 0; kills < 3; kills += 1) {
        await until(
          () => vision.health().state === "ready" && vision.health().restarts >= kills,
          "the process",
          20_000,
        );
        process.kill(vision.health().pid ?? 0, "SIGKILL");
        await until(() => vision.health().restarts > kills, `restart ${kills}`, 20_000);
      }
      await until(() => vision.model()?.name === "tiny-end-to-end", "the model before", 20_000);
      await until(() => takeover.lastRollback() !== undefined, "the end of going back");
      assert.match(takeover.lastRollback() ?? "", /^wasps@6 went back to .*: its process ended 3 times$/);
      assert.deepEqual([await store.current(), await store.list()], [undefined, []]);
      await updater.check(never);
      assert.equal(vision.model()?.name, "tiny-end-to-end");
    } finally {
      await takeover.stop();
    }
  });
});

/** Another file with the same content. */
function spaced(json: Buffer | undefined): Buffer {
  return Buffer.concat([json ?? Buffer.alloc(0), Buffer.from("\n")]);
}

/** Frames of a simulated camera at 20 a second, through the whole pipeline into a spool in memory. */
function frames(vision: VisionSwitch, seams: { clock: SystemClock; random: () => number; log: RecordingLogger }) {
  const driver = new SimulatedDriver({ seed: 1, width: 320, height: 240, quality: 80 }, (svg, options, signal) =>
    vision.render(svg, options, signal),
  );
  const camera = new SupervisedCamera({ id: "yard", driver, intervalMs: 50 }, seams);
  const spool = new MemorySpool({ clock: seams.clock, recordsMax: 1_000_000 });
  const pipeline = new Pipeline(
    { cameras: [{ camera, rules: keepAll }], vision, spool, targets: [{ id: "all", wants: () => true }] },
    { bootId: "boot", agentVersion: "1", clockQuality: () => "unknown", exact: false },
    seams,
  );
  void camera.start(never);
  pipeline.start();
  return {
    camera,
    pipeline,
    /** Of every stored record, in their order. */
    async models() {
      const listed = await spool.list({ afterSequence: 0, recordsMax: 10_000 });
      return listed.map(({ record }) => record.model?.name);
    },
    async [Symbol.asyncDispose]() {
      await camera.stop();
      await pipeline.stop();
    },
  };
}
