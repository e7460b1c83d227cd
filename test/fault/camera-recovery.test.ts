import assert from "node:assert/strict";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { ffmpegDriver } from "../../src/capture/ffmpeg/driver.ts";
import { rpicamDriver } from "../../src/capture/rpicam/driver.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { WebcamDriver } from "../../src/capture/webcam/driver.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { CameraDriver } from "../../src/core/ports.ts";
import { acts, CameraStandIns } from "../lib/camera-stand-ins.ts";
import { jpegOf } from "../lib/pictures.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { fillUp, mountSmallDisk, needsSmallDisk, unmount } from "../lib/small-disk.ts";
import { tempFolder } from "../lib/temp.ts";

const clock = new SystemClock();
const never = new AbortController().signal;
/** In the proportions of the real ones. */
const limits = {
  startTimeoutMs: 900,
  watchdogMinMs: 600,
  backoffFirstMs: 20,
  backoffMaxMs: 60,
  stopGraceMs: 150,
  outputGraceMs: 50,
  programTimeoutMs: 700,
  programFrameMs: 0,
};
/** The longest wait between two tries, and what one try may take on a busy machine. */
const backWithinMs = 10_000;

const size = { width: 320, height: 240, quality: 80 } as const;
const pi = { ...size, camera: 0, sourceFramesPerSecond: 25, rotation: 0, hflip: false, vflip: false } as const;
const usb = { transport: "tcp", encoding: "copy", loop: false, paced: true, insecureSkipVerify: false } as const;
const shots = { skip: 0, delaySeconds: 0, frames: 1, rotation: 0 } as const;

const programs = ["fswebcam", "rpicam-vid", "rpicam-still", "my-ffmpeg"] as const;
type Program = (typeof programs)[number];

/** Lines of shell for each program; those of ffmpeg come after the first of a part, those of fswebcam know `$out`. */
const works: Readonly<Record<Program, readonly string[]>> = {
  fswebcam: ["cp $dir/picture-00.jpg $out"],
  "rpicam-vid": acts.replay(20),
  "rpicam-still": acts.one,
  "my-ffmpeg": ["while cat $dir/part; do sleep 0.02; done"],
};

interface Fault {
  /** Undefined: the program is not there. */
  readonly lines: (program: Program) => readonly string[] | undefined;
  readonly codes: Readonly<Record<Program, string>>;
}

const everyOne = (code: string) => ({ fswebcam: code, "rpicam-vid": code, "rpicam-still": code, "my-ffmpeg": code });
/** What one run for each picture is told by, and what one that runs all the time. */
const eachKind = (shot: string, stream: string) => ({
  ...{ fswebcam: shot, "rpicam-still": shot },
  ...{ "rpicam-vid": stream, "my-ffmpeg": stream },
});
const isFile = (program: Program) => program === "fswebcam";

const faults: Readonly<Record<string, Fault>> = {
  "is missing": { lines: () => undefined, codes: everyOne("CAMERA_PROGRAM_MISSING") },
  "ends with status 0 and gives nothing": {
    lines: () => ["exit 0"],
    codes: eachKind("CAMERA_NO_PICTURE", "CAMERA_LOST"),
  },
  "is killed": { lines: () => ["kill -KILL $$"], codes: eachKind("CAMERA_NO_PICTURE", "CAMERA_LOST") },
  "gives an empty picture, or nothing at all for long": {
    lines: (program) => (isFile(program) ? [": >$out"] : acts.hang),
    codes: {
      ...everyOne("CAMERA_START_TIMEOUT"),
      fswebcam: "CAMERA_BAD_IMAGES",
      "rpicam-still": "CAMERA_TIMEOUT",
    },
  },
  "gives half a picture": {
    lines: (program) => (isFile(program) ? ["head -c 200 $dir/picture-00.jpg >$out"] : acts.half),
    codes: eachKind("CAMERA_BAD_IMAGES", "CAMERA_LOST"),
  },
  "leaves an old file, or ends after its header": {
    lines: (program) => (isFile(program) ? ["cp $dir/picture-00.jpg $out", "touch -d 2020-02-02 $out"] : ["printf x"]),
    codes: { ...eachKind("CAMERA_NO_PICTURE", "CAMERA_LOST"), "rpicam-still": "CAMERA_BAD_IMAGES" },
  },
  "prints rubbish": {
    lines: (program) => (isFile(program) ? ["head -c 9000 /dev/urandom >$out"] : acts.rubbish),
    codes: { ...eachKind("CAMERA_BAD_IMAGES", "CAMERA_START_TIMEOUT"), "rpicam-still": "CAMERA_TIMEOUT" },
  },
  "hangs and heeds no request to end": {
    lines: () => [...acts.deaf, "while :; do sleep 0.05; done"],
    codes: eachKind("CAMERA_TIMEOUT", "CAMERA_START_TIMEOUT"),
  },
};

