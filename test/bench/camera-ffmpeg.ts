import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { ffmpegDriver } from "../../src/capture/ffmpeg/driver.ts";
import { inputOf } from "../../src/capture/ffmpeg/input.ts";
import { WebcamDriver } from "../../src/capture/webcam/driver.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { usualFfmpeg } from "../lib/ffmpeg-options.ts";
import { jpegFilm } from "../lib/films.ts";
import { tempFolder } from "../lib/temp.ts";
import { atLeast, atMost, median, rounded, type BenchTable } from "./table.ts";

const width = 1_280;
const height = 720;
const rounds = 5;
const shotsPerRound = 12;
const streamMs = 1_200;
const filmFrames = 100;
const clock = new SystemClock();
const never = new AbortController().signal;

interface Pass {
  readonly framesPerSecond: number;
  /** Of this process alone. */
  readonly cpuMsPerFrame: number;
}

/** Frames that reach the main process: one run of fswebcam for each, against one ffmpeg that runs all the time. */
export async function cameraFfmpeg(): Promise<BenchTable> {
  await using temp = await tempFolder();
  const film = jpegFilm(temp.path, { width, height, framesPerSecond: 25, seconds: filmFrames / 25 });
  const frameBytes = Math.round((await stat(film)).size / filmFrames);
  const ways = {
    webcam: async () => shotByShot(temp.path),
    generated: async () => streamed(`lavfi:testsrc2=size=${width}x${height}:rate=25`),
    copied: async () => streamed(film),
  };
  const passes: Record<keyof typeof ways, Pass[]> = { webcam: [], generated: [], copied: [] };
  for (let round = 0; round < rounds; round += 1) {
    passes.webcam.push(await ways.webcam());
    passes.generated.push(await ways.generated());
    passes.copied.push(await ways.copied());
  }
  const ratio = (way: keyof typeof ways) =>
    median(passes[way].map((pass, at) => pass.framesPerSecond / (passes.webcam[at]?.framesPerSecond ?? NaN)));
  const row = (name: string, way: keyof typeof ways) => [
    name,
    rounded(median(passes[way].map((pass) => pass.framesPerSecond)), 1),
    rounded(median(passes[way].map((pass) => pass.cpuMsPerFrame)), 3),
    rounded(ratio(way), 1),
  ];
  return {
    title: `Frames of ${width}x${height} into the main process (copied: ${Math.round(frameBytes / 1_000)} KB each)`,
    columns: ["way", "frames/s", "main process CPU ms/frame", "times as many"],
    rows: [
      row("node-webcam: fswebcam TEST:, one run a frame", "webcam"),
      row("ffmpeg, generated and encoded", "generated"),
      row("ffmpeg, a film of JPEGs copied", "copied"),
    ],
    verdicts: [
      atLeast("persistent ffmpeg with generated frames against node-webcam", rounded(ratio("generated"), 1), 6),
      atLeast("persistent ffmpeg that copies against node-webcam", rounded(ratio("copied"), 1), 100),
      atMost(
        "main-process CPU of a frame that is received and dropped",
        rounded(median(passes.copied.map((pass) => pass.cpuMsPerFrame)), 3),
        0.15,
        "ms",
      ),
    ],
  };
}

async function shotByShot(folder: string): Promise<Pass> {
  const options = {
    device: "TEST:",
    width,
    height,
    quality: 85,
    skip: 0,
    delaySeconds: 0,
    frames: 1,
    rotation: 0,
  } as const;
  const driver = new WebcamDriver(options, { clock, scratchPlaces: ["/dev/shm", folder] });
  await driver.start(never);
  const pass = await measured(async () => {
    for (let shot = 0; shot < shotsPerRound; shot += 1) await driver.shot(never);
    return shotsPerRound;
  });
  await driver.stop();
  return pass;
}

/** As fast as ffmpeg can, through splitter and stream, with nobody waiting for a frame. */
async function streamed(input: string): Promise<Pass> {
  const driver = ffmpegDriver({ ...usualFfmpeg, input: inputOf(input), paced: false, intervalMs: 0 }, clock);
  await driver.start(never);
  // The start of the program is no part of a stream.
  await driver.shot(AbortSignal.timeout(10_000));
  const seen = () => driver.stream?.framesSeen() ?? 0;
  const pass = await measured(async () => {
    const before = seen();
    await delay(streamMs);
    return seen() - before;
  });
  await driver.stop();
  return pass;
}

async function measured(work: () => Promise<number>): Promise<Pass> {
  const startedMs = performance.now();
  const before = process.cpuUsage();
  const frames = await work();
  const { user, system } = process.cpuUsage(before);
  return {
    framesPerSecond: (frames * 1_000) / (performance.now() - startedMs),
    cpuMsPerFrame: (user + system) / 1_000 / frames,
  };
}
