import assert from "node:assert/strict";
import { describe, it, before } from "mocha";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { AgentError, isAbort } from "../../src/core/errors.ts";
import type { CameraDriver } from "../../src/core/ports.ts";
import { ScriptedDriver } from "../lib/scripted-camera.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { jpegOf } from "../lib/pictures.ts";
import { settle, SteppedClock } from "../lib/stepped-clock.ts";

const never = new AbortController().signal;
const dead = new AgentError("CAMERA_NO_DEVICE", "it is not there", { disposition: "retry" });

describe("camera supervisor", () => {
  const pictures: Buffer[] = [];
  before(async () => {
    for (let shade = 0; shade < 6; shade += 1) pictures.push(await jpegOf(shade * 40));
  });

  function picture(number: number): Buffer {
    const found = pictures[number];
    assert.ok(found);
    return found;
  }

  function supervised(driver: CameraDriver, intervalMs = 1_000, mayRepeat = false) {
    const clock = new SteppedClock();
    const log = new RecordingLogger();
    const seams = { clock, random: seededRandom(7), log };
    const camera = new SupervisedCamera({ id: "door", driver, intervalMs, mayRepeat }, seams);
    const events = () => log.lines.filter((line) => line.level !== "debug").map((line) => line.event);
    return { camera, clock, log, events };
  }

  it("gives frames with their size, time and number, one for each interval", async () => {
    const driver = new ScriptedDriver(pictures.slice(0, 3));
    const { camera, clock } = supervised(driver);
    await camera.start(never);
    assert.equal(camera.health().state, "starting");
    const first = await camera.nextFrame(never);
    assert.equal(camera.health().state, "running");
    assert.deepEqual(
      [first?.cameraId, first?.sequence, first?.width, first?.height, first?.monotonicMs],
      ["door", 1, 64, 48, 0],
    );
    const second = camera.nextFrame(never);
    await clock.advance(999);
    assert.equal(driver.count("shot"), 1);
    await clock.advance(1);
    assert.equal((await second)?.monotonicMs, 1_000);
    assert.deepEqual((await second)?.jpeg, pictures[1]);
    await camera.stop();
    assert.equal(camera.health().state, "stopped");
  });

  it("keeps the newest frame only, and counts those that nobody took", async () => {
    const { camera, clock } = supervised(new ScriptedDriver(pictures.slice(0, 5)));
    await camera.start(never);
    await clock.advance(4_000);
    const frame = await camera.nextFrame(never);
    assert.equal(frame?.sequence, 5);
    assert.equal(camera.health().framesSkipped, 4);
    await camera.stop();
  });

  it("never takes an `every` picture before the last one was taken, and drops none", async () => {
    const driver = new ScriptedDriver([...pictures, "end"], "every");
    const { camera, clock } = supervised(driver, 0);
    await camera.start(never);
    await clock.advance(60_000);
    assert.equal(driver.count("shot"), 0, "nobody asked");
    for (const [position, whole] of pictures.entries()) {
      assert.deepEqual((await camera.nextFrame(never))?.jpeg, whole);
      await clock.advance(5_000);
      assert.equal(driver.count("shot"), position + 1);
    }
    assert.equal(await camera.nextFrame(never), undefined);
    assert.equal(await camera.nextFrame(never), undefined, "and it stays so");
    assert.equal(camera.health().state, "ended");
    assert.equal(camera.health().framesSkipped, 0);
    assert.equal(driver.calls.at(-1), "stop");
    await camera.stop();
  });

  it("keeps an `every` picture whose caller gave up for the next caller", async () => {
    const driver = new ScriptedDriver([picture(0), "end"], "every");
    const { camera } = supervised(driver, 0);
    await camera.start(never);
    const impatient = new AbortController();
    const given = camera.nextFrame(impatient.signal);
    await Promise.resolve();
    impatient.abort();
    await assert.rejects(given, isAbort);
    await settle();
    assert.equal((await camera.nextFrame(never))?.sequence, 1);
    assert.equal(await camera.nextFrame(never), undefined);
    await camera.stop();
  });

  it("paces an `every` source by its interval", async () => {
    const { camera, clock } = supervised(new ScriptedDriver(pictures.slice(0, 2), "every"), 10_000);
    await camera.start(never);
    await camera.nextFrame(never);
    let second = false;
    const waiting = camera.nextFrame(never).then(() => (second = true));
    await clock.advance(9_999);
    assert.equal(second, false);
    await clock.advance(1);
    await waiting;
    await camera.stop();
  });

  it("restarts a silent camera after five periods, never before 5 s", async () => {
    for (const [intervalMs, limitMs] of [
      [100, 5_000],
      [3_000, 15_000],
    ] as const) {
      const driver = new ScriptedDriver([picture(0), "hang", picture(1)]);
      const { camera, clock } = supervised(driver, intervalMs);
      await camera.start(never);
      await clock.advance(intervalMs);
      await clock.advance(limitMs - 1);
      assert.equal(camera.health().state, "running", `${intervalMs}`);
      await clock.advance(1);
      assert.equal(camera.health().state, "backoff");
      assert.equal(camera.health().lastError?.code, "CAMERA_STALLED");
      await clock.advance(1_000);
      assert.equal(camera.health().state, "running");
      assert.equal(camera.health().restarts, 1);
      assert.deepEqual(driver.calls.slice(0, 6), ["start", "shot", "shot", "stop", "start", "shot"]);
      await camera.stop();
    }
  });

  it("comes back from a driver that heeds no signal and cannot be stopped", async () => {
    const driver = new ScriptedDriver([picture(0), "deaf", picture(1)]);
    const { camera, clock } = supervised(driver);
    driver.stopWith = "hang";
    await camera.start(never);
    await clock.advance(1_000 + 5_000);
    assert.equal(camera.health().state, "stalled", "while its driver is being stopped");
    await clock.advance(4_000 + 1_000);
    assert.equal(camera.health().framesCaptured >= 2, true);
    const stopped = camera.stop();
    await clock.advance(4_000);
    await stopped;
  });

  it("gives a camera 15 s to start and 15 s to show its first picture", async () => {
    const starting = new ScriptedDriver(pictures.slice(0, 1));
    starting.startWith = "hang";
    const silent = new ScriptedDriver(["hang"]);
    for (const driver of [starting, silent]) {
      const { camera, clock } = supervised(driver, 10_000);
      await camera.start(never);
      await clock.advance(14_999);
      assert.equal(camera.health().state, "starting");
      await clock.advance(1);
      assert.equal(camera.health().state, "backoff");
      assert.equal(camera.health().lastError?.code, "CAMERA_START_TIMEOUT");
      await camera.stop();
    }
  });

  it("tries for ever with a capped pause, and says so once", async () => {
    const driver = new ScriptedDriver([dead]);
    const { camera, clock, events } = supervised(driver);
    await camera.start(never);
    await clock.advance(24 * 3_600_000);
    const tries = driver.count("start");
    // Full jitter under a 60 s cap: 30 s on average, over a day.
    assert.ok(tries > 2_000 && tries < 4_000, `${tries} tries`);
    assert.equal(driver.count("stop"), tries, "each stopped before the next start");
    assert.deepEqual(events(), ["camera.starting", "camera.lost"]);
    driver.script[0] = picture(0);
    await clock.advance(60_000);
    assert.equal(camera.health().state, "running");
    assert.deepEqual(events().slice(1, 3), ["camera.lost", "camera.running"]);
    await camera.stop();
  });

  it("begins with the first delay again after 30 s without a fault", async () => {
    const pauses = async (healthyMs: number) => {
      const driver = new ScriptedDriver([dead]);
      const { camera, clock, log } = supervised(driver);
      await camera.start(never);
      await clock.advance(10 * 60_000);
      driver.script[0] = picture(0);
      while (camera.health().state !== "running") await clock.advance(100);
      await clock.advance(healthyMs);
      log.lines.length = 0;
      driver.script[0] = dead;
      while (camera.health().state !== "backoff") await clock.advance(100);
      await camera.stop();
      return log.lines.find((line) => line.event === "camera.lost")?.fields["waitMs"] as number;
    };
    assert.ok((await pauses(31_000)) <= 1_000);
    assert.ok((await pauses(5_000)) > 1_000);
  });

  it("survives bad pictures one by one, and restarts after three in a row", async () => {
    const cut = picture(0).subarray(0, -2);
    const good = picture(1);
    const driver = new ScriptedDriver([cut, cut, good, Buffer.alloc(0), good, cut, cut, cut, good]);
    const { camera, clock, log } = supervised(driver);
    await camera.start(never);
    await clock.advance(6_000);
    assert.deepEqual([camera.health().framesCaptured, camera.health().framesBad, driver.count("start")], [2, 5, 1]);
    assert.match(camera.health().lastError?.message ?? "", /camera door gave a bad picture: its picture data ends/);
    await clock.advance(3_000);
    assert.deepEqual([camera.health().framesBad, driver.count("start")], [6, 2]);
    assert.equal(camera.health().state, "running");
    assert.equal(log.lines.find((line) => line.event === "camera.lost")?.fields["code"], "CAMERA_BAD_IMAGES");
    await camera.stop();
  });

  it("refuses pictures that are too small, too large or too wide", async () => {
    const wide = Buffer.from(picture(0));
    const header = wide.indexOf(Buffer.from([0xff, 0xc0]));
    wide.writeUInt16BE(20_000, header + 7);
    const huge = Buffer.concat([picture(0), Buffer.alloc(32 * 1024 * 1024)]);
    for (const [bytes, why] of [
      [Buffer.from("tiny"), /only 4 bytes/],
      [huge, /more than 33554432/],
      [wide, /20000x48/],
    ] as const) {
      const { camera } = supervised(new ScriptedDriver([bytes, "hang"]));
      await camera.start(never);
      await settle();
      assert.equal(camera.health().lastError?.code, "CAMERA_BAD_IMAGE");
      assert.match(camera.health().lastError?.message ?? "", why);
      await camera.stop();
    }
  });

  it("goes on past any number of bad pictures in a finite source, and names each", async () => {
    const bad = new AgentError("CAMERA_BAD_IMAGE", "unreadable", { disposition: "retry" });
    const driver = new ScriptedDriver([bad, bad, bad, bad, picture(0), "end"], "every");
    const { camera, events } = supervised(driver, 0);
    await camera.start(never);
    assert.equal((await camera.nextFrame(never))?.sequence, 1);
    assert.equal(camera.health().framesBad, 4);
    assert.equal(driver.count("start"), 1);
    const each = Array.from({ length: 4 }, () => "camera.bad_image");
    assert.deepEqual(events(), ["camera.starting", ...each, "camera.running"]);
    await camera.stop();
  });

  it("flags a picture that is the same for a minute once, and never restarts for it", async () => {
    const still = picture(0);
    const again = Array.from({ length: 62 }, () => Buffer.from(still));
    const driver = new ScriptedDriver([still, ...again, picture(1), still]);
    const { camera, clock, events } = supervised(driver);
    await camera.start(never);
    await clock.advance(59_000);
    assert.equal(camera.health().frozen, false);
    await clock.advance(1_000);
    assert.equal(camera.health().frozen, true);
    assert.equal(camera.health().framesCaptured, 61);
    await clock.advance(3_000);
    assert.equal(camera.health().frozen, false);
    assert.deepEqual(events(), ["camera.starting", "camera.running", "camera.frozen", "camera.unfrozen"]);
    assert.equal(driver.count("start"), 1);
    await camera.stop();
  });

  it("says nothing of a still picture where nobody wants to know", async () => {
    const { camera, clock, events } = supervised(new ScriptedDriver([picture(0)]), 1_000, true);
    await camera.start(never);
    await clock.advance(120_000);
    assert.equal(camera.health().frozen, false);
    assert.deepEqual(events(), ["camera.starting", "camera.running"]);
    await camera.stop();
  });

  it("says nothing of a camera that is asked more often than it takes pictures", async () => {
    const twice = Array.from({ length: 240 }, (_, number) => picture(Math.floor(number / 40) % 2));
    const { camera, clock, events } = supervised(new ScriptedDriver([...twice, "hang"]));
    await camera.start(never);
    await clock.advance(230_000);
    assert.equal(camera.health().frozen, false);
    assert.deepEqual(events(), ["camera.starting", "camera.running"]);
    await camera.stop();
  });

  it("tells of damaged pictures between good ones once a minute, with their count", async () => {
    const bad = new AgentError("CAMERA_BAD_IMAGE", "cut", { disposition: "retry" });
    const mixed = Array.from({ length: 200 }, (_, number) => (number % 2 === 0 ? picture(0) : bad));
    const { camera, clock, log } = supervised(new ScriptedDriver([...mixed, "hang"]));
    await camera.start(never);
    await clock.advance(120_000);
    const lines = log.lines.filter(({ event }) => event === "camera.bad_image");
    assert.deepEqual(
      lines.map(({ fields }) => fields["suppressed"]),
      [undefined, 29],
    );
    assert.equal(camera.health().framesBad, 60);
    assert.equal(camera.health().state, "running");
    await camera.stop();
  });

  it("owns its bytes, without what follows the end of the picture", async () => {
    const whole = picture(0);
    const shared = Buffer.concat([Buffer.from("before"), whole, Buffer.from("after")]).subarray(6);
    const { camera } = supervised(new ScriptedDriver([shared, "hang"]));
    await camera.start(never);
    const frame = await camera.nextFrame(never);
    shared.fill(0);
    assert.deepEqual(frame?.jpeg, whole);
    assert.equal(frame.jpeg.buffer.byteLength, whole.length);
    await camera.stop();
  });

  it("stops at any moment, twice, frees whoever waits, and starts again", async () => {
    const driver = new ScriptedDriver(["hang"]);
    const { camera, clock } = supervised(driver);
    await camera.stop();
    await camera.start(never);
    const waiting = camera.nextFrame(never);
    await settle();
    await camera.stop();
    await camera.stop();
    assert.equal(await waiting, undefined);
    assert.equal(clock.sleeping, 0, "no timer is left");
    driver.script[0] = picture(0);
    await camera.start(never);
    assert.equal((await camera.nextFrame(never))?.sequence, 1);
    await camera.stop();
  });

  it("watches no source that may rightly be silent", async () => {
    const driver = Object.assign(new ScriptedDriver(["hang"], "every"), { shotTimeMs: Infinity });
    const { camera, clock } = supervised(driver, 0);
    await camera.start(never);
    const waiting = camera.nextFrame(never);
    await clock.advance(30 * 24 * 3_600_000);
    assert.equal(camera.health().state, "running");
    assert.equal(driver.count("start"), 1);
    await camera.stop();
    assert.equal(await waiting, undefined);
  });
});
