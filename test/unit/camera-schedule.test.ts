import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { CameraDriver, Shot } from "../../src/core/ports.ts";
import type { WeeklyPlan } from "../../src/core/weekly.ts";
import { collectHealth } from "../../src/health/health.ts";
import { jpegOf } from "../lib/pictures.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { settle, SteppedClock } from "../lib/stepped-clock.ts";

const never = new AbortController().signal;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const office: WeeklyPlan = {
  timeZone: "UTC",
  windows: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "06:00", to: "20:00" }],
};

/** A wall clock that can be set, beside a time that runs evenly. */
class WallClock extends SteppedClock {
  #setByMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.#setByMs;
  }

  set(to: string): void {
    this.#setByMs += Date.parse(to) - this.nowMs();
  }
}

class CountingDriver implements CameraDriver {
  readonly kind = "counting";
  readonly pace: "newest" | "every";
  readonly mayRepeat = true;
  readonly calls: string[] = [];
  shoot: () => Promise<Shot>;

  constructor(picture: Buffer, pace: "newest" | "every") {
    this.pace = pace;
    this.shoot = async () => ({ kind: "image", jpeg: picture });
  }

  async start(): Promise<void> {
    this.calls.push("start");
  }

  async shot(): Promise<Shot> {
    return this.shoot();
  }

  async stop(): Promise<void> {
    this.calls.push("stop");
  }
}

describe("a camera with a schedule", () => {
  let picture: Buffer;
  before(async () => (picture = await jpegOf(50)));

  function scheduled(now: string, pace: "newest" | "every" = "newest", schedule = office) {
    const clock = new WallClock(Date.parse(now));
    const log = new RecordingLogger();
    const driver = new CountingDriver(picture, pace);
    const options = { id: "door", driver, intervalMs: pace === "every" ? 0 : 10_000, schedule };
    const camera = new SupervisedCamera(options, { clock, random: seededRandom(3), log });
    const events = () => log.lines.filter((line) => line.level !== "debug").map((line) => line.event);
    return { camera, clock, driver, log, events };
  }

  it("is stopped outside of its windows, with its next opening in health and no trouble", async () => {
    // A Friday evening.
    const { camera, clock, driver, events } = scheduled("2026-11-20T19:59:00Z");
    await camera.start(never);
    await clock.advance(59_999);
    assert.equal(camera.health().state, "running");
    assert.equal(camera.health().framesCaptured, 6);
    await clock.advance(1);
    const closed = camera.health();
    assert.deepEqual([closed.state, closed.opensAtMs], ["stopped", Date.parse("2026-11-23T06:00:00Z")]);
    assert.deepEqual(driver.calls, ["start", "stop"]);
    await clock.advance(58 * hourMs - 1);
    assert.equal(camera.health().state, "stopped");
    assert.equal(camera.health().framesCaptured, 6);
    await clock.advance(60_002);
    assert.equal(camera.health().state, "running");
    assert.equal(camera.health().opensAtMs, undefined);
    assert.deepEqual(driver.calls, ["start", "stop", "start"]);
    assert.equal(camera.health().restarts, 0);
    await camera.stop();
    const everyday = ["camera.starting", "camera.running"];
    assert.deepEqual(events(), [...everyday, "camera.closed", ...everyday, "camera.stopped"]);
    assert.equal(clock.sleeping, 0, "no timer is left");
  });

  it("is no trouble of the agent's while it is closed, although it failed before", async () => {
    const { camera, clock, driver } = scheduled("2026-11-20T19:00:00Z");
    driver.shoot = async () => {
      throw new AgentError("CAMERA_LOST", "it is dark in here", { disposition: "retry" });
    };
    await camera.start(never);
    await clock.advance(2 * hourMs);
    assert.equal(camera.health().state, "stopped");
    assert.equal(driver.calls.at(-1), "stop");
    const starts = driver.calls.length;
    await clock.advance(10 * hourMs);
    assert.equal(driver.calls.length, starts, "nothing is tried outside of the windows");
    const vision = { state: "ready", restarts: 0, rssPeakBytes: 0 } as const;
    const pipeline = { state: "running", frames: 0, stagesMs: {}, spoolFull: false, paused: [], images: {} } as never;
    const memory = { rssBytes: 0, rssPeakBytes: 0, heapUsedBytes: 0 };
    const spool = { records: 0, bytes: 0, lastSequence: 0, targets: [], lost: [] };
    const parts = {
      atMs: 0,
      uptimeMs: 0,
      cameras: [camera.health()],
      vision,
      model: { name: "m" } as never,
      pipeline,
      spool,
    };
    assert.deepEqual(collectHealth({ ...parts, deliveries: [], memory }).troubles, []);
    await camera.stop();
  });

  it("opens and closes at the right time though the clock is set, within half a minute", async () => {
    const { camera, clock } = scheduled("2026-11-21T12:00:00Z");
    await camera.start(never);
    await clock.advance(10 * minuteMs);
    assert.equal(camera.health().state, "stopped");
    clock.set("2026-11-23T10:00:00Z");
    await clock.advance(30_000);
    assert.equal(camera.health().state, "running");
    clock.set("2026-11-23T22:00:00Z");
    await clock.advance(30_000);
    assert.deepEqual(
      [camera.health().state, camera.health().opensAtMs],
      ["stopped", Date.parse("2026-11-24T06:00:00Z")],
    );
    clock.set("2026-11-23T02:00:00Z");
    await clock.advance(30_000);
    assert.equal(camera.health().opensAtMs, Date.parse("2026-11-23T06:00:00Z"), "set back, it opens sooner");
    await camera.stop();
  });

  it("captures all the time while the clock is plainly wrong, and says so once", async () => {
    const { camera, clock, log } = scheduled("1970-01-03T01:00:00Z");
    await camera.start(never);
    await clock.advance(2 * hourMs);
    assert.equal(camera.health().state, "running");
    assert.equal(log.lines.filter(({ event }) => event === "camera.schedule_ignored").length, 1);
    clock.set("2026-11-21T01:00:00Z");
    await clock.advance(30_000);
    assert.equal(camera.health().state, "stopped");
    await camera.stop();
  });

  it("is not asked for pictures on demand while it is closed, and answers when it opens", async () => {
    const { camera, clock, driver } = scheduled("2026-11-23T05:00:00Z", "every");
    await camera.start(never);
    assert.equal(camera.health().state, "stopped");
    let frames = 0;
    const asked = camera.nextFrame(never).then(() => (frames += 1));
    await clock.advance(hourMs - 1);
    assert.deepEqual([frames, driver.calls.length], [0, 0]);
    await clock.advance(1);
    await asked;
    assert.equal(frames, 1);
    await camera.stop();
  });

  it("ends when its source ends, and stops at once while it is closed or closing", async () => {
    const ending = scheduled("2026-11-23T10:00:00Z", "every");
    ending.driver.shoot = async () => ({ kind: "end" });
    await ending.camera.start(never);
    assert.equal(await ending.camera.nextFrame(never), undefined);
    assert.equal(ending.camera.health().state, "ended");
    await ending.camera.stop();

    const closed = scheduled("2026-11-22T10:00:00Z");
    await closed.camera.start(never);
    await settle();
    await closed.camera.stop();
    assert.equal(closed.clock.sleeping, 0);
    assert.deepEqual([closed.camera.health().state, closed.camera.health().opensAtMs], ["stopped", undefined]);
  });
});
