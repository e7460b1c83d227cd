import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { motionDefaults, shadowLimits } from "../../src/core/vision-limits.ts";
import { handmadeJpeg } from "../lib/jpegs.ts";
import { person, PipelineBench } from "../lib/pipeline-bench.ts";
import { never } from "../lib/vision.ts";

const picture = handmadeJpeg(64, 48);
const cat = { ...person, label: "cat" };
const shadow = { every: 1, minIou: 0.5 };
const pictures = (count: number) => Array.from({ length: count }, () => picture);

async function reasons(bench: PipelineBench) {
  return (await bench.stored()).map(({ record }) => `${record.reason.rule} ${record.reason.priority}`);
}

describe("pipeline with a shadow model", () => {
  it("keeps with priority what the two disagree on, with the first one's detections", async () => {
    await using bench = new PipelineBench({ shadow, rules: { labels: ["dog"] } });
    bench.shadow.detections = [cat];
    bench.pipeline.start();
    await bench.show(picture);
    const [stored] = await bench.stored();
    assert.ok(stored !== undefined);
    assert.deepEqual(stored.record.reason, { rule: "shadow:+cat -person", priority: 2 });
    assert.deepEqual(stored.record.detections, [person]);
    const { keptByRule, shadow: health } = bench.pipeline.health();
    assert.deepEqual(keptByRule, { shadow: 1 });
    assert.ok(health !== undefined);
    const { frames, disagreements, added, missing, failed, model } = health;
    assert.deepEqual(
      { frames, disagreements, added, missing, failed, model },
      { frames: 1, disagreements: 1, added: 1, missing: 1, failed: 0, model: "fake" },
    );
  });

  it("leaves everything as it is while they agree", async () => {
    await using bench = new PipelineBench({ shadow, rules: { minIntervalMs: 5_000 } });
    bench.pipeline.start();
    await bench.show(...pictures(7));
    assert.deepEqual(await reasons(bench), ["any-detection 1", "any-detection 1"]);
    assert.deepEqual([bench.pipeline.health().shadow?.frames, bench.pipeline.health().shadow?.disagreements], [7, 0]);
  });

  it("keeps one a minute, in the interval too, and starts no interval with it", async () => {
    await using bench = new PipelineBench({ shadow, rules: { minIntervalMs: 300_000 } });
    bench.pipeline.start();
    await bench.show(picture);
    bench.shadow.detections = [];
    await bench.show(...pictures(150));
    assert.deepEqual(await reasons(bench), ["any-detection 1", ...pictures(3).map(() => "shadow:-person 2")]);
    assert.equal(bench.pipeline.health().shadow?.disagreements, 150);
    bench.shadow.detections = [person];
    await bench.show(...pictures(150));
    assert.deepEqual((await reasons(bench)).slice(4), ["any-detection 1"]);
  });

  it("keeps the next one where the spool refused this one", async () => {
    await using bench = new PipelineBench({ shadow, recordsMax: 1, rules: { labels: ["dog"] } });
    bench.shadow.detections = [];
    bench.pipeline.start();
    await bench.show(picture);
    await bench.clock.run(60_000);
    await bench.show(picture);
    assert.equal(bench.pipeline.health().refused, 1);
    const [delivery] = await bench.spool.lease("all", { recordsMax: 1, bytesMax: 1e9 });
    await bench.spool.settle("all", delivery?.record.id ?? "", { kind: "accepted" });
    await bench.show(picture, picture);
    assert.equal(bench.pipeline.health().stored, 2);
  });

  it("shows it every Nth frame of each camera that the detector saw, and none that was still", async () => {
    await using bench = new PipelineBench({
      shadow: { ...shadow, every: 3 },
      cameraIds: ["gate", "yard"],
      watch: { gate: motionDefaults },
    });
    bench.pipeline.start();
    for (let round = 0; round < 7; round += 1) {
      for (const camera of bench.cameras) camera.show(picture);
      await bench.clock.run(1_000);
    }
    assert.equal(bench.shadow.seen.length, 6);
    bench.vision.isStill = true;
    await bench.show(...pictures(10));
    assert.equal(bench.shadow.seen.length, 6);
  });

  it("makes nobody wait who asked for a picture", async () => {
    await using bench = new PipelineBench({ shadow });
    await Promise.all([
      bench.pipeline.submit(picture, { cameraId: "gate" }, never),
      bench.pipeline.submit(picture, { cameraId: "gate", detections: [] }, never),
    ]);
    assert.equal(bench.shadow.seen.length, 0);
  });

  it("goes on as if there were none while it is away, and says so", async () => {
    await using bench = new PipelineBench({ shadow });
    bench.shadow.state = "starting";
    bench.pipeline.start();
    await bench.show(picture);
    assert.equal(bench.pipeline.health().shadow?.failed, 0, "it has had no time yet");
    bench.shadow.state = "ready";
    bench.shadow.away = "VISION_CRASHED";
    await bench.show(...pictures(9));
    assert.deepEqual(new Set(await reasons(bench)), new Set(["any-detection 1"]));
    const { stored, unlabelled, shadow: health } = bench.pipeline.health();
    assert.deepEqual([stored, unlabelled, health?.failed, health?.lastError?.code], [10, 0, 9, "VISION_CRASHED"]);
    assert.equal(bench.events("shadow.failed").length, 1, "once a minute");
  });

  it("waits no longer than it may, and not often", async () => {
    await using bench = new PipelineBench({ shadow });
    bench.shadow.tookMs = 1e9;
    bench.pipeline.start();
    const frames = 100;
    await bench.show(...pictures(frames));
    const { shadow: health } = bench.pipeline.health();
    assert.ok(health !== undefined);
    assert.equal(health.lastError?.code, "SHADOW_LATE");
    const waitedMs = health.failed * shadowLimits.waitMs;
    assert.ok(
      waitedMs > 0 && waitedMs <= frames * 1_000 * shadowLimits.workShareMax + shadowLimits.waitMs,
      `${waitedMs} ms`,
    );
    assert.ok(bench.pipeline.health().stored >= (1 - shadowLimits.workShareMax) * frames - 5);
  });

  it("lets the other cameras go on meanwhile", async () => {
    await using bench = new PipelineBench({ shadow, cameraIds: ["gate", "yard"] });
    bench.shadow.tookMs = 4_000;
    bench.pipeline.start();
    bench.camera.show(picture);
    await bench.clock.run(100);
    bench.cameras[1]?.show(picture);
    await bench.clock.run(100);
    assert.deepEqual(
      (await bench.stored()).map(({ record }) => record.cameraId),
      ["yard"],
    );
    await bench.clock.run(5_000);
    assert.equal(bench.pipeline.health().stored, 2);
  });

  it("stops in the middle of a comparison", async () => {
    await using bench = new PipelineBench({ shadow });
    bench.shadow.tookMs = 1e9;
    bench.pipeline.start();
    bench.camera.show(picture);
    await bench.clock.run(100);
    await bench.pipeline.stop();
    assert.equal(bench.pipeline.health().stored, 0);
  });
});
