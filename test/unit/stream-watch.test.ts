import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { before, describe, it } from "mocha";
import { FrameStream } from "../../src/capture/stream/frame-stream.ts";
import { unlessBroken } from "../../src/capture/stream-watch.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import type { Clock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { CameraDriver, CameraStream, Shot } from "../../src/core/ports.ts";
import { jpegOf } from "../lib/pictures.ts";
import { ScriptedDriver } from "../lib/scripted-camera.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { settle, SteppedClock } from "../lib/stepped-clock.ts";

const never = new AbortController().signal;
const broken = new AgentError("CAMERA_LOST", "its program was ended", { disposition: "retry" });

/** A stream whose frames come as the test says, one stream for each start. */
class StreamingDriver implements CameraDriver {
  readonly kind = "streaming";
  readonly pace = "newest";
  readonly mayRepeat = true;
  readonly #framePeriodMs: number;
  starts = 0;
  stream: FrameStream;

  constructor(framePeriodMs: number) {
    this.#framePeriodMs = framePeriodMs;
    this.stream = new FrameStream(framePeriodMs);
  }

  async start(): Promise<void> {
    this.starts += 1;
    this.stream = new FrameStream(this.#framePeriodMs);
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    return { kind: "image", jpeg: await this.stream.next(signal) };
  }

  async stop(): Promise<void> {
    this.stream.fail(broken);
  }
}

describe("the watch of a continuous stream between two shots", () => {
  let picture: Buffer;
  before(async () => (picture = await jpegOf(50)));

  /** Frames come every second from the start, until `flowing` is put to false. */
  async function watched(framePeriodMs: number, options: { readonly stallAfterMs?: number } = {}) {
    const clock = new SteppedClock();
    const driver = new StreamingDriver(framePeriodMs);
    const source = { flowing: true };
    const log = new RecordingLogger();
    const seams = { clock, random: seededRandom(5), log };
    const camera = new SupervisedCamera({ id: "door", driver, intervalMs: 60_000, ...options }, seams);
    await camera.start(never);
    const pass = async (ms: number) => {
      for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
        await clock.advance(1_000);
        if (source.flowing) driver.stream.offer(picture);
        await settle();
      }
    };
    await pass(2_000);
    assert.equal(camera.health().framesCaptured, 1);
    return { camera, clock, driver, source, log, pass };
  }

  it("starts a stream again at once that breaks while no picture is due", async () => {
    const { camera, driver, pass } = await watched(1_000);
    await pass(20_000);
    driver.stream.fail(broken);
    await settle();
    assert.deepEqual([camera.health().state, camera.health().lastError?.code], ["backoff", "CAMERA_LOST"]);
    await pass(3_000);
    assert.deepEqual([camera.health().state, driver.starts], ["running", 2]);
    await camera.stop();
  });

  it("takes no frame sooner than its interval allows, however often the stream breaks", async () => {
    const { camera, driver, pass } = await watched(1_000);
    // The first frame was taken after 1 s, the next one is due after 61 s.
    for (let breaks = 0; breaks < 5; breaks += 1) {
      await pass(9_000);
      driver.stream.fail(broken);
      await pass(1_000);
    }
    assert.ok(camera.health().restarts >= 4);
    assert.equal(camera.health().framesCaptured, 1);
    await pass(7_000);
    assert.deepEqual([camera.health().framesCaptured, camera.health().state], [1, "running"]);
    await pass(3_000);
    assert.equal(camera.health().framesCaptured, 2);
    await pass(56_000);
    assert.equal(camera.health().framesCaptured, 2);
    await pass(5_000);
    assert.equal(camera.health().framesCaptured, 3);
    await camera.stop();
    await camera.start(never);
    await pass(2_000);
    assert.equal(camera.health().framesCaptured, 4, "a start is no restart");
    await camera.stop();
  });

  it("gives a stream that nobody knows the period of as long as one between two wanted frames may take", async () => {
    const { camera, source, pass } = await watched(0);
    source.flowing = false;
    await pass(58_000);
    assert.equal(camera.health().state, "running");
    await pass(65_000);
    assert.equal(camera.health().lastError?.code, "CAMERA_STALLED");
    await camera.stop();
  });

  it("waits for a first picture as long as it is told to wait for any", async () => {
    const clock = new SteppedClock();
    const driver = new StreamingDriver(40);
    const seams = { clock, random: seededRandom(5), log: new RecordingLogger() };
    const camera = new SupervisedCamera({ id: "door", driver, intervalMs: 1_000, stallAfterMs: 30_000 }, seams);
    await camera.start(never);
    await clock.advance(29_000);
    driver.stream.offer(picture);
    await settle();
    assert.deepEqual([camera.health().state, camera.health().restarts], ["running", 0]);
    await camera.stop();
  });

  it("lets a start take what its driver says that it may", async () => {
    const clock = new SteppedClock();
    const driver = Object.assign(new ScriptedDriver([picture]), { startTimeMs: 60_000 });
    driver.startWith = "hang";
    const seams = { clock, random: seededRandom(5), log: new RecordingLogger() };
    const camera = new SupervisedCamera({ id: "door", driver, intervalMs: 1_000 }, seams);
    await camera.start(never);
    await clock.advance(59_000);
    assert.equal(camera.health().state, "starting");
    await clock.advance(2_000);
    assert.equal(camera.health().lastError?.code, "CAMERA_START_TIMEOUT");
    await camera.stop();
  });

  it("finds a stream that falls silent within two watchdogs of its own frames' period, whatever the interval", async () => {
    for (const [framePeriodMs, limitMs] of [
      [40, 5_000],
      [2_000, 10_000],
    ] as const) {
      const { camera, source, pass, log } = await watched(framePeriodMs);
      await pass(3_000);
      source.flowing = false;
      await pass(limitMs - 2_000);
      assert.equal(camera.health().state, "running", `${framePeriodMs}`);
      await pass(limitMs + 2_000);
      assert.equal(camera.health().lastError?.code, "CAMERA_STALLED");
      const events = log.lines.filter(({ level }) => level === "warn").map(({ event }) => event);
      assert.deepEqual(events, ["camera.lost"]);
      source.flowing = true;
      await pass(3_000);
      assert.equal(camera.health().state, "running");
      await camera.stop();
    }
  });

  it("lets the configured time win over the period", async () => {
    const { camera, source, pass } = await watched(40, { stallAfterMs: 20_000 });
    source.flowing = false;
    await pass(19_000);
    assert.equal(camera.health().state, "running");
    await pass(21_000);
    assert.equal(camera.health().lastError?.code, "CAMERA_STALLED");
    await camera.stop();
  });

  it("stops at once while it waits", async () => {
    const { camera, clock, pass } = await watched(1_000);
    await pass(5_000);
    await camera.stop();
    assert.equal(clock.sleeping, 0, "no timer is left");
  });

  it("waits for the first frame of a slow stream for one period longer", async () => {
    const clock = new SteppedClock();
    const driver = new StreamingDriver(30_000);
    const seams = { clock, random: seededRandom(5), log: new RecordingLogger() };
    const camera = new SupervisedCamera({ id: "door", driver, intervalMs: 30_000 }, seams);
    await camera.start(never);
    await clock.advance(44_999);
    assert.equal(camera.health().state, "starting");
    await clock.advance(1);
    assert.equal(camera.health().lastError?.code, "CAMERA_START_TIMEOUT");
    await camera.stop();
  });

  it("leaves no listener, watcher or timer behind, over 50,000 waits", async () => {
    const counts = { timers: 0, timersMax: 0, watchers: 0 };
    const clock: Clock = {
      nowMs: () => 0,
      monotonicMs: () => 0,
      sleep: async (_ms, signal) => {
        counts.timers += 1;
        counts.timersMax = Math.max(counts.timersMax, counts.timers);
        await new Promise<void>((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
        }).finally(() => (counts.timers -= 1));
      },
    };
    const stream: CameraStream = {
      framePeriodMs: 40,
      framesSeen: () => 1,
      onBroken: () => {
        counts.watchers += 1;
        return () => (counts.watchers -= 1);
      },
    };
    const camera = new AbortController();
    const silence = { limitMs: 5_000, error: () => broken };
    for (let wait = 0; wait < 50_000; wait += 1) {
      await unlessBroken(stream, silence, clock, camera.signal, async () => undefined);
    }
    await settle();
    assert.deepEqual([counts.timers, counts.watchers], [0, 0]);
    assert.ok(counts.timersMax <= 2, `${counts.timersMax} timers at once`);
    assert.equal(getEventListeners(camera.signal, "abort").length, 0);
  }).timeout(20_000);
});
