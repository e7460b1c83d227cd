import assert from "node:assert/strict";
import { describe, it } from "mocha";
import sharp from "sharp";
import { shownDetections } from "../../src/core/detections.ts";
import { AgentError } from "../../src/core/errors.ts";
import { scanJpeg } from "../../src/core/jpeg.ts";
import { exifSegment, handmadeJpeg, segment } from "../lib/jpegs.ts";
import { FakeCamera, model, person, PipelineBench } from "../lib/pipeline-bench.ts";

const picture = handmadeJpeg(64, 48);
const rotated = handmadeJpeg(64, 48, exifSegment(6));

describe("pipeline", () => {
  it("stores a frame with everything that is known of it", async () => {
    await using bench = new PipelineBench();
    bench.vision.detections = [person, { ...person, label: "cat", score: 0.2 }];
    bench.pipeline.start();
    await bench.show(picture);
    const [stored] = await bench.stored();
    assert.ok(stored !== undefined);
    const { name, sha256, inputWidth, inputHeight, threshold, nmsIou, runtime } = model;
    const { id, imageSha256, ...record } = stored.record;
    assert.equal(id.length, 26);
    assert.equal(imageSha256.length, 64);
    assert.deepEqual(record, {
      cameraId: "gate",
      capturedAtMs: Date.UTC(2026, 0, 1),
      monotonicMs: 0,
      monotonicFrom: "boot",
      bootId: "boot",
      clockQuality: "unknown",
      imageWidth: 64,
      imageHeight: 48,
      labelled: true,
      detections: [person, { ...person, label: "cat", score: 0.2 }],
      model: { name, sha256, inputWidth, inputHeight, threshold, nmsIou, runtime },
      reason: { rule: "any-detection", priority: 1 },
      agentVersion: "1.2.3",
      name: "device-memory-1.jpg",
      device: "device",
      sequence: 1,
      imageBytes: picture.length,
    });
    assert.deepEqual(await bench.images(), [picture]);
  });

  it("takes no detection below the model's threshold for one", async () => {
    await using bench = new PipelineBench();
    bench.vision.detections = [{ ...person, score: 0.49 }];
    bench.pipeline.start();
    await bench.show(picture);
    assert.deepEqual(await bench.stored(), []);
    assert.deepEqual(bench.pipeline.health().dropped, { empty: 1 });
    assert.deepEqual(bench.pipeline.health().detections, {});
  });

  it("judges a label by its own threshold, and stores those of the labels that it found", async () => {
    await using bench = new PipelineBench();
    const thresholds = { person: 0.3, bird: 0.9, dog: 0.1 };
    bench.vision.info = { ...model, thresholds };
    bench.vision.detections = [
      { ...person, score: 0.49 },
      { ...person, label: "bird", score: 0.8 },
    ];
    bench.pipeline.start();
    await bench.show(picture);
    assert.deepEqual(bench.pipeline.health().detections, { person: 1 });
    const [stored] = await bench.stored();
    assert.ok(stored !== undefined);
    assert.deepEqual(stored.record.model?.thresholds, { person: 0.3, bird: 0.9 });
    const shown = shownDetections(stored.record).map(({ label }) => label);
    assert.deepEqual(shown, ["person"]);
  });

  it("owes a record to those targets that want it, and stores none that nobody wants", async () => {
    await using bench = new PipelineBench({
      rules: { negativesEvery: 1 },
      targets: [
        { id: "labels", wants: (draft) => draft.detections.length > 0 },
        { id: "people", wants: (draft) => draft.detections.some(({ label }) => label === "person") },
      ],
    });
    bench.pipeline.start();
    await bench.show(picture);
    bench.vision.detections = [{ ...person, label: "cat" }];
    await bench.show(picture);
    bench.vision.detections = [];
    await bench.show(picture);
    assert.deepEqual(
      (await bench.stored()).map(({ owedTo }) => owedTo),
      [["labels", "people"], ["labels"]],
    );
    assert.equal(bench.pipeline.health().notOwed, 1);
  });

  it("counts what became of every frame, and how long each stage took", async () => {
    await using bench = new PipelineBench({ rules: { negativesEvery: 2, labels: ["person"] } });
    bench.pipeline.start();
    await bench.show(picture, picture);
    bench.vision.detections = [{ ...person, label: "cat" }];
    await bench.show(picture);
    bench.vision.detections = [];
    await bench.show(picture, picture, picture);
    const health = bench.pipeline.health();
    assert.equal(health.frames, 6);
    assert.equal(health.stored, 3);
    assert.deepEqual(health.keptByRule, { "label:person": 2, "negative:every-2": 1 });
    assert.deepEqual(health.dropped, { label: 1, empty: 2 });
    assert.deepEqual(health.detections, { person: 2, cat: 1 });
    assert.deepEqual(health.stagesMs["run"], { count: 6, mean: 3, p50: 3, p95: 3, max: 3 });
    assert.equal(health.stagesMs["append"]?.count, 3);
    assert.equal(health.state, "running");
  });

  describe("EXIF", () => {
    it("is taken out of an upright picture without touching its pixels", async () => {
      await using bench = new PipelineBench();
      bench.pipeline.start();
      await bench.show(
        handmadeJpeg(64, 48, exifSegment(1, "48.2N 16.3E"), segment(0xfe, Buffer.from("a secret place"))),
      );
      assert.deepEqual(await bench.images(), [picture]);
      assert.deepEqual(bench.vision.seen, [picture]);
      assert.equal(bench.vision.reencoded, 0);
    });

    it("orientation is baked in before detection, and size and boxes are the stored picture's", async () => {
      await using bench = new PipelineBench();
      bench.vision.encode = async (jpeg) => {
        const { data, info } = await sharp(jpeg).rotate().jpeg({ quality: 95 }).toBuffer({ resolveWithObject: true });
        return { jpeg: data, width: info.width, height: info.height };
      };
      const flat = await sharp({ create: { width: 64, height: 48, channels: 3, background: "red" } })
        .withMetadata({ orientation: 6 })
        .jpeg()
        .toBuffer();
      const processed = await bench.pipeline.submit(flat, { cameraId: "gate" }, new AbortController().signal);
      assert.equal(processed.kind, "stored");
      assert.deepEqual([processed.record.imageWidth, processed.record.imageHeight], [48, 64]);
      const [stored] = await bench.images();
      assert.ok(stored !== undefined);
      const scan = scanJpeg(stored);
      assert.equal(scan.kind, "complete");
      assert.deepEqual([scan.facts.width, scan.facts.height, scan.facts.orientation], [48, 64, 1]);
      assert.deepEqual(scan.facts.metadata, []);
      assert.deepEqual(bench.vision.seen, [stored]);
      assert.equal(bench.pipeline.health().turnedUpright, 1);
    });

    it("orientation that cannot be applied costs the frame, and nothing is stored", async () => {
      await using bench = new PipelineBench();
      bench.vision.away = "VISION_UNAVAILABLE";
      bench.pipeline.start();
      await bench.show(rotated, picture);
      assert.deepEqual(bench.pipeline.health().dropped, { "orientation-unapplied": 1 });
      assert.deepEqual(await bench.images(), [picture]);
    });
  });

  describe("while the detector is away", () => {
    it("keeps frames unlabelled and marked, owed only to those that take them", async () => {
      await using bench = new PipelineBench({
        targets: [
          { id: "all", wants: () => true },
          { id: "labelled", wants: (draft) => draft.labelled },
        ],
      });
      bench.vision.away = "VISION_UNAVAILABLE";
      bench.pipeline.start();
      await bench.show(picture);
      bench.vision.away = undefined;
      await bench.show(picture);
      const stored = await bench.stored();
      assert.deepEqual(
        stored.map(({ record, owedTo }) => [record.labelled, record.reason.rule, "model" in record, owedTo]),
        [
          [false, "unlabelled", false, ["all"]],
          [true, "any-detection", true, ["all", "labelled"]],
        ],
      );
      assert.equal(bench.pipeline.health().unlabelled, 1);
      assert.deepEqual(bench.events("vision.away", "vision.back"), ["vision.away", "vision.back"]);
    });

    it("counts a model that is missing or broken as being away", async () => {
      for (const code of ["MODEL_NONE", "MODEL_TRUNCATED", "IMAGING_MISSING"]) {
        await using bench = new PipelineBench();
        bench.vision.away = code;
        bench.pipeline.start();
        await bench.show(picture);
        assert.deepEqual(
          (await bench.stored()).map(({ record }) => record.labelled),
          [false],
          code,
        );
      }
    });

    it("drops them when set so", async () => {
      await using bench = new PipelineBench({ rules: { whenAway: "drop" } });
      bench.vision.away = "VISION_TIMEOUT";
      bench.pipeline.start();
      await bench.show(picture, picture, picture);
      assert.deepEqual(await bench.stored(), []);
      assert.deepEqual(bench.pipeline.health().dropped, { "vision-away": 3 });
      assert.deepEqual(bench.events("vision.away"), ["vision.away"]);
    });

    it("stores none that only labelled targets could want", async () => {
      await using bench = new PipelineBench({ targets: [{ id: "labelled", wants: (draft) => draft.labelled }] });
      bench.vision.away = "VISION_UNAVAILABLE";
      bench.pipeline.start();
      await bench.show(picture);
      assert.deepEqual(await bench.stored(), []);
      assert.equal(bench.pipeline.health().notOwed, 1);
    });
  });

  it("counts a corrupt picture, says so seldom, and goes on", async () => {
    await using bench = new PipelineBench();
    bench.pipeline.start();
    for (let at = 0; at < 50; at += 1) await bench.show(picture.subarray(0, 20));
    bench.vision.away = "IMAGE_CORRUPT";
    await bench.show(picture);
    bench.vision.away = undefined;
    await bench.show(picture);
    assert.deepEqual(bench.pipeline.health().dropped, { "image-corrupt": 51 });
    assert.equal(bench.events("frame.dropped").length, 1);
    assert.equal((await bench.stored()).length, 1);
  });

  it("keeps no boxes that were found in a picture of another size", async () => {
    await using bench = new PipelineBench();
    bench.vision.encode = async () => ({ jpeg: picture, width: 48, height: 64 });
    bench.pipeline.start();
    await bench.show(rotated);
    const [stored] = await bench.stored();
    assert.equal(stored?.record.labelled, false);
    assert.equal(bench.pipeline.health().lastError?.code, "VISION_WRONG_SIZE");
  });

  for (const code of ["SPOOL_FULL", "DISK_FULL"]) {
    it(`pauses while the spool refuses with ${code}, and stores the next frame once it does not`, async () => {
      let full = false;
      await using bench = new PipelineBench({
        rules: { minIntervalMs: 3_600_000 },
        spool: (inner) => ({
          append: async (...args) => {
            if (full) throw new AgentError(code, "append: full", { disposition: "retry" });
            return inner.append(...args);
          },
        }),
      });
      full = true;
      bench.pipeline.start();
      await bench.show(...Array.from({ length: 101 }, () => picture));
      const health = bench.pipeline.health();
      // After 1, 2 and 4 s it is asked every 5 s.
      assert.ok(health.refused >= 21 && health.refused <= 24, `${health.refused} refused in 101 s`);
      assert.equal(bench.vision.seen.length, health.refused, "the detector rests as well");
      assert.deepEqual([health.spoolFull, health.paused], [true, ["gate"]]);
      const asked = bench.pipeline.captureOnce("gate", { dryRun: false }, new AbortController().signal);
      await bench.show(...Array.from({ length: 6 }, () => picture));
      assert.equal((await asked).kind, "refused");
      full = false;
      await bench.show(...Array.from({ length: 7 }, () => picture));
      assert.equal((await bench.stored()).length, 1, "a refused frame used up no interval, a stored one did");
      assert.deepEqual([bench.pipeline.health().spoolFull, bench.pipeline.health().paused], [false, []]);
      assert.deepEqual(bench.events("spool.full", "spool.takes-again"), ["spool.full", "spool.takes-again"]);
    });
  }

  it("tries a frame of a camera that may lose none again, until the spool and the detector take it", async () => {
    let full = true;
    await using bench = new PipelineBench({
      spool: (inner) => ({
        append: async (...args) => {
          if (full) throw new AgentError("SPOOL_FULL", "append: full", { disposition: "retry" });
          return inner.append(...args);
        },
      }),
    });
    bench.camera.pace = "every";
    bench.pipeline.start();
    await bench.show(picture, handmadeJpeg(32, 32));
    assert.equal((await bench.stored()).length, 0);
    assert.ok(bench.pipeline.health().refused >= 2, "it is tried again");
    full = false;
    await bench.clock.run(60_000);
    assert.deepEqual(await bench.images(), [picture, handmadeJpeg(32, 32)]);
    bench.vision.away = "VISION_UNAVAILABLE";
    await bench.show(rotated);
    bench.vision.away = undefined;
    await bench.clock.run(60_000);
    assert.equal((await bench.stored()).length, 3);
  });

  it("asks the detector for one frame at a time, and each camera gets its turn", async () => {
    await using bench = new PipelineBench({ cameraIds: ["a", "b", "c"] });
    bench.vision.tookMs = 100;
    bench.pipeline.start();
    const [a, b, c] = bench.cameras;
    assert.ok(a instanceof FakeCamera && b !== undefined && c !== undefined);
    // One camera shows ten times what the detector can see; the others one picture a second.
    for (let ms = 0; ms < 30_000; ms += 10) {
      a.show();
      if (ms % 1_000 === 0) for (const camera of [b, c]) camera.show();
      await bench.clock.run(10);
    }
    await bench.clock.run(1_000);
    const stored = await bench.stored();
    const of = (id: string) => stored.filter(({ record }) => record.cameraId === id).length;
    assert.equal(bench.vision.inFlightMax, 1);
    assert.deepEqual([of("b"), of("c")], [30, 30]);
    assert.ok(of("a") >= 239 && of("a") <= 243, `${of("a")} of a`);
    assert.ok(a.skipped > 2_500);
  });

  it("sees frames that are at most one round old, however far it is behind", async () => {
    await using bench = new PipelineBench({ cameraIds: ["a", "b", "c", "d"] });
    bench.vision.tookMs = 500;
    bench.pipeline.start();
    const ages: number[] = [];
    let stored = 0;
    for (let ms = 0; ms < 60_000; ms += 50) {
      for (const camera of bench.cameras) camera.show();
      await bench.clock.run(50);
      const all = await bench.stored();
      ages.push(...all.slice(stored).map(({ record }) => bench.clock.monotonicMs() - record.monotonicMs));
      stored = all.length;
    }
    assert.ok(stored > 100);
    assert.ok(Math.max(...ages) <= 4 * 500 + 100, `${Math.max(...ages)} ms`);
  });

  it("ends when every camera has come to its end", async () => {
    await using bench = new PipelineBench();
    bench.pipeline.start();
    await bench.show(picture);
    bench.camera.end();
    await bench.pipeline.ended();
    assert.equal((await bench.stored()).length, 1);
  });

  it("ends after as many records as it was told, however fast pictures come", async () => {
    await using bench = new PipelineBench({ endsAfter: 2 });
    bench.pipeline.start();
    await bench.show(picture, picture, picture, picture);
    await bench.pipeline.ended();
    assert.equal((await bench.stored()).length, 2);
  });

  it("stops in the middle of a detection", async () => {
    await using bench = new PipelineBench();
    bench.vision.tookMs = 1e9;
    bench.pipeline.start();
    bench.camera.show();
    await bench.clock.run(1_000);
    await bench.pipeline.stop();
    assert.equal(bench.pipeline.health().state, "stopped");
    assert.equal(bench.pipeline.health().frames, 0);
    assert.deepEqual(bench.log.lines, []);
  });
});
