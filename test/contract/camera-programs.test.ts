import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execDriver } from "../../src/capture/exec/driver.ts";
import { rpicamDriver } from "../../src/capture/rpicam/driver.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { CameraDriver } from "../../src/core/ports.ts";
import { acts, CameraStandIns } from "../lib/camera-stand-ins.ts";
import { shades } from "../lib/pictures.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";
import { cameraDriverContract, type DriverUnderTest } from "./camera-driver.ts";

const clock = new SystemClock();

/** With stand-ins before all other programs, which may be killed where they run all the time. */
async function standingIn(
  makeDriver: (standIns: CameraStandIns) => Promise<CameraDriver>,
  changes = true,
): Promise<DriverUnderTest> {
  const standIns = await CameraStandIns.make(await shades());
  standIns.precede();
  const scratch = join(standIns.path, "scratch");
  await mkdir(scratch);
  return {
    driver: await makeDriver(standIns),
    scratch,
    changes,
    finite: false,
    async breakSource() {
      for (const pid of await standIns.living()) process.kill(pid, "SIGKILL");
    },
    dispose: async () => standIns[Symbol.asyncDispose](),
  };
}

/** Another picture in every run. */
const nextPicture = [
  "count=$(($(cat $dir/count 2>/dev/null || echo 0) + 1))",
  "echo $count >$dir/count",
  "cat $dir/picture-0$((count % 5)).jpg",
];

cameraDriverContract("exec, a stand-in that runs all the time", async () =>
  standingIn(async (standIns) => execDriver({ command: [await standIns.program("my-camera", acts.replay())] }, clock)),
);

cameraDriverContract("exec, one run for each frame", async () =>
  standingIn(async (standIns) =>
    execDriver({ command: [await standIns.program("my-camera", nextPicture)], mode: "shot" }, clock),
  ),
);

const rpicam = {
  camera: 0,
  width: 640,
  height: 480,
  quality: 85,
  sourceFramesPerSecond: 25,
  rotation: 180,
  hflip: false,
  vflip: true,
  arguments: ["--awb=daylight"],
} as const;

cameraDriverContract("rpicam, video from a stand-in for rpicam-vid", async () =>
  standingIn(async (standIns) => {
    await standIns.program("rpicam-vid", acts.replay());
    return rpicamDriver({ ...rpicam, mode: "video" }, clock);
  }),
);

cameraDriverContract("rpicam, stills from a stand-in for rpicam-still", async () =>
  standingIn(async (standIns) => {
    await standIns.program("rpicam-still", nextPicture);
    return rpicamDriver({ ...rpicam, mode: "still" }, clock);
  }),
);

function lavfi(...output: readonly string[]): readonly string[] {
  const source = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=20"];
  return [
    "ffmpeg",
    "-nostdin",
    "-loglevel",
    "error",
    ...source,
    ...output,
    "-f",
    "image2pipe",
    "-c:v",
    "mjpeg",
    "pipe:1",
  ];
}

for (const mode of ["stream", "shot"] as const) {
  cameraDriverContract(`exec, a real ffmpeg, ${mode}`, async (context) => {
    needsProgram(context, "ffmpeg", "ffmpeg");
    const temp = await tempFolder();
    const command = lavfi(...(mode === "shot" ? ["-frames:v", "1"] : []));
    const driver = execDriver({ command, mode }, clock);
    const dispose = async () => temp[Symbol.asyncDispose]();
    return { driver, scratch: temp.path, dispose, changes: mode === "stream", finite: false };
  });
}
