import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { imageLimits, motionDefaults } from "../../src/core/vision-limits.ts";
import { handmadeJpeg } from "../lib/jpegs.ts";
import { goodPicture, person, PipelineBench } from "../lib/pipeline-bench.ts";
import { never } from "../lib/vision.ts";

const picture = handmadeJpeg(64, 48);
const gate = motionDefaults;

/** How many frames the model saw. */
const seen = (bench: PipelineBench) => bench.vision.seen.length;

describe("pipeline with a motion gate", () => {
  it("takes a still frame for its own outcome: neither detected nor kept, unlabelled or empty", async () => {
    await using bench = new PipelineBench({ rules: { negativesEvery: 2 }, watch: { gate } });
    bench.vision.isStill = true;
    bench.pipeline.start();
    await bench.show(picture, picture, picture);
    const { frames, still, stored, unlabelled, dropped, stagesMs } = bench.pipeline.health();
    assert.deepEqual(
      { frames, still, stored, unlabelled, dropped },
      { frames: 3, still: 3, stored: 0, unlabelled: 0, dropped: {} },
    );
    assert.deepEqual([stagesMs["decode"]?.count, stagesMs["run"]?.count, stagesMs["round"]?.count], [3, 0, 0]);
    assert.equal(seen(bench), 0);
    const watched = { exact: false, cameraId: "gate", monotonicMs: 0, gate, force: false, measure: false };
    assert.deepEqual(bench.vision.watched[0], watched);

    bench.vision.isStill = false;
    bench.vision.detections = [];
    await bench.show(picture);
    bench.vision.isStill = true;
    await bench.show(picture, picture);
    bench.vision.isStill = false;
    assert.equal((await bench.stored()).length, 0, "still frames do not count as empty ones");
    await bench.show(picture);
    assert.deepEqual(bench.pipeline.health().keptByRule, { "negative:every-2": 1 });
  });

  it("asks for no watch where neither gate nor image health is on", async () => {
    await using bench = new PipelineBench();
    bench.pipeline.start();
    await bench.show(picture);
    assert.deepEqual([bench.vision.watched.length, seen(bench)], [0, 1]);
  });

  it("detects what was asked for, though nothing moves, and a dry run beside the camera's own frames", async () => {
    await using bench = new PipelineBench({ watch: { gate } });
    bench.vision.isStill = true;
    bench.pipeline.start();
    await bench.show(picture);
    const asked = bench.pipeline.captureOnce("gate", { dryRun: false }, never);
    await bench.show(picture);
    assert.equal((await asked).kind, "stored");
    assert.deepEqual(
      bench.vision.watched.map(({ force }) => force),
      [false, true],
    );
    const dry = bench.pipeline.captureOnce("gate", { dryRun: true }, never);
    await bench.show(picture);
    assert.equal((await dry).kind, "kept");
    assert.equal(bench.vision.watched.length, 3, "the dry run itself is no picture of the camera's");
    const submitted = await bench.pipeline.submit(picture, { cameraId: "gate" }, never);
    assert.equal(submitted.kind, "stored");
    assert.equal(bench.vision.watched.length, 3);
  });

  it("detects the first frame after the interval for which it kept none of what it saw", async () => {
    await using bench = new PipelineBench({ rules: { minIntervalMs: 5_000 }, watch: { gate } });
    bench.pipeline.start();
    await bench.show(picture, picture);
    assert.deepEqual(bench.pipeline.health().dropped, { interval: 1 });
    bench.vision.isStill = true;
    await bench.show(picture, picture, picture, picture, picture, picture);
    const forced = bench.vision.watched.filter(({ force }) => force).map(({ monotonicMs }) => monotonicMs);
    assert.deepEqual(forced, [5_000]);
    assert.equal((await bench.stored()).length, 2);
  });

  it("detects the frame after one that a full spool refused", async () => {
    await using bench = new PipelineBench({ recordsMax: 1, watch: { gate } });
    bench.pipeline.start();
    await bench.show(picture, picture);
    assert.equal(bench.pipeline.health().refused, 1);
    bench.vision.isStill = true;
    await bench.show(picture);
    await bench.clock.run(10_000);
    assert.equal(bench.pipeline.health().refused, 2);
  });

  it("tries a frame of a folder again as it is, not as a still one", async () => {
    await using bench = new PipelineBench({ recordsMax: 1, watch: { gate, imageHealth: true, mayRepeat: true } });
    bench.camera.pace = "every";
    bench.pipeline.start();
    await bench.show(picture);
    bench.camera.show(picture);
    await bench.clock.run(50);
    bench.vision.isStill = true;
    const [delivery] = await bench.spool.lease("all", { recordsMax: 1, bytesMax: 1e9 });
    await bench.spool.settle("all", delivery?.record.id ?? "", { kind: "accepted" });
    await bench.clock.run(10_000);
    assert.equal(bench.pipeline.health().stored, 2);
    assert.equal(bench.vision.watched.length, 2);
  });

  it("takes a still frame of a folder for dealt with", async () => {
    await using bench = new PipelineBench({ watch: { gate } });
    bench.camera.pace = "every";
    bench.vision.isStill = true;
    bench.pipeline.start();
    await bench.show(picture, picture);
    assert.equal(bench.pipeline.health().still, 2);
  });

  it("keeps frames unlabelled while the detector is away, moved or not", async () => {
    await using bench = new PipelineBench({ watch: { gate } });
    bench.vision.isStill = true;
    bench.vision.away = "VISION_UNAVAILABLE";
    bench.pipeline.start();
    await bench.show(picture);
    assert.deepEqual([bench.pipeline.health().unlabelled, bench.pipeline.health().still], [1, 0]);
  });
});

