import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { unreadyReasons } from "../../agent/health/readiness.ts";
import type { CameraHealth } from "../../src/core/ports.ts";
import { Summary, Tally } from "../../src/core/counters.ts";
import type { DeliveryHealth, PipelineHealth } from "../../src/core/health.ts";
import { healthLimits } from "../../src/core/limits.ts";
import { faultTexts, type ImageHealth } from "../../src/core/picture.ts";
import { LogGate } from "../../src/core/log-gate.ts";
import { collectHealth, healthFields, type HealthParts } from "../../src/health/health.ts";
import { goodPicture, model } from "../lib/pipeline-bench.ts";
import { SimulatedClock, seededRandom } from "../lib/seams.ts";

const nothing = { count: 0, mean: 0, p50: 0, p95: 0, max: 0 };
const pipeline: PipelineHealth = {
  state: "running",
  frames: 10,
  detections: { person: 4 },
  stored: 4,
  keptByRule: { "any-detection": 4 },
  dropped: { empty: 6 },
  still: 0,
  notOwed: 0,
  refused: 0,
  spoolFull: false,
  paused: [],
  images: {},
  unlabelled: 0,
  turnedUpright: 0,
  stagesMs: { round: { ...nothing, p50: 12.34 }, append: { ...nothing, p50: 1.26 } },
};
const delivery = (targetId: string, change: Partial<DeliveryHealth> = {}): DeliveryHealth => ({
  targetId,
  kind: "mqtt",
  state: "up",
  inFlight: 0,
  accepted: 3,
  rejected: 0,
  retried: 0,
  unsettled: 0,
  acceptedBytes: 300,
  deliverMs: nothing,
  ...change,
});
const parts: HealthParts = {
  atMs: 5,
  uptimeMs: 60_000.4,
  cameras: [{ id: "gate", driver: "webcam", state: "running", framesCaptured: 10, framesSkipped: 0, restarts: 0 }],
  vision: { state: "ready", pid: 7, restarts: 0, rssPeakBytes: 1 },
  model,
  pipeline,
  spool: {
    records: 2,
    bytes: 400,
    lastSequence: 9,
    lost: [],
    targets: [{ targetId: "b", pending: 2, leased: 1, quarantined: 1, accepted: 3 }],
  },
  deliveries: [delivery("a"), delivery("b")],
  memory: { rssBytes: 100, rssPeakBytes: 120, heapUsedBytes: 50 },
};

describe("readiness", () => {
  const camera = { id: "gate", driver: "webcam", state: "running", framesCaptured: 10, framesSkipped: 0, restarts: 0 };
  const reasons = (change: Partial<HealthParts>, hasModel = true) =>
    unreadyReasons(collectHealth({ ...parts, ...change }), hasModel);
  const withCamera = (change: Partial<CameraHealth>) => ({ cameras: [{ ...camera, ...change } as CameraHealth] });

  it("asks for cameras that give pictures, a detector, and a buffer that takes records", () => {
    assert.deepEqual(reasons({}), []);
    assert.deepEqual(reasons({ pipeline: { ...pipeline, state: "stopped" } }), ["capture has not begun"]);
    for (const state of ["stalled", "backoff", "blocked", "starting"] as const)
      assert.deepEqual(reasons(withCamera({ state })), [`camera gate: ${state}`]);
    assert.deepEqual(reasons({ vision: { ...parts.vision, state: "backoff" } }), ["detector: backoff"]);
    assert.deepEqual(reasons({ spool: undefined }), ["the spool does not answer"]);
    assert.deepEqual(reasons({ pipeline: { ...pipeline, spoolFull: true } }), ["the spool is full"]);
    const lastError = { code: "MODEL_BROKEN", message: "it is damaged", atMs: 1 };
    assert.deepEqual(reasons({ vision: { ...parts.vision, lastError } }, false), ["no model is loaded"]);
  });

  it("does not ask for a network, nor for what is off on purpose", () => {
    assert.deepEqual(
      reasons({ deliveries: [delivery("a", { state: "away" }), delivery("b", { state: "budget" })] }),
      [],
    );
    for (const state of ["paused", "ended"] as const) assert.deepEqual(reasons(withCamera({ state })), []);
    assert.deepEqual(reasons(withCamera({ state: "starting", lastFrameAtMs: 5 })), []);
    assert.deepEqual(reasons({}, false), [], "a device without a model keeps pictures unlabelled");
  });
});

