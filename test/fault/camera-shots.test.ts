import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, before, beforeEach, describe, it } from "mocha";
import { execDriver } from "../../src/capture/exec/driver.ts";
import { rpicamDriver } from "../../src/capture/rpicam/driver.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { CameraDriver } from "../../src/core/ports.ts";
import { acts, CameraStandIns } from "../lib/camera-stand-ins.ts";
import { jpegOf } from "../lib/pictures.ts";
import { until } from "../lib/poll.ts";

const clock = new SystemClock();
const never = new AbortController().signal;
const limits = { stopGraceMs: 200, outputGraceMs: 100 };

describe("a camera program that is run for each frame", () => {
  let picture: Buffer;
  let standIns: CameraStandIns;
  const drivers: CameraDriver[] = [];

  before(async () => {
    picture = await jpegOf(20);
  });

  beforeEach(async () => {
    standIns = await CameraStandIns.make([picture, await jpegOf(90)]);
  });

  afterEach("nothing is left behind", async () => {
    for (const driver of drivers.splice(0)) await driver.stop();
    await standIns.allGone();
    await standIns[Symbol.asyncDispose]();
  });

  async function started(lines: readonly string[], further: object = {}): Promise<CameraDriver> {
    const program = await standIns.program("my-camera", lines);
    const driver = execDriver({ command: [program], mode: "shot", shotTimeMs: 5_000 }, clock, {
      ...limits,
      ...further,
    });
    drivers.push(driver);
    await driver.start(never);
    return driver;
  }

  async function failure(driver: CameraDriver, signal = never): Promise<AgentError> {
    const error: unknown = await driver.shot(signal).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof AgentError, String(error));
    return error;
  }

  it("is believed for its picture and not for its exit status, whatever it prints around it", async () => {
    const driver = await started(["echo hello", "cat $dir/picture-01.jpg", ...acts.one, "echo bye", "exit 3"]);
    assert.deepEqual(await driver.shot(never), { kind: "image", jpeg: picture });
  });

  it("is missing already at the start", async () => {
    const driver = execDriver({ command: ["/no/such/camera"], mode: "shot" }, clock);
    await assert.rejects(driver.start(never), { code: "CAMERA_PROGRAM_MISSING" });
    await driver.stop();
  });

  it("costs one picture when it prints half of it or rubbish, and says what it said when it prints none", async () => {
    for (const lines of [acts.half, ["head -c 5000 /dev/urandom"]]) {
      assert.equal((await failure(await started(lines))).code, "CAMERA_BAD_IMAGE");
    }
    const silent = await failure(await started(["echo 'no camera here' >&2", "exit 0"]));
    assert.equal(silent.code, "CAMERA_NO_PICTURE");
    assert.match(silent.message, /no picture came, and its program ended with status 0: no camera here$/);
  });

  it("is ended when it hangs, ignores SIGINT or was stopped, and the camera shoots again", async () => {
    for (const lines of [acts.hang, [...acts.deaf, "while :; do sleep 0.1; done"], ["kill -STOP $$"]]) {
      const program = await standIns.program("my-camera", lines);
      const driver = execDriver({ command: [program], mode: "shot", shotTimeMs: 150 }, clock, limits);
      drivers.push(driver);
      await driver.start(never);
      const begunMs = performance.now();
      assert.equal((await failure(driver)).code, "CAMERA_TIMEOUT");
      assert.ok(performance.now() - begunMs < 2_000);
      await standIns.allGone();
      await standIns.program("my-camera", acts.one);
      assert.equal((await driver.shot(never)).kind, "image");
    }
  });

  it("is ended when it prints without end, and its last picture counts", async () => {
    const driver = await started(["while :; do cat $dir/picture-00.jpg; done"], { jpegBytesMax: 50_000 });
    const begunMs = performance.now();
    assert.equal((await driver.shot(never)).kind, "image");
    assert.ok(performance.now() - begunMs < 3_000);
  });

  it("runs once at a time, and ends with the stop of its camera", async () => {
    const driver = await started(acts.hang);
    const first = failure(driver);
    await until(async () => (await standIns.living()).length === 1, "it to run");
    assert.equal((await failure(driver)).code, "CAMERA_BUSY");
    await assert.rejects(driver.start(never), { code: "CAMERA_BUSY" });
    await driver.stop();
    assert.equal((await first).code, "CAMERA_NOT_STARTED");
    assert.equal((await failure(driver)).code, "CAMERA_NOT_STARTED");
  });

  it("is found anew for each frame, under its old name too where the new one is missing", async () => {
    const options = { camera: 1, width: 640, height: 480, quality: 90, sourceFramesPerSecond: 5, rotation: 0 } as const;
    const rpicam = { ...options, mode: "still", hflip: true, vflip: false, arguments: ["--awb=daylight"] } as const;
    standIns.precede();
    process.env["PATH"] = `${standIns.programs}:/bin:/usr/bin`;
    await standIns.program("libcamera-still", acts.one);
    const driver = rpicamDriver(rpicam, clock, limits);
    drivers.push(driver);
    await driver.start(never);
    assert.deepEqual(await driver.shot(never), { kind: "image", jpeg: picture });
    await writeFile(join(standIns.path, "picture-00.jpg"), await jpegOf(200));
    await standIns.program("rpicam-still", ["cat $dir/picture-01.jpg"]);
    assert.deepEqual(await driver.shot(never), { kind: "image", jpeg: await jpegOf(90) });
    const words = "-n --immediate --encoding jpg --thumb none --camera 1 --width 640 --height 480 -q 90 --hflip";
    assert.deepEqual(await standIns.arguments(), [...words.split(" "), "--awb=daylight", "-o", "-"]);
  });
});
