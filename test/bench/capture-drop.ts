import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execDriver } from "../../src/capture/exec/driver.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { film } from "../lib/film.ts";
import { isInstalled } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";
import { atMost, median, rounded, type BenchTable } from "./table.ts";

const boundMs = 0.15;
const frameCount = 2_000;
const rounds = 5;

/** What a frame costs the main process that comes through a pipe and that nobody waits for. */
export async function captureDrop(): Promise<BenchTable> {
  await using temp = await tempFolder();
  const frames = await film(8);
  const file = join(temp.path, "film.mjpeg");
  await writeFile(file, Buffer.concat(Array.from({ length: frameCount / frames.length }, () => frames).flat()));
  const input = ["-f", "mjpeg", "-i", file];
  const ways: readonly (readonly [name: string, command: readonly string[]])[] = [
    ["cat", ["cat", file]],
    [
      "ffmpeg -c copy",
      ["ffmpeg", "-nostdin", "-loglevel", "error", ...input, "-c", "copy", "-f", "image2pipe", "pipe:1"],
    ],
  ];
  const installed = ways.filter(([, [program = ""]]) => isInstalled(program));
  const costs = new Map(installed.map(([name]) => [name, [] as Cost[]]));
  // The first round warms everything up and is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, command] of installed) {
      const cost = await dropped(command);
      if (round > 0) costs.get(name)?.push(cost);
    }
  }
  const rows = [...costs].map(([name, all]) => [
    name,
    Math.min(...all.map(({ frames: seen }) => seen)),
    rounded(median(all.map(({ cpuMs }) => cpuMs))),
    Math.round(median(all.map(({ framesPerSecond }) => framesPerSecond))),
  ]);
  const kilobytes = Math.round(frames.reduce((sum, { length }) => sum + length, 0) / frames.length / 1_000);
  return {
    title: `Frames of ${kilobytes} KB received through a pipe and dropped, nobody waiting`,
    columns: ["program", "frames", "main-process CPU ms/frame", "frames/s"],
    rows,
    verdicts: [...costs].map(([name, all]) => {
      // Of a frame that is not 50 KB, as much as 50 KB of it would cost.
      const per50 = (median(all.map(({ cpuMs }) => cpuMs)) * 50) / kilobytes;
      return atMost(`CPU per 50 KB frame from ${name}`, rounded(per50), boundMs, "ms");
    }),
    ...(installed.length === ways.length ? {} : { leftOut: ["ffmpeg is not installed"] }),
  };
}

interface Cost {
  readonly frames: number;
  readonly cpuMs: number;
  readonly framesPerSecond: number;
}

/** From the start of the program to its end. */
async function dropped(command: readonly string[]): Promise<Cost> {
  const driver = execDriver({ command }, new SystemClock());
  const before = process.cpuUsage();
  const startedMs = performance.now();
  await driver.start(new AbortController().signal);
  await new Promise<void>((resolve) => driver.stream?.onBroken(() => resolve()));
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - startedMs) / 1_000;
  const frames = driver.stream?.framesSeen() ?? 0;
  await driver.stop();
  if (frames < frameCount) throw new Error(`${frames} of ${frameCount} frames came`);
  return { frames, cpuMs: (user + system) / 1_000 / frames, framesPerSecond: frames / seconds };
}
