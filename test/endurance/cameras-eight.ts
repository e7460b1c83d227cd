import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type BenchTable, median, rounded, type Verdict } from "../bench/table.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { isInstalled } from "../lib/programs.ts";
import { writeNoisePictures } from "../lib/noise-pictures.ts";
import { tempFolder } from "../lib/temp.ts";
import { leftOut } from "./suite.ts";

const minutes = Number(process.env["FRAMEPOST_EIGHT_MINUTES"] ?? 10);
const framesPerSecond = 2;
const sampleEveryMs = 2_000;
const shareMin = 0.95;
/** Heaps breathe; what grows by as much in ten minutes would be hundreds of megabytes in a day. */
const growthMaxMb = 12;

interface Rss {
  readonly main: number;
  readonly vision: number;
}

/** `npm run test:endurance -- cameras-eight`: eight cameras of three kinds in one daemon, at two frames a second each. */
export async function camerasEight(): Promise<BenchTable> {
  const title = `Eight cameras at ${framesPerSecond} frames a second for ${minutes} minutes in one process`;
  if (!isInstalled("ffmpeg")) return leftOut(title, "it needs ffmpeg (Debian package ffmpeg)");
  await using folder = await tempFolder();
  const pictures = join(folder.path, "pictures");
  await writeNoisePictures(pictures, 16, { width: 640, height: 360 });
  const config = await writeConfig(folder.path, { device: { name: "eight" }, ...configOf(pictures) });
  await using agent = new AgentProcess(["run", "-c", config, "--data", join(folder.path, "data")]);
  const ids = configOf(pictures).cameras.map(({ id }) => id);
  await agent.until("eight cameras run", () => agent.logged("camera.running").length >= ids.length, 60_000);
  const samples = await sampled(agent.pid);
  await agent.stop();
  return {
    title,
    columns: ["camera", "frames expected", "frames that reached the pipeline", "skipped", "restarts"],
    rows: ids.map((id) => {
      const { expected, taken, skipped, restarts } = booksOf(agent, id);
      return [id, expected, taken, skipped, restarts];
    }),
    verdicts: verdictsOf(agent, ids, samples),
  };
}

function configOf(pictures: string) {
  const paced = { framesPerSecond, keep: { labels: ["nothing"] } };
  const ffmpeg = (source: string, rate: number) => [
    ...["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-re"],
    ...["-f", "lavfi", "-i", `${source}=size=640x360:rate=${rate}`],
    ...["-f", "image2pipe", "-c:v", "mjpeg", "-q:v", "5", "pipe:1"],
  ];
  const cameras = [
    ...[1, 2].map((seed) => ({ id: `scene-${seed}`, driver: "simulated", seed, width: 640, height: 360, ...paced })),
    { id: "stream-2", driver: "exec", command: ffmpeg("testsrc2", 2), ...paced },
    { id: "stream-10", driver: "exec", command: ffmpeg("testsrc2", 10), ...paced },
    { id: "stream-25", driver: "exec", command: ffmpeg("testsrc", 25), ...paced },
    ...[1, 2, 3].map((at) => ({ id: `loop-${at}`, driver: "folder", mode: "loop", path: pictures, ...paced })),
  ];
  return { cameras, detector: { model: "tiny-end-to-end" }, targets: [] };
}

function booksOf(agent: AgentProcess, id: string) {
  const of = (event: string) => agent.logged(event).find((line) => line["camera"] === id);
  const [running, stopped] = [of("camera.running"), of("camera.stopped")];
  const seconds = (Date.parse(String(stopped?.["time"])) - Date.parse(String(running?.["time"]))) / 1_000;
  const [frames, skipped, restarts] = ["frames", "skipped", "restarts"].map((name) => Number(stopped?.[name]));
  if (frames === undefined || skipped === undefined || restarts === undefined) throw new Error(`no books of ${id}`);
  return { expected: Math.floor(seconds * framesPerSecond), taken: frames - skipped, skipped, restarts };
}

function verdictsOf(agent: AgentProcess, ids: readonly string[], samples: readonly Rss[]): readonly Verdict[] {
  const shares = ids.map((id) => {
    const { expected, taken } = booksOf(agent, id);
    return taken / expected;
  });
  const least = rounded(Math.min(...shares));
  const growths = (["main", "vision"] as const).map((name) => {
    // What is loaded, compiled and cached is there after a quarter of the time.
    const quarter = Math.floor(samples.length / 4);
    const megabytes = samples.map((sample) => sample[name]);
    const growth = rounded(median(megabytes.slice(-quarter)) - median(megabytes.slice(quarter, 2 * quarter)), 1);
    const what = `growth of the ${name} process, second to last quarter, MB (at ${rounded(median(megabytes), 0)} MB)`;
    return { name: what, value: growth, bound: `≤ ${growthMaxMb}`, holds: growth <= growthMaxMb };
  });
  return [
    {
      name: "smallest share of its frames, any camera",
      value: least,
      bound: `≥ ${shareMin}`,
      holds: least >= shareMin,
    },
    ...growths,
  ];
}

/** Resident megabytes of the daemon's two processes, for the whole time. */
async function sampled(pid: number): Promise<readonly Rss[]> {
  const vision = await visionOf(pid);
  const samples: Rss[] = [];
  const endMs = performance.now() + minutes * 60_000;
  while (performance.now() < endMs) {
    samples.push({ main: await rssMb(pid), vision: await rssMb(vision) });
    await delay(sampleEveryMs);
  }
  return samples;
}

async function visionOf(pid: number): Promise<number> {
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const status = await readFile(`/proc/${entry}/status`, "utf8").catch(() => "");
    const command = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    if (Number(/PPid:\s+(\d+)/.exec(status)?.[1]) === pid && command.includes("vision")) return Number(entry);
  }
  throw new Error("the daemon has no vision process");
}

async function rssMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024;
}