describe("health report", () => {
  it("joins what each part says of itself", () => {
    const report = collectHealth(parts);
    assert.equal(report.state, "ok");
    assert.deepEqual(report.spool, { records: 2, bytes: 400, lastSequence: 9, lost: [], evicting: false });
    assert.deepEqual(
      report.targets.map(({ targetId, pending, quarantined }) => [targetId, pending, quarantined]),
      [
        ["a", 0, 0],
        ["b", 2, 1],
      ],
    );
    assert.equal(report.vision.model, "fake");
  });

  it("names every part that is not at work", () => {
    const lastError = { code: "CAMERA_GONE", message: "unplugged", atMs: 1 };
    const report = collectHealth({
      ...parts,
      cameras: parts.cameras.map((camera) => ({ ...camera, state: "backoff", lastError })),
      vision: { ...parts.vision, state: "backoff" },
      spool: undefined,
      pipeline: { ...pipeline, spoolFull: true },
      deliveries: [delivery("a", { state: "away", lastError: { ...lastError, code: "NET_DNS" } }), delivery("b")],
    });
    assert.equal(report.state, "degraded");
    assert.deepEqual(report.troubles, [
      "camera gate is backoff (CAMERA_GONE)",
      "the detector is away",
      "the spool does not answer",
      "the spool is full",
      "target a is away (NET_DNS)",
    ]);
  });

  it("has trouble where the vision process runs without a model", () => {
    const troubles = (change: Partial<HealthParts>) =>
      collectHealth({ ...parts, model: undefined, ...change }).troubles;
    assert.deepEqual(troubles({}), ["no model is loaded"]);
    const lastError = { code: "MODEL_FAILED", message: "no" };
    assert.deepEqual(troubles({ vision: { ...parts.vision, lastError } }), ["no model is loaded (MODEL_FAILED)"]);
    assert.deepEqual(troubles({ vision: { ...parts.vision, state: "starting" } }), []);
  });

  it("tells how each camera's picture is, and has troubles where somebody has to go", () => {
    const images = (state: ImageHealth["state"]) => ({ gate: { state, sinceMs: 3, measures: goodPicture } });
    const troubles = (state: ImageHealth["state"], frozen = false) => {
      const cameras = parts.cameras.map((camera) => ({ ...camera, frozen }));
      return collectHealth({ ...parts, cameras, pipeline: { ...pipeline, images: images(state) } });
    };
    const report = troubles("covered");
    assert.deepEqual(report.cameras[0]?.image, images("covered").gate);
    assert.ok(!("images" in report.pipeline));
    assert.equal(healthFields(report)["cameras"], "gate:running image=covered");
    assert.deepEqual(report.troubles, [`camera gate: ${faultTexts.covered}`]);
    assert.deepEqual(troubles("blurred").troubles, [`camera gate: ${faultTexts.blurred}`]);
    for (const state of ["good", "dark", "over-exposed"] as const) assert.deepEqual(troubles(state).troubles, []);
    // One state, whether two pictures are equal to the byte or many to the pixel.
    const frozen = [`camera gate: ${faultTexts.frozen}`];
    assert.deepEqual([troubles("frozen").troubles, troubles("good", true).troubles], [frozen, frozen]);
    assert.equal(troubles("frozen").cameras[0]?.frozen, true);
    const away = parts.cameras.map((camera) => ({ ...camera, state: "backoff" as const }));
    assert.deepEqual(
      collectHealth({ ...parts, cameras: away, pipeline: { ...pipeline, images: images("covered") } }).troubles,
      ["camera gate is backoff"],
    );
  });

  it("names a camera that is away also while it is tried again, and not one that starts for the first time", () => {
    const lastError = { code: "CAMERA_GONE", message: "unplugged", atMs: 20 };
    const [camera] = parts.cameras;
    assert.ok(camera);
    const troubles = (change: Partial<typeof camera>) =>
      collectHealth({ ...parts, cameras: [{ ...camera, state: "starting", ...change }] }).troubles;
    assert.deepEqual(troubles({ lastError, failing: true }), ["camera gate is starting (CAMERA_GONE)"]);
    // The clock was set back between the two.
    assert.equal(troubles({ lastError, lastFrameAtMs: 21, failing: true }).length, 1);
    assert.deepEqual(troubles({ lastError, lastFrameAtMs: 19 }), [], "lost long ago, and opened by its schedule now");
    assert.deepEqual(troubles({}), []);
  });

  it("says when a camera that its schedule has closed opens", () => {
    const cameras = parts.cameras.map((camera) => ({ ...camera, state: "stopped" as const, opensAtMs: 0 }));
    const phrase = healthFields(collectHealth({ ...parts, cameras }))["cameras"];
    assert.equal(phrase, "gate:stopped opens=1970-01-01T00:00:00.000Z");
  });

  it("counts in the log's line how often a camera was lost, and its damaged pictures", () => {
    const cameras = parts.cameras.map((camera) => ({ ...camera, restarts: 2, framesBad: 7 }));
    assert.equal(healthFields(collectHealth({ ...parts, cameras }))["cameras"], "gate:running restarts=2 bad=7");
  });

  it("says that capture pauses, and that records are given up", () => {
    const lost = [
      { targetId: "a", priority: 0, reason: "room", deliveries: 3 },
      { targetId: "a", priority: 1, reason: "room", deliveries: 4 },
      { targetId: "b", priority: 0, reason: "age", deliveries: 5 },
    ] as const;
    const report = collectHealth({
      ...parts,
      pipeline: { ...pipeline, spoolFull: true, paused: ["gate"] },
      spool: { records: 1, bytes: 2, lastSequence: 3, targets: [], lost, evicting: true },
    });
    assert.deepEqual(report.troubles, [
      "the spool is full, capture pauses (gate)",
      "records are given up for want of room (a: 7)",
    ]);
    assert.equal(healthFields(report)["lost"], 12);
  });

  it("says which model is on probation, which went back, and that an update is wrong, but not that its server is away", () => {
    const lastError = { code: "RELEASE_SIGNATURE", message: "no", atMs: 1 };
    const models = {
      probation: { model: "wasps@2", leftMs: 90_000 },
      lastRollback: "wasps@1 went back to bees@1: too slow",
      updates: { lastCheckAtMs: 1, lastError },
    };
    const report = collectHealth({ ...parts, models });
    assert.deepEqual(report.models, models);
    assert.deepEqual(report.troubles, [
      "the model wasps@1 went back to bees@1: too slow",
      "a model's update fails (RELEASE_SIGNATURE)",
    ]);
    const { probation, updates } = healthFields(report);
    assert.deepEqual([probation, updates], ["wasps@2 for 2 min", "RELEASE_SIGNATURE"]);
    for (const code of ["RELEASE_UNAVAILABLE", "NET_TIMEOUT"]) {
      const away = { updates: { lastError: { ...lastError, code } } };
      assert.deepEqual(collectHealth({ ...parts, models: away }).troubles, []);
    }
  });

  it("fits on one log line", () => {
    assert.deepEqual(healthFields(collectHealth(parts)), {
      state: "ok",
      uptimeMs: 60_000,
      frames: 10,
      still: 0,
      stored: 4,
      unlabelled: 0,
      refused: 0,
      detectMsP50: 12.3,
      appendMsP50: 1.3,
      vision: "ready",
      model: "fake",
      records: 2,
      spoolBytes: 400,
      lost: 0,
      cameras: "gate:running",
      targets: "a:up accepted=3 pending=0 b:up accepted=3 pending=2 quarantined=1",
      rssBytes: 100,
    });
  });
});

