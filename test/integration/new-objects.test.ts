import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { street } from "../../src/capture/simulated/street.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { PipelineHealth } from "../../src/core/health.ts";
import { motionDefaults } from "../../src/core/vision-limits.ts";
import type { Frame } from "../../src/core/types.ts";
import type { TrackRules } from "../../src/keep/tracks.ts";
import type { PipelineCamera } from "../../src/pipeline/lane.ts";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import type { ShadowParts } from "../../src/pipeline/shadow.ts";
import { keepAll } from "../lib/pipeline-bench.ts";
import { MemorySpool } from "../lib/memory-spool.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { never, tinyModel, visionProcess } from "../lib/vision.ts";

class ForwardClock extends SystemClock {
  forwardMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.forwardMs;
  }
}

/** Objects that go through the picture slowly, a picture a second, through the real detector. */
describe("objects in the simulated street", () => {
  const entries = 2;
  const periodFrames = 18;
  let vision: ReturnType<typeof visionProcess>;
  const pictures: Buffer[] = [];
  let shown = 0;
  before(async function () {
    this.timeout(20_000);
    vision = visionProcess({ model: await tinyModel() });
    await vision.start(never);
    for (let index = 0; index < entries * periodFrames; index += 1) {
      const { svg, objects } = street({ seed: 5, index, width: 400, height: 225, periodFrames, entries: ["slow"] });
      if (objects.length > 0) shown += 1;
      pictures.push((await vision.render(svg, { quality: 85 }, never)).jpeg);
    }
  });
  after(async () => vision.stop());

  /** All pictures, at the camera's own time; `onFrame` hears of each before it is handed over. */
  async function watched(
    how: { readonly newObjects?: TrackRules; readonly gate?: boolean; readonly shadow?: ShadowParts },
    onFrame: (index: number, health: PipelineHealth, clock: ForwardClock) => Promise<void> = async () => undefined,
  ) {
    const clock = new ForwardClock();
    const spool = new MemorySpool({ clock, recordsMax: 1_000 });
    let next = 0;
    const nextFrame = async (): Promise<Frame | undefined> => {
      const jpeg = pictures[next];
      await onFrame(next, pipeline.health(), clock);
      next += 1;
      const at = { capturedAtMs: next, monotonicMs: next * 1_000 };
      return jpeg === undefined ? undefined : { cameraId: "street", sequence: next, jpeg, width: 0, height: 0, ...at };
    };
    const camera: PipelineCamera = {
      camera: { id: "street", pace: "newest", nextFrame },
      rules: { ...keepAll, ...(how.newObjects === undefined ? {} : { newObjects: how.newObjects }) },
      ...(how.gate === true ? { gate: motionDefaults } : {}),
    };
    const targets = [{ id: "all", wants: () => true }];
    const pipeline = new Pipeline(
      { cameras: [camera], vision, spool, targets, ...(how.shadow === undefined ? {} : { shadow: how.shadow }) },
      { bootId: "boot", agentVersion: "1", clockQuality: () => "unknown", exact: false },
      { clock, random: Math.random, log: new RecordingLogger() },
    );
    pipeline.start();
    await pipeline.ended();
    const health = pipeline.health();
    await pipeline.stop();
    return health;
  }

  it("are a record each where only what is new is kept, with the motion gate and without it", async function () {
    this.timeout(20_000);
    const newObjects = { minIou: 0.3, forgetAfterMs: 10_000 };
    const all = await watched({});
    assert.ok(all.stored > 5 * entries, `${all.stored} of ${shown}`);
    for (const gate of [false, true]) {
      const { stored, keptByRule, dropped, still } = await watched({ newObjects, gate });
      assert.ok(
        stored >= entries && stored <= 2 * entries,
        JSON.stringify({ gate, stored, keptByRule, dropped, still, shown }),
      );
      assert.ok(
        Object.keys(keptByRule).every((rule) => rule.startsWith("new:")),
        JSON.stringify(keptByRule),
      );
    }
  });

  it("are seen alike by a second model, and its death harms nothing", async function () {
    this.timeout(20_000);
    await using second = visionProcess({ model: await tinyModel("tiny-yolo8"), threads: 1, backoffFirstMs: 1 });
    await second.start(never);
    let framesBefore = 0;
    const health = await watched(
      { shadow: { vision: second, every: 1, minIou: 0.5 } },
      async (index, { shadow }, clock) => {
        if (index !== 12) return;
        framesBefore = shadow?.frames ?? 0;
        process.kill(second.health().pid ?? 0, "SIGKILL");
        await until(() => second.health().restarts === 1 && second.health().state === "ready", "a new process", 10_000);
        // A comparison on a busy machine is followed by a rest that is longer than all the pictures take.
        clock.forwardMs += 60_000;
      },
    );
    assert.equal(health.frames, pictures.length);
    assert.deepEqual([health.unlabelled, health.dropped["failed"]], [0, undefined]);
    const { shadow } = health;
    assert.ok(shadow !== undefined && framesBefore > 0 && shadow.frames > framesBefore, JSON.stringify(shadow));
    assert.deepEqual(
      [shadow.model, shadow.disagreements, shadow.restarts],
      ["tiny-yolo8", 0, 1],
      JSON.stringify(shadow),
    );
  });
});
