import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { CameraDriver, Shot } from "../../src/core/ports.ts";
import { createLogger } from "../../src/log/logger.ts";
import { jpegOf } from "../lib/pictures.ts";
import { play, ScriptedDriver } from "../lib/scripted-camera.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { settle, SteppedClock } from "../lib/stepped-clock.ts";

/** Hangs at its second picture and when it is stopped: its program lives on until it is set free. */
class HoldingDriver implements CameraDriver {
  readonly kind = "holding";
  readonly pace = "newest";
  readonly #picture: Buffer;
  #held: (() => void) | undefined;
  #shots = 0;
  running = 0;
  runningMax = 0;

  constructor(picture: Buffer) {
    this.#picture = picture;
  }

  async start(): Promise<void> {
    if (this.running > 0) throw new AgentError("CAMERA_BUSY", "its program is still running", { disposition: "retry" });
    this.running += 1;
    this.runningMax = Math.max(this.runningMax, this.running);
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    this.#shots += 1;
    return play(this.#shots === 2 ? "hang" : this.#picture, signal);
  }

  async stop(): Promise<void> {
    if (this.running > 0) await new Promise<void>((resolve) => (this.#held = resolve));
  }

  free(): void {
    this.running = 0;
    this.#held?.();
  }
}

const never = new AbortController().signal;
const dead = new AgentError("CAMERA_NO_DEVICE", "it is not there", { disposition: "retry" });

describe("camera supervisor, what it says and what it bounds", () => {
  const pictures: Buffer[] = [];
  before(async () => {
    for (let shade = 0; shade < 2; shade += 1) pictures.push(await jpegOf(shade * 40));
  });

  function picture(number: number): Buffer {
    const found = pictures[number];
    assert.ok(found);
    return found;
  }

  function supervised(driver: CameraDriver, intervalMs = 1_000) {
    const clock = new SteppedClock();
    const log = new RecordingLogger();
    const camera = new SupervisedCamera({ id: "door", driver, intervalMs }, { clock, random: seededRandom(7), log });
    const events = () => log.lines.filter((line) => line.level !== "debug").map((line) => line.event);
    return { camera, clock, log, events };
  }

  it("waits for every picture of a slow source as long as one may take, the first one included", async () => {
    const slow = new ScriptedDriver([picture(0)]);
    const driver = Object.assign(slow, { shotTimeMs: 40_000, mayRepeat: true });
    const { camera, clock } = supervised(driver);
    const takesMs = [54_000, 44_000];
    slow.shot = async (signal) => {
      await clock.sleep(takesMs.shift() ?? 44_000, signal);
      return { kind: "image", jpeg: picture(0) };
    };
    await camera.start(never);
    await clock.advance(145_000);
    assert.deepEqual([camera.health().framesCaptured, camera.health().restarts], [3, 0]);
    await camera.stop();
  });

  it("tells one that comes and goes for the same reason once in ten minutes, and another reason at once", async () => {
    const driver = Object.assign(new ScriptedDriver([picture(0)]), { mayRepeat: true });
    const { camera, clock, events, log } = supervised(driver);
    const again = async (error: Error) => {
      driver.script.splice(0, driver.script.length, error);
      while (camera.health().state !== "backoff") await clock.advance(100);
      driver.script.splice(0, 1, picture(1));
      while (camera.health().state !== "running") await clock.advance(100);
      log.lines.push({ level: "info", event: "---", fields: {} });
    };
    const busy = new AgentError("CAMERA_BUSY", "somebody has it", { disposition: "retry" });
    await camera.start(never);
    await settle();
    for (const error of [dead, dead, dead, busy]) await again(error);
    await clock.advance(10 * 60_000);
    await again(busy);
    await camera.stop();
    const told = ["camera.lost", "camera.running", "---"];
    assert.deepEqual(events(), [
      ...["camera.starting", "camera.running", ...told, "---", "---", ...told, ...told],
      "camera.stopped",
    ]);
    assert.equal(camera.health().restarts, 5);
  });

  it("tells of bad pictures once a minute, however many there are, and calls pairs of pictures no alarm", async () => {
    const pair = [picture(0), picture(0), picture(1), Buffer.from("noise")];
    const steps = Array.from({ length: 300 }, () => pair).flat();
    const { camera, clock, log } = supervised(new ScriptedDriver(steps), 100);
    await camera.start(never);
    await clock.advance(100_000);
    await camera.stop();
    const toldOf = (event: string) => log.lines.filter((line) => line.event === event);
    const { framesBad = 0, restarts } = camera.health();
    assert.ok(framesBad >= 200 && restarts === 0);
    assert.deepEqual([toldOf("camera.frozen").length, toldOf("camera.unfrozen").length], [0, 0]);
    assert.deepEqual(
      toldOf("camera.bad_image").map(({ fields }) => typeof fields["suppressed"]),
      ["undefined", "number"],
    );
  });

  it("says of a restart of a camera that is still held that it is busy, and starts it when it is free", async () => {
    const driver = new HoldingDriver(picture(0));
    const { camera, clock } = supervised(driver);
    await camera.start(never);
    await clock.advance(1_000 + 5_000 + 4_000);
    assert.equal(driver.running, 1);
    await clock.advance(5 * 60_000);
    assert.deepEqual([camera.health().state, camera.health().lastError?.code], ["backoff", "CAMERA_BUSY"]);
    assert.equal(driver.runningMax, 1, "never two at once");
    driver.free();
    await clock.advance(61_000);
    assert.equal(camera.health().state, "running");
    assert.equal(driver.runningMax, 1);
    const stopped = camera.stop();
    await clock.advance(4_000);
    await stopped;
  });

  it("does not work itself warm over a source that dies at once each time", async () => {
    const driver = new ScriptedDriver([dead]);
    const clock = new SteppedClock();
    // No jitter could be shorter.
    const seams = { clock, random: () => 0, log: new RecordingLogger() };
    const camera = new SupervisedCamera({ id: "door", driver, intervalMs: 1_000 }, seams);
    await camera.start(never);
    await clock.advance(60_000);
    assert.ok(driver.count("start") <= 241, `${driver.count("start")} starts in a minute`);
    await camera.stop();
  });

  it("shows no secret in health that the log would not show", async () => {
    const clock = new SteppedClock();
    const log = createLogger({ level: "silent", secrets: ["hunter2-hunter2"], journald: false });
    const told = "rtsp://admin:hunter2-hunter2@10.0.0.9/live?key=abc: 401";
    const driver = new ScriptedDriver([new AgentError("CAMERA_DENIED", told, { disposition: "retry" })]);
    const seams = { clock, random: seededRandom(7), log };
    const camera = new SupervisedCamera({ id: "door", driver, intervalMs: 1_000 }, seams);
    await camera.start(never);
    await settle();
    const { message } = camera.health().lastError ?? { message: "" };
    assert.match(message, /10\.0\.0\.9/);
    assert.doesNotMatch(message, /hunter2|admin|abc/);
    await camera.stop();
  });

  it("shows each state in health, and says each once", async () => {
    const driver = Object.assign(new ScriptedDriver([picture(0), "hang", picture(1)]), { mayRepeat: true });
    const { camera, clock, events } = supervised(driver);
    const states = [camera.health().state];
    const note = () => {
      const { state } = camera.health();
      if (state !== states.at(-1)) states.push(state);
    };
    driver.stopWith = "hang";
    await camera.start(never);
    note();
    for (let seconds = 0; seconds < 30 && driver.count("start") < 2; seconds += 1) {
      await clock.advance(seconds === 0 ? 0 : 500);
      note();
    }
    driver.stopWith = undefined;
    await clock.advance(1_000);
    note();
    await camera.stop();
    note();
    assert.deepEqual(states, ["stopped", "starting", "running", "stalled", "backoff", "running", "stopped"]);
    assert.deepEqual(events(), [
      ...["camera.starting", "camera.running", "camera.stop_failed"],
      ...["camera.lost", "camera.running", "camera.stopped"],
    ]);
  });

  it("stops at once in every state, and within its driver's limit where that hangs", async () => {
    const ways: Readonly<Record<string, (driver: ScriptedDriver) => void>> = {
      starting: (driver) => (driver.startWith = "deaf"),
      running: (driver) => driver.script.push("deaf"),
      backoff: (driver) => driver.script.splice(0, 1, dead),
    };
    for (const [state, arrange] of Object.entries(ways)) {
      const driver = new ScriptedDriver([picture(0)]);
      arrange(driver);
      const { camera, clock } = supervised(driver);
      await camera.start(never);
      await settle();
      if (state === "running") await clock.advance(1_500);
      assert.equal(camera.health().state, state);
      await camera.stop();
      assert.equal(clock.sleeping, 0, `${state}: no timer is left`);
    }
    const driver = new ScriptedDriver([picture(0), "hang"]);
    driver.stopWith = "hang";
    const { camera, clock } = supervised(driver);
    await camera.start(never);
    await clock.advance(6_500);
    assert.equal(camera.health().state, "stalled");
    const stopped = camera.stop();
    await clock.advance(4_000);
    await stopped;
    assert.equal(camera.health().state, "stopped");
  });
});
