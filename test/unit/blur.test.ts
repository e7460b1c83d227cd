import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { visionLimits } from "../../src/core/vision-limits.ts";
import type { Processed } from "../../src/pipeline/processed.ts";
import { handmadeJpeg } from "../lib/jpegs.ts";
import { blurredJpeg, model, person, PipelineBench } from "../lib/pipeline-bench.ts";

const picture = handmadeJpeg(64, 48);
const blur = { labels: ["person"], margin: 0.5, minScore: 0.1 };
const hidden = { maskVersion: "m1", blur };

/** Every picture that anybody was shown of what became of the frames. */
function shownOf(bench: PipelineBench): Buffer[] {
  const shown: Buffer[] = [];
  bench.pipeline.onProcessed((_camera: string, processed: Processed) => {
    if ("seen" in processed) shown.push(processed.seen.image.jpeg);
  });
  return shown;
}

describe("blurring in the pipeline", () => {
  it("comes before a frame is stored or shown, and keeps its detections", async () => {
    await using bench = new PipelineBench({ watch: { hidden } });
    const shown = shownOf(bench);
    bench.vision.detections = [person, { ...person, label: "cat" }, { ...person, score: 0.05 }];
    bench.pipeline.start();
    await bench.show(picture);
    const [stored] = await bench.stored();
    assert.equal(stored?.record.maskVersion, "m1");
    assert.deepEqual(stored.record.detections, bench.vision.detections);
    assert.deepEqual(await bench.images(), [blurredJpeg]);
    assert.deepEqual(shown, [blurredJpeg]);
    // One box: of the label, of a score that counts, half of it larger on each side, within the picture.
    assert.deepEqual(bench.vision.pixelated, [[{ left: 0, top: 0, width: 5.5, height: 8 }]]);
  });

  it("is of what no rule keeps and what is shown nowhere, too", async () => {
    await using bench = new PipelineBench({ watch: { hidden } });
    const shown = shownOf(bench);
    bench.vision.detections = [{ ...person, score: 0.2 }];
    bench.pipeline.start();
    await bench.show(picture);
    assert.deepEqual(await bench.stored(), []);
    assert.deepEqual(shown, [blurredJpeg]);
  });

  it("leaves a picture alone in which there is nothing to blur", async () => {
    await using bench = new PipelineBench({ watch: { hidden } });
    bench.vision.detections = [{ ...person, label: "cat" }];
    bench.pipeline.start();
    await bench.show(picture);
    assert.deepEqual(await bench.images(), [picture]);
    assert.deepEqual(bench.vision.pixelated, []);
  });

  for (const { what, code, prepare } of [
    {
      what: "the detector is away",
      code: "BLUR_UNLABELLED",
      prepare: ({ vision }: PipelineBench) => (vision.away = "VISION_UNAVAILABLE"),
    },
    {
      what: "the model does not know the label",
      code: "BLUR_LABEL_UNKNOWN",
      prepare: ({ vision }: PipelineBench) => (vision.info = { ...model, labels: ["cat"] }),
    },
    {
      what: "there are more objects than the detector tells of",
      code: "BLUR_TOO_MANY",
      prepare: ({ vision }: PipelineBench) =>
        (vision.detections = Array.from({ length: visionLimits.detectionsMax }, () => ({ ...person, label: "cat" }))),
    },
  ]) {
    it(`keeps and shows nothing while ${what}`, async () => {
      await using bench = new PipelineBench({ watch: { hidden } });
      const shown = shownOf(bench);
      prepare(bench);
      bench.pipeline.start();
      await bench.show(picture);
      assert.deepEqual([await bench.stored(), shown], [[], []]);
      const { dropped, unblurred, lastError } = bench.pipeline.health();
      assert.deepEqual([dropped, unblurred, lastError?.code], [{ "not-blurred": 1 }, ["gate"], code]);

      [bench.vision.away, bench.vision.info, bench.vision.detections] = [undefined, model, [person]];
      await bench.show(picture);
      assert.equal(bench.pipeline.health().unblurred, undefined);
      assert.deepEqual(await bench.images(), [blurredJpeg]);
    });
  }

  it("tries a frame again that may not be given up", async () => {
    await using bench = new PipelineBench({ watch: { hidden } });
    bench.camera.pace = "every";
    bench.vision.away = "VISION_UNAVAILABLE";
    bench.pipeline.start();
    await bench.show(picture);
    bench.vision.away = undefined;
    await bench.clock.run(60_000);
    assert.deepEqual(await bench.images(), [blurredJpeg]);
  });

  it("lets the second model see what the first one saw", async () => {
    await using bench = new PipelineBench({ watch: { hidden }, shadow: { every: 1, minIou: 0.5 } });
    bench.pipeline.start();
    await bench.show(picture);
    assert.deepEqual([bench.vision.seen, bench.shadow.seen], [[picture], [picture]]);
    assert.deepEqual(await bench.images(), [blurredJpeg]);
  });

  it("is none of a person's own pictures", async () => {
    await using bench = new PipelineBench({ watch: { hidden } });
    const { signal } = new AbortController();
    const submitted = bench.pipeline.submit(picture, { cameraId: "gate" }, signal);
    await bench.clock.run(1_000);
    const processed = await submitted;
    assert.ok(processed.kind === "stored");
    assert.equal(processed.record.maskVersion, undefined);
    assert.deepEqual(await bench.images(), [picture]);
  });
});
