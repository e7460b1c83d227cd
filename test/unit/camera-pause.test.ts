import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { SupervisedCamera, type SupervisedCameraOptions } from "../../src/capture/supervisor.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { CameraDriver, Shot } from "../../src/core/ports.ts";
import { jpegOf } from "../lib/pictures.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { settle, SteppedClock } from "../lib/stepped-clock.ts";

const never = new AbortController().signal;
const minuteMs = 60_000;

class CountingDriver implements CameraDriver {
  readonly kind = "counting";
  readonly pace = "newest";
  readonly mayRepeat = true;
  readonly calls: string[] = [];
  shoot: () => Promise<Shot>;
  stopping: Promise<void> = Promise.resolve();

  constructor(picture: Buffer) {
    this.shoot = async () => ({ kind: "image", jpeg: picture });
  }

  async start(): Promise<void> {
    this.calls.push("start");
  }

  async shot(): Promise<Shot> {
    return this.shoot();
  }

  async stop(): Promise<void> {
    await this.stopping;
    this.calls.push("stop");
  }
}

function lost(): Promise<Shot> {
  return Promise.reject(new AgentError("CAMERA_LOST", "unplugged", { disposition: "retry" }));
}

describe("a camera that an operator steers", () => {
  let picture: Buffer;
  before(async () => (picture = await jpegOf(50)));

  function bench(options: Partial<SupervisedCameraOptions> = {}) {
    const clock = new SteppedClock();
    const log = new RecordingLogger();
    const driver = new CountingDriver(picture);
    const camera = new SupervisedCamera(
      { id: "door", driver, intervalMs: 10_000, ...options },
      { clock, random: seededRandom(3), log },
    );
    const states = () => log.lines.filter(({ level }) => level !== "debug").map(({ event }) => event);
    return { camera, clock, driver, states };
  }

  it("is paused with its driver stopped, gives no frame of before, and goes on when it is resumed", async () => {
    const { camera, clock, driver, states } = bench();
    await camera.start(never);
    await clock.advance(15_000);
    assert.equal(camera.health().framesCaptured, 2);
    await camera.pause();
    assert.deepEqual(driver.calls, ["start", "stop"]);
    await settle();
    assert.equal(camera.health().state, "paused");
    assert.equal("resumesInMs" in camera.health(), false);
    let frames = 0;
    const asked = camera.nextFrame(never).then(() => (frames += 1));
    await clock.advance(24 * 60 * minuteMs);
    assert.deepEqual([frames, driver.calls.length], [0, 2]);
    camera.resume();
    await clock.advance(1);
    await asked;
    assert.deepEqual([camera.health().state, camera.health().framesCaptured], ["running", 3]);
    await camera.stop();
    const on = ["camera.starting", "camera.running"];
    assert.deepEqual(states(), [...on, "camera.paused", ...on, "camera.stopped"]);
    assert.equal(clock.sleeping, 0, "no timer is left");
  });

  it("goes on by itself when the time is over, and says how long that is", async () => {
    const { camera, clock } = bench();
    await camera.start(never);
    await clock.advance(1);
    await camera.pause(minuteMs);
    await clock.advance(20_000);
    assert.equal(camera.health().resumesInMs, 40_000);
    // Another pause takes the place of this one.
    await camera.pause(2 * minuteMs);
    await clock.advance(2 * minuteMs - 1);
    assert.deepEqual([camera.health().state, camera.health().resumesInMs], ["paused", 1]);
    await clock.advance(2);
    assert.equal(camera.health().state, "running");
    assert.equal(camera.pauseLeftMs(), undefined);
    await camera.stop();
  });

  it("starts nothing when it was paused before its start", async () => {
    const { camera, clock, driver } = bench();
    await camera.pause();
    await camera.start(never);
    await clock.advance(minuteMs);
    assert.deepEqual([camera.health().state, driver.calls.length], ["paused", 0]);
    await camera.stop();
    assert.equal(camera.health().state, "stopped");
  });

  it("is paused only when its driver has stopped, also out of its back-off and outside of its schedule", async () => {
    const { camera, clock, driver } = bench();
    let release = () => {};
    driver.stopping = new Promise((resolve) => (release = resolve));
    await camera.start(never);
    await clock.advance(1);
    let isPaused = false;
    const pausing = camera.pause().then(() => (isPaused = true));
    await settle();
    assert.equal(isPaused, false);
    release();
    await pausing;
    driver.shoot = lost;
    camera.resume();
    await clock.advance(1);
    assert.equal(camera.health().state, "backoff");
    await camera.pause();
    await settle();
    assert.equal(camera.health().state, "paused");
    await camera.stop();

    const closed = bench({ schedule: { timeZone: "UTC", windows: [{ days: ["mon"], from: "06:00", to: "07:00" }] } });
    await closed.camera.start(never);
    await closed.clock.advance(1);
    assert.equal(closed.camera.health().state, "stopped");
    await closed.camera.pause();
    await settle();
    assert.equal(closed.camera.health().state, "paused");
    closed.camera.resume();
    await closed.clock.advance(1);
    assert.equal(closed.camera.health().state, "stopped");
    assert.notEqual(closed.camera.health().opensAtMs, undefined);
    await closed.camera.stop();
  });

  it("is opened anew at once, while it runs and out of its back-off", async () => {
    const { camera, clock, driver, states } = bench();
    await camera.start(never);
    await clock.advance(1);
    camera.reopen();
    await clock.advance(1);
    assert.deepEqual(driver.calls, ["start", "stop", "start"]);
    assert.equal(camera.health().state, "running");
    driver.shoot = lost;
    await clock.advance(10 * minuteMs);
    assert.equal(camera.health().state, "backoff");
    const starts = driver.calls.length;
    driver.shoot = async () => ({ kind: "image", jpeg: picture });
    camera.reopen();
    await clock.advance(1);
    assert.equal(driver.calls.length, starts + 1);
    assert.equal(camera.health().state, "running");
    assert.ok(states().includes("camera.reopening"));
    await camera.stop();
    assert.equal(clock.sleeping, 0);
  });

  it("takes a picture at once when somebody wants one, and its own ones when they are due", async () => {
    const { camera, clock } = bench();
    await camera.start(never);
    await clock.advance(4_000);
    const frames = () => camera.health().framesCaptured;
    assert.equal(frames(), 1);
    camera.hurry();
    await clock.advance(1);
    assert.equal(frames(), 2);
    await clock.advance(5_998);
    assert.equal(frames(), 2);
    await clock.advance(1);
    assert.equal(frames(), 3);
    await clock.advance(10_000);
    assert.equal(frames(), 4);
    await camera.stop();
  });
});