describe("counters", () => {
  it("count by name, and what is beyond the limit as other", () => {
    const tally = new Tally();
    for (let at = 0; at < healthLimits.tallyKeysMax + 50; at += 1) tally.add(`label ${at}`);
    tally.add("label 0");
    const counts = tally.snapshot();
    assert.equal(Object.keys(counts).length, healthLimits.tallyKeysMax + 1);
    assert.equal(counts["other"], 50);
    assert.equal(counts["label 0"], 2);
  });

  it("summarise a long series within a few percentiles, in bounded memory", () => {
    const summary = new Summary(seededRandom(3));
    for (let at = 0; at < 100_000; at += 1) summary.add((at * 7_919) % 100_000);
    const { count, mean, p50, p95, max } = summary.snapshot();
    assert.deepEqual([count, mean, max], [100_000, 49_999.5, 99_999]);
    assert.ok(Math.abs(p50 - 50_000) < 8_000, `${p50}`);
    assert.ok(Math.abs(p95 - 95_000) < 4_000, `${p95}`);
  });

  it("summarise nothing as zeros, and one value as itself", () => {
    const summary = new Summary(seededRandom(3));
    assert.deepEqual(summary.snapshot(), nothing);
    summary.add(5);
    assert.deepEqual(summary.snapshot(), { count: 1, mean: 5, p50: 5, p95: 5, max: 5 });
  });

  it("let one line a minute through for each trouble, and say how many were left out", () => {
    const clock = new SimulatedClock();
    const gate = new LogGate(clock);
    assert.equal(gate.pass("a"), 0);
    for (let at = 0; at < 5; at += 1) assert.equal(gate.pass("a"), undefined);
    assert.equal(gate.pass("b"), 0);
    clock.advance(healthLimits.logGateMs);
    assert.equal(gate.pass("a"), 5);
    assert.equal(gate.pass("a"), undefined);
  });
});
