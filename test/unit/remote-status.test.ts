import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { DeliveryHealth, PipelineHealth } from "../../src/core/health.ts";
import { configLimits, remoteLimits } from "../../src/core/limits.ts";
import { type LossReason } from "../../src/core/ports.ts";
import { collectHealth, type HealthParts } from "../../src/health/health.ts";
import { Ages } from "../../src/remote/ages.ts";
import { statusReport, statusSchema, statusWithin, type Surroundings } from "../../src/remote/status-report.ts";
import { model } from "../lib/pipeline-bench.ts";
import { SimulatedClock } from "../lib/seams.ts";

const nothing = { count: 0, mean: 0, p50: 0, p95: 0, max: 0 };
const atMs = Date.UTC(2026, 0, 1);
const pipeline: PipelineHealth = {
  state: "running",
  frames: 10,
  detections: { person: 4 },
  stored: 4,
  keptByRule: { "any-detection": 4 },
  dropped: { empty: 6 },
  ...{ still: 1, notOwed: 0, refused: 2, spoolFull: false, paused: [], images: {}, unlabelled: 0, turnedUpright: 0 },
  lastStoredAtMs: atMs - 700,
  stagesMs: { round: { ...nothing, count: 9, p50: 12.34, p95: 20.06 } },
};
const delivery = (targetId: string, change: Partial<DeliveryHealth> = {}): DeliveryHealth => ({
  ...{ targetId, kind: "mqtt", state: "up", inFlight: 0, accepted: 3, rejected: 0, retried: 0, unsettled: 0 },
  ...{ acceptedBytes: 300, deliverMs: nothing },
  ...change,
});
const parts: HealthParts = {
  atMs,
  uptimeMs: 60_000.4,
  cameras: [
    {
      ...{ id: "gate", driver: "webcam", state: "running", framesCaptured: 10, framesSkipped: 0, restarts: 1 },
      lastFrameAtMs: atMs - 400,
      lastError: { code: "CAMERA_GONE", message: "unplugged", atMs: atMs - 5_000 },
    },
  ],
  vision: { state: "ready", pid: 7, restarts: 0, rssPeakBytes: 1 },
  model,
  pipeline,
  spool: {
    ...{ records: 2, bytes: 400, lastSequence: 9, oldestAgeMs: 1_234.5 },
    lost: [
      { targetId: "a", priority: 1, reason: "age", deliveries: 2 },
      { targetId: "b", priority: 2, reason: "age", deliveries: 3 },
      { targetId: "b", priority: 2, reason: "cap", deliveries: 1 },
    ],
    targets: [{ targetId: "b", pending: 2, leased: 1, quarantined: 1, accepted: 3 }],
  },
  deliveries: [
    delivery("a", { lastAcceptedAtMs: atMs - 300 }),
    delivery("b", { state: "away", retryInMs: 900.7, lastError: { code: "NET_REFUSED", message: "no", atMs } }),
  ],
  memory: { rssBytes: 100, rssPeakBytes: 120, heapUsedBytes: 50 },
};
const around: Surroundings = {
  ...{ capBytes: 1_000, stateForMs: 5, revision: 3, clock: { quality: "unknown", atMs: 0 } },
  disk: { freeBytes: 9, reserveBytes: 8 },
  host: { load1: 0.5, cpus: 4, memoryBytes: 10, memoryFreeBytes: 5, upMs: 7 },
  versions: { agent: "1", node: "v20" },
};