describe("pipeline with image health", () => {
  it("tells how each camera's picture is, from detected and from still frames", async () => {
    await using bench = new PipelineBench({ cameraIds: ["gate", "yard"], watch: { gate, imageHealth: true } });
    bench.pipeline.start();
    assert.deepEqual(bench.pipeline.health().images, {});
    await bench.show(picture);
    assert.equal(bench.pipeline.health().images["gate"]?.state, "good");
    bench.vision.isStill = true;
    bench.vision.measures = { ...goodPicture, flatShare: 1 };
    await bench.show(...Array.from({ length: 12 }, () => picture));
    const { images } = bench.pipeline.health();
    assert.deepEqual([images["gate"]?.state, images["gate"]?.measures.flatShare], ["covered", 1]);
    assert.equal(images["yard"], undefined);
    assert.deepEqual(bench.events("camera.image_covered", "camera.image_good"), ["camera.image_covered"]);
    assert.deepEqual(bench.vision.seen.length + bench.pipeline.health().still, 13);
  });

  it("asks for the measures of some pictures of a fast stream only", async () => {
    await using bench = new PipelineBench({ watch: { imageHealth: true } });
    bench.pipeline.start();
    for (let frames = 0; frames < 20; frames += 1) {
      bench.camera.show(picture);
      await bench.clock.run(100);
    }
    assert.equal(bench.vision.watched.length, 20);
    assert.equal(bench.vision.watched.filter(({ measure }) => measure).length, 2_000 / imageLimits.measureEveryMs);
  });

  it("measures seldom where there is no model, and not at all where the process is away", async () => {
    await using bench = new PipelineBench({ watch: { imageHealth: true } });
    bench.vision.away = "MODEL_NONE";
    bench.pipeline.start();
    await bench.show(...Array.from({ length: 11 }, () => picture));
    assert.equal(bench.vision.measured, 1 + Math.floor(10_000 / imageLimits.measureAloneEveryMs));
    assert.equal(bench.pipeline.health().unlabelled, 11);
    bench.vision.away = "VISION_UNAVAILABLE";
    await bench.show(...Array.from({ length: 11 }, () => picture));
    assert.equal(bench.vision.measured, 3);
  });

  it("lets whoever made a picture know that it cannot be decoded", async () => {
    await using bench = new PipelineBench({ watch: { imageHealth: true } });
    bench.vision.detections = [person];
    bench.vision.away = "IMAGE_UNREADABLE";
    bench.pipeline.start();
    await bench.show(picture);
    assert.deepEqual(bench.pipeline.health().dropped, { "image-corrupt": 1 });
    assert.deepEqual(bench.camera.refused, ["detecting: IMAGE_UNREADABLE"]);
    bench.vision.away = undefined;
    await bench.show(picture);
    assert.equal(bench.camera.refused.length, 1);
  });
});
