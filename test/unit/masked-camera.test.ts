import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { PageMemory } from "../../agent/web/page-memory.ts";
import { maskedDriver } from "../../src/capture/masked.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { CameraDriver, Shot } from "../../src/core/ports.ts";
import type { EncodedImage, Vision } from "../../src/core/vision-port.ts";
import { collectHealth } from "../../src/health/health.ts";
import { jpegOf } from "../lib/pictures.ts";
import { ScriptedDriver, type Step } from "../lib/scripted-camera.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

const never = new AbortController().signal;
const mask = { size: { width: 64, height: 48 }, polygons: [[[0, 0] as const, [9, 0] as const, [9, 9] as const]] };
const error = (code: string) => new AgentError(code, code.toLowerCase(), { disposition: "retry" });

describe("a camera with a privacy mask", () => {
  let bare: Buffer;
  let painted: EncodedImage;
  before(async () => {
    bare = await jpegOf(10);
    painted = { jpeg: await jpegOf(200), width: 64, height: 48 };
  });

  /** What painting comes to, call by call; the last for ever. */
  function bench(driver: CameraDriver, answers: readonly (AgentError | "painted" | "hang")[]) {
    const clock = new VirtualClock();
    const asked: Buffer[] = [];
    const paint: Vision["paint"] = async (jpeg, _mask, signal) => {
      const answer = answers[Math.min(asked.length, answers.length - 1)];
      asked.push(jpeg);
      if (answer === "hang") await clock.sleep(1e9, signal);
      if (answer instanceof AgentError) throw answer;
      return painted;
    };
    return { clock, asked, driver: maskedDriver(driver, { cameraId: "gate", mask, paint, clock }) };
  }

  function supervised(script: Step[], answers: readonly (AgentError | "painted" | "hang")[]) {
    const inner = new ScriptedDriver(script);
    const { clock, driver, asked } = bench(inner, answers);
    const log = new RecordingLogger();
    const seams = { clock, random: seededRandom(7), log };
    const camera = new SupervisedCamera({ id: "gate", driver, intervalMs: 1_000, maskVersion: "m1" }, seams);
    return { camera, clock, log, inner, asked };
  }

  it("gives painted pictures only, and says so in its health", async () => {
    const { camera, asked } = supervised([bare], ["painted"]);
    await camera.start(never);
    const frame = await camera.nextFrame(never);
    assert.deepEqual(frame?.jpeg, painted.jpeg);
    assert.deepEqual(asked, [bare]);
    assert.equal(camera.health().maskVersion, "m1");
    await camera.stop();
  });

  it("is blocked by a picture that the mask does not fit, and back by itself when it fits again", async () => {
    const misfit = error("IMAGE_MASK_MISFIT");
    const { camera, clock, inner } = supervised([bare], [misfit, misfit, "painted"]);
    await camera.start(never);
    await clock.run(60_000, () => camera.health().state === "blocked");
    const { state, lastError, framesCaptured } = camera.health();
    assert.deepEqual([state, lastError?.code, framesCaptured], ["blocked", "CAMERA_MASK_MISFIT", 0]);
    assert.equal(inner.calls.at(-1), "stop");
    const frame = camera.nextFrame(never);
    assert.ok(await clock.run(300_000, () => camera.health().state === "running"));
    assert.deepEqual((await frame)?.jpeg, painted.jpeg);
    await camera.stop();
  });

  it("is not seen on the page any more as it was before its mask was changed", () => {
    const memory = new PageMemory();
    const seen = { atMs: 1, width: 64, height: 48, labelled: true, detections: [], jpeg: bare };
    memory.keepOnly(
      new Map([
        ["gate", undefined],
        ["yard", "m1"],
        ["shed", "m1"],
      ]),
    );
    for (const camera of ["gate", "yard", "shed"]) memory.sightings.add(memory.frames.add({ ...seen, camera }));
    const [gate] = memory.frames.announce();
    memory.keepOnly(
      new Map([
        ["gate", "m1"],
        ["yard", "m1"],
        ["shed", "m2"],
      ]),
    );
    assert.equal(memory.frames.picture(gate?.id ?? 0), undefined);
    assert.deepEqual(
      memory.frames.announce().map(({ camera }) => camera),
      ["yard"],
    );
    assert.deepEqual(
      memory.sightings.list().map(({ camera }) => camera),
      ["yard"],
    );
  });

  it("is a trouble that names it while it is blocked", () => {
    const camera = { id: "gate", driver: "ffmpeg", state: "blocked", framesCaptured: 3, framesSkipped: 0, restarts: 2 };
    const lastError = { code: "CAMERA_MASK_MISFIT", message: "too large", atMs: 1 };
    const report = collectHealth({
      ...{ atMs: 1, uptimeMs: 1, cameras: [{ ...camera, state: "blocked", lastError }], spool: "unasked" },
      vision: { state: "ready", restarts: 0, rssPeakBytes: 1 },
      model: undefined,
      pipeline: {
        ...{
          state: "running",
          frames: 0,
          detections: {},
          stored: 0,
          keptByRule: {},
          dropped: {},
          still: 0,
          notOwed: 0,
        },
        ...{ refused: 0, spoolFull: false, paused: [], images: {}, unlabelled: 0, turnedUpright: 0, stagesMs: {} },
        unblurred: ["yard"],
      },
      deliveries: [],
      memory: { rssBytes: 1, rssPeakBytes: 1, heapUsedBytes: 1 },
    });
    assert.ok(report.troubles.includes("camera gate is blocked (CAMERA_MASK_MISFIT)"));
    assert.ok(report.troubles.includes("camera yard: nothing of it is kept, as it cannot be blurred"));
  });

  it("takes a fresh picture when the vision process is back, and is not lost meanwhile", async () => {
    const away = error("VISION_UNAVAILABLE");
    const { camera, clock, inner } = supervised([bare], [away, away, away, "painted"]);
    await camera.start(never);
    const frame = camera.nextFrame(never);
    await clock.run(10_000, () => camera.health().framesCaptured > 0);
    assert.deepEqual((await frame)?.jpeg, painted.jpeg);
    assert.deepEqual([camera.health().restarts, camera.health().lastError], [0, undefined]);
    assert.equal(inner.count("shot"), 4);
    await camera.stop();
  });

  it("is lost, and gives nothing, while there is nobody to paint", async () => {
    for (const answer of [error("VISION_UNAVAILABLE"), "hang"] as const) {
      const { camera, clock } = supervised([bare], [answer]);
      await camera.start(never);
      await clock.run(120_000, () => camera.health().state === "backoff");
      const { lastError, framesCaptured } = camera.health();
      assert.deepEqual([lastError?.code, framesCaptured], ["CAMERA_MASK_UNPAINTED", 0]);
      await camera.stop();
    }
  });

  it("counts what cannot be decoded as bad, and hands none of it on", async () => {
    const { camera, clock, asked } = supervised(
      [Buffer.from("no picture".repeat(20)), bare],
      [error("IMAGE_UNREADABLE")],
    );
    await camera.start(never);
    await clock.run(30_000, () => camera.health().state === "backoff");
    const { framesBad, framesCaptured, lastError } = camera.health();
    assert.deepEqual([framesBad, framesCaptured, lastError?.code], [3, 0, "CAMERA_BAD_IMAGES"]);
    assert.ok(asked.every((jpeg) => jpeg === bare));
    await camera.stop();
  });

  it("holds a file until it is painted, as asking for the next one gives it up", async () => {
    const inner = new FileDriver(bare);
    const { driver, clock } = bench(inner, [
      error("VISION_UNAVAILABLE"),
      error("VISION_CRASHED"),
      error("VISION_UNAVAILABLE"),
      "painted",
    ]);
    const shot = driver.shot(never);
    await clock.run(60_000);
    assert.deepEqual(await shot, { kind: "image", jpeg: painted.jpeg, fileName: "1.jpg" });
    assert.equal(inner.given, 1);
    assert.equal(driver.shotTimeMs, Infinity);
  });

  it("gives up a file on which the vision process dies again and again, or which is no picture", async () => {
    for (const answer of [error("VISION_CRASHED"), error("IMAGE_UNREADABLE")]) {
      const inner = new FileDriver(bare);
      const { driver, clock } = bench(inner, [answer]);
      const shot = driver.shot(never).catch((failure: unknown) => failure);
      await clock.run(60_000);
      const failure = await shot;
      assert.ok(failure instanceof AgentError);
      assert.equal(failure.code, "CAMERA_BAD_IMAGE");
      assert.deepEqual(inner.refused, ["1.jpg"]);
    }
  });

  it("leaves a file that the mask does not fit to who put it there", async () => {
    const inner = new FileDriver(bare);
    const { driver } = bench(inner, [error("IMAGE_MASK_MISFIT")]);
    await assert.rejects(driver.shot(never), { code: "CAMERA_MASK_MISFIT" });
    assert.deepEqual(inner.refused, []);
  });
});

/** Hands over one file after the other, as a watched folder does. */
class FileDriver implements CameraDriver {
  readonly kind = "files";
  readonly pace = "every";
  readonly refused: string[] = [];
  given = 0;
  readonly #jpeg: Buffer;

  constructor(jpeg: Buffer) {
    this.#jpeg = jpeg;
  }

  async start(): Promise<void> {
    // Nothing to open.
  }

  async shot(): Promise<Shot> {
    this.given += 1;
    return { kind: "image", jpeg: this.#jpeg, fileName: `${this.given}.jpg` };
  }

  async refuse(fileName: string): Promise<void> {
    this.refused.push(fileName);
  }

  async stop(): Promise<void> {
    // Nothing to close.
  }
}