describe("the remote status", () => {
  it("tells of every part, by its id, in ages", () => {
    const clock = new SimulatedClock(atMs - 60_000);
    const ages = new Ages(clock);
    clock.advance(60_000);
    const status = statusSchema.parse(statusReport(collectHealth(parts), around, ages.look()));
    assert.equal(status.state, "degraded");
    assert.deepEqual(status.troubles, ["target b is away (NET_REFUSED)"]);
    const gate = { driver: "webcam", state: "running", frames: 10, framesBad: 0, restarts: 1, lastFrameAgeMs: 400 };
    assert.deepEqual(status.cameras, { gate });
    assert.deepEqual([status.detector.msP50, status.detector.msP95], [12.3, 20.1]);
    assert.deepEqual(status.queue, {
      ...{ records: 2, bytes: 400, capBytes: 1_000, oldestAgeMs: 1_235, quarantined: 1 },
      ...{ full: false, evicting: false, lost: { age: 5, cap: 1 } },
    });
    assert.equal(status.targets["a"]?.lastAcceptedAgeMs, 300);
    assert.deepEqual(
      [status.targets["b"]?.state, status.targets["b"]?.retryInMs, status.targets["b"]?.error],
      ["away", 901, "NET_REFUSED"],
    );
    assert.equal(status.capture.lastStoredAgeMs, 700);
  });

  it("has no queue while the spool does not answer", () => {
    const ages = new Ages(new SimulatedClock(atMs));
    const status = statusReport(collectHealth({ ...parts, spool: undefined }), around, ages.look());
    assert.equal(statusSchema.parse(status).queue, undefined);
  });

  it("stays within its size with as many cameras and targets as there may be", () => {
    const long = "x".repeat(32);
    const reasons: LossReason[] = [
      "age",
      "cap",
      "room",
      "quarantine",
      "target-removed",
      "dropped",
      "damaged",
      "missing",
    ];
    const many = 9_007_199_254_740_991;
    const error = { code: "CAMERA_PROGRAM_WITH_A_LONG_CODE", message: long, atMs: 0 };
    const health = collectHealth({
      ...parts,
      cameras: Array.from({ length: configLimits.camerasMax }, (_, at) => ({
        ...{ id: `${at}${long}`.slice(0, 32), driver: "http-snapshot", state: "backoff" as const, frozen: true },
        ...{ framesCaptured: many, framesSkipped: many, framesBad: many, restarts: many },
        ...{ lastFrameAtMs: 0, opensAtMs: many, lastError: error },
      })),
      deliveries: Array.from({ length: configLimits.targetsMax }, (_, at) => ({
        ...delivery(`${at}${long}`.slice(0, 32), { state: "away", kind: "customvision", lastError: error }),
        ...{ inFlight: many, accepted: many, rejected: many, retried: many, retryInMs: many, lastAcceptedAtMs: 0 },
      })),
      models: { lastRollback: "x".repeat(10_000), probation: { model: "x".repeat(130), leftMs: many } },
      spool: {
        ...{ records: many, bytes: many, lastSequence: many, oldestAgeMs: many, targets: [] },
        lost: reasons.map((reason) => ({ targetId: long, priority: 1, reason, deliveries: many })),
      },
      pipeline: { ...pipeline, paused: Array.from({ length: configLimits.camerasMax }, () => long) },
    });
    const status = statusSchema.parse(statusReport(health, around, new Ages(new SimulatedClock()).look()));
    const sizeBytes = Buffer.byteLength(JSON.stringify(status));
    assert.ok(sizeBytes > 10_000 && sizeBytes <= remoteLimits.statusBytesMax, `${sizeBytes} bytes`);
    assert.equal(status.troubles.length + (status.troublesLeftOut ?? 0), health.troubles.length);
    assert.equal(statusWithin(status, sizeBytes), status);
    const brief = statusSchema.parse(statusWithin(status, sizeBytes - 1));
    assert.ok(Buffer.byteLength(JSON.stringify(brief)) < 4_096, "what every broker takes");
    assert.equal(brief.troubles.length + (brief.troublesLeftOut ?? 0), health.troubles.length);
  });
});

describe("ages", () => {
  it("grow with the monotonic clock, whatever the wall clock does", () => {
    const clock = new SimulatedClock(0);
    const ages = new Ages(clock);
    clock.advance(1_000);
    assert.equal(ages.look()("frame", 400), 600);
    clock.jump(50 * 365 * 24 * 3_600_000);
    clock.advance(500);
    assert.equal(ages.look()("frame", 400), 1_100);
  });

  it("of something new are at most the time since the look before", () => {
    const clock = new SimulatedClock(0);
    const ages = new Ages(clock);
    ages.look()("frame", 0);
    clock.advance(2_000);
    clock.jump(1_000_000_000);
    // Noted just before the clock was set.
    assert.equal(ages.look()("frame", 1_999), 2_000);
    clock.jump(-2_000_000_000);
    assert.equal(ages.look()("frame", 1_000_001_999), 0);
  });

  it("of what was never there are none", () => {
    assert.equal(new Ages(new SimulatedClock()).look()("frame", undefined), undefined);
  });
});