describe("cameras whose program fails", () => {
  let standIns: CameraStandIns;
  const cameras = new Map<Program, SupervisedCamera>();

  /** The same four through all their troubles, as on a gateway. */
  before(async () => {
    standIns = await CameraStandIns.make(await Promise.all([20, 90, 160].map((shade) => jpegOf(shade, 320, 240))));
    standIns.precede();
    process.env["PATH"] = `${standIns.programs}:/bin:/usr/bin`;
    const jpeg = await jpegOf(50, 320, 240);
    const head = `--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: ${jpeg.length}\r\n\r\n`;
    await writeFile(join(standIns.path, "part"), Buffer.concat([Buffer.from(head), jpeg, Buffer.from("\r\n")]));
    for (const program of programs) {
      await install(program, works[program]);
      cameras.set(program, await supervised(await driverOf(program)));
    }
  });

  after("nothing is left behind", async () => {
    await Promise.all([...cameras.values()].map((camera) => camera.stop()));
    await standIns.allGone();
    await standIns[Symbol.asyncDispose]();
  });

  const install = async (program: Program, lines: readonly string[]) =>
    standIns.program(program, [...(isFile(program) ? ['for out in "$@"; do :; done'] : []), ...lines]);

  async function driverOf(program: Program): Promise<CameraDriver> {
    const path = join(standIns.programs, program);
    switch (program) {
      case "fswebcam": {
        const scratch = join(standIns.path, "scratch");
        await mkdir(scratch);
        const options = { ...size, ...shots, device: "TEST:", program: path };
        return new WebcamDriver(options, { clock, limits, scratchPlaces: [scratch] });
      }
      case "rpicam-vid":
        return rpicamDriver({ ...pi, mode: "video", arguments: [] }, clock, limits);
      case "rpicam-still":
        return rpicamDriver({ ...pi, mode: "still", arguments: [] }, clock, limits);
      case "my-ffmpeg": {
        const device = join(standIns.path, "usb-camera");
        await symlink("/dev/null", device);
        return ffmpegDriver(
          { ...usb, quality: 80, program: path, intervalMs: 20, input: { kind: "v4l2", device } },
          clock,
          limits,
        );
      }
    }
  }

  for (const [fault, { lines, codes }] of Object.entries(faults)) {
    it(`give frames again after it ${fault}`, async () => {
      const each = async (work: (program: Program, camera: SupervisedCamera) => Promise<void>) =>
        Promise.all([...cameras].map(async ([program, camera]) => work(program, camera)));
      await each(async (_, camera) => flows(camera));
      await each(async (program) => {
        const faulty = lines(program);
        if (faulty === undefined) await rm(join(standIns.programs, program));
        else await install(program, faulty);
      });
      // What runs all the time shows it in its next run.
      await standIns.kill();
      await each(async (program, camera) => lostBy(camera, codes[program]));
      await each(async (program, camera) => {
        await install(program, works[program]);
        await flows(camera);
      });
    }).timeout(40_000);
  }
});

describe("a webcam whose place for pictures is full", () => {
  let temp: Awaited<ReturnType<typeof tempFolder>> | undefined;
  let place = "";

  before(async function () {
    await needsSmallDisk(this);
    temp = await tempFolder();
    place = temp.path;
    mountSmallDisk(place, 1);
  });

  after(async () => {
    if (temp === undefined) return;
    unmount(place);
    await temp[Symbol.asyncDispose]();
  });

  it("gives frames again once there is room", async () => {
    await using standIns = await CameraStandIns.make([await jpegOf(20, 320, 240)]);
    const program = await standIns.program("fswebcam", ['for out in "$@"; do :; done', ...works.fswebcam, "exit 0"]);
    const options = { ...size, ...shots, device: "TEST:", program };
    const camera = await supervised(new WebcamDriver(options, { clock, limits, scratchPlaces: [place] }));
    try {
      await flows(camera);
      const another = await fillUp(join(place, "another-program"));
      await lostBy(camera, /^CAMERA_(BAD_IMAGES|NO_PICTURE|NO_SCRATCH)$/);
      await another[Symbol.asyncDispose]();
      await flows(camera);
    } finally {
      await camera.stop();
    }
  }).timeout(40_000);
});

async function supervised(driver: CameraDriver): Promise<SupervisedCamera> {
  const seams = { clock, random: seededRandom(1), log: new RecordingLogger() };
  const camera = new SupervisedCamera({ id: driver.kind, driver, intervalMs: 20, limits }, seams);
  await camera.start(never);
  return camera;
}

/** New ones, and not for a moment only: after at most one more restart, whose program began before it was mended. */
async function flows(camera: SupervisedCamera): Promise<void> {
  const { restarts } = camera.health();
  for (let taken = 0; taken < 4; taken += 1) {
    assert.ok((await camera.nextFrame(AbortSignal.timeout(backWithinMs))) !== undefined);
  }
  const now = camera.health();
  assert.equal(now.state, "running");
  assert.ok(now.restarts <= restarts + 2, `${camera.id}: ${now.restarts - restarts} restarts`);
}

async function lostBy(camera: SupervisedCamera, code: string | RegExp): Promise<void> {
  const isIt = () => {
    const { state, lastError } = camera.health();
    return state !== "running" && new RegExp(code).test(lastError?.code ?? "");
  };
  await until(isIt, "the loss", backWithinMs).catch((error: unknown) => {
    const instead = JSON.stringify(camera.health().lastError);
    throw new Error(`${camera.id} was lost by ${instead} instead of ${String(code)}`, { cause: error });
  });
}
