import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import type { Processed } from "../../src/pipeline/processed.ts";
import { handmadeJpeg } from "../lib/jpegs.ts";
import { person, PipelineBench } from "../lib/pipeline-bench.ts";

const picture = handmadeJpeg(64, 48);
const never = new AbortController().signal;
const wet = { dryRun: false };
const dry = { dryRun: true };

describe("capture on request", () => {
  it("keeps a picture that no rule would, with the detections in it", async () => {
    await using bench = new PipelineBench({ rules: { labels: ["dog"] } });
    bench.camera.show();
    const processed = await bench.pipeline.captureOnce("gate", wet, never);
    assert.equal(processed.kind, "stored");
    assert.deepEqual(processed.record.reason, { rule: "requested", priority: 2 });
    assert.deepEqual(processed.seen.detections, [person]);
    assert.deepEqual(processed.owedTo, ["all"]);
  });

  it("beside a running pipeline, answers with a picture taken after the call", async () => {
    await using bench = new PipelineBench({ rules: { labels: ["dog"] } });
    bench.vision.tookMs = 1_000;
    bench.pipeline.start();
    bench.camera.show();
    await bench.clock.run(100);
    bench.camera.show();
    await bench.clock.run(100);
    // One frame is with the detector and one waits in the camera: both are older than the request.
    const captured = bench.pipeline.captureOnce("gate", wet, never);
    await bench.clock.run(3_000);
    bench.camera.show();
    await bench.clock.run(3_000);
    const processed = await captured;
    assert.equal(processed.kind, "stored");
    assert.equal(processed.record.monotonicMs, 3_200);
    assert.equal((await bench.stored()).length, 1);
  });

  it("answers all who wait with one record", async () => {
    await using bench = new PipelineBench();
    bench.pipeline.start();
    const captured = [1, 2, 3].map(() => bench.pipeline.captureOnce("gate", wet, never));
    await bench.show(picture);
    const ids = (await Promise.all(captured)).map((one) => (one.kind === "stored" ? one.record.id : one.kind));
    assert.equal(new Set(ids).size, 1);
    assert.equal((await bench.stored()).length, 1);
  });

  it("stores nothing in a dry run, and says what would have been", async () => {
    await using bench = new PipelineBench({ rules: { labels: ["dog"] } });
    bench.camera.show();
    const alone = await bench.pipeline.captureOnce("gate", dry, never);
    bench.pipeline.start();
    const beside = bench.pipeline.captureOnce("gate", dry, never);
    await bench.show(picture);
    for (const processed of [alone, await beside]) {
      assert.equal(processed.kind, "kept");
      assert.deepEqual(processed.owedTo, ["all"]);
    }
    assert.deepEqual(await bench.stored(), []);
    assert.equal(bench.pipeline.health().frames, 1);
  });

  it("fails at once for an unknown or used-up camera, when the pipeline stops, and when too many wait", async () => {
    await using bench = new PipelineBench({ cameraIds: ["gate", "yard"] });
    await assert.rejects(bench.pipeline.captureOnce("roof", wet, never), {
      code: "CAMERA_UNKNOWN",
      message: "capturing from roof: there is no such camera (known: gate, yard)",
    });
    bench.pipeline.start();
    bench.camera.end();
    await bench.clock.settle();
    await assert.rejects(bench.pipeline.captureOnce("gate", wet, never), { code: "CAMERA_ENDED" });
    const waiting = Array.from({ length: 16 }, () =>
      bench.pipeline.captureOnce("yard", wet, new AbortController().signal),
    );
    const failed = Promise.allSettled(waiting);
    await assert.rejects(bench.pipeline.captureOnce("yard", wet, never), { code: "CAPTURE_BUSY" });
    await bench.pipeline.stop();
    for (const result of await failed) {
      assert.ok(result.status === "rejected" && result.reason instanceof AgentError);
      assert.equal(result.reason.code, "ABORTED");
    }
  });

  it("gives up when its caller does, and leaves no trace", async () => {
    await using bench = new PipelineBench({ rules: { labels: ["dog"] } });
    bench.pipeline.start();
    const caller = new AbortController();
    const captured = bench.pipeline.captureOnce("gate", wet, caller.signal);
    caller.abort();
    await assert.rejects(captured, { code: "ABORTED" });
    await bench.show(picture);
    assert.deepEqual(await bench.stored(), []);
  });
});

describe("a submitted picture", () => {
  it("goes with the given labels, clipped to it, and asks no detector", async () => {
    await using bench = new PipelineBench();
    bench.vision.away = "VISION_UNAVAILABLE";
    const detections = [
      { label: "far", score: 1, box: { left: 900, top: 0, width: 5, height: 5 } },
      { label: "dog", score: 0.4, box: { left: 60, top: -5, width: 10, height: 10 } },
      { label: "cat", score: 1, box: { left: 0, top: 0, width: 64, height: 48 } },
    ];
    const processed = await bench.pipeline.submit(picture, { cameraId: "shell", detections }, never);
    assert.equal(processed.kind, "stored");
    assert.equal(processed.record.labelled, true);
    assert.equal(processed.record.cameraId, "shell");
    assert.equal("model" in processed.record, false);
    assert.deepEqual(processed.record.detections, [
      { label: "cat", score: 1, box: { left: 0, top: 0, width: 64, height: 48 } },
      { label: "dog", score: 0.4, box: { left: 60, top: 0, width: 4, height: 5 } },
    ]);
  });

  it("is owed only to the targets named, if they want it", async () => {
    await using bench = new PipelineBench({
      targets: ["a", "b", "c"].map((id) => ({ id, wants: () => id !== "c" })),
    });
    const submit = (...targetIds: readonly string[]): Promise<Processed> =>
      bench.pipeline.submit(picture, { cameraId: "shell", targetIds }, never);
    const stored = await submit("b", "c");
    assert.equal(stored.kind, "stored");
    assert.deepEqual(stored.owedTo, ["b"]);
    assert.equal((await submit("c")).kind, "not-owed");
  });

  it("that is no JPEG is refused with its reason", async () => {
    await using bench = new PipelineBench();
    const processed = await bench.pipeline.submit(Buffer.from("GIF89a.."), { cameraId: "shell" }, never);
    assert.equal(processed.kind, "dropped");
    assert.equal(processed.why, "image-corrupt");
    assert.match(processed.error.message, /does not start as a JPEG/);
  });

  it("meets a full spool with its error", async () => {
    await using bench = new PipelineBench({ recordsMax: 1 });
    const submit = () => bench.pipeline.submit(picture, { cameraId: "shell" }, never);
    assert.equal((await submit()).kind, "stored");
    const refused = await submit();
    assert.equal(refused.kind, "refused");
    assert.equal(refused.error.code, "SPOOL_FULL");
  });
});
