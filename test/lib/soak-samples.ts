import { readdir, readFile } from "node:fs/promises";
import { memoryOf } from "./process-memory.ts";
import { repositoryFolder } from "./shared.ts";

const folder = `${repositoryFolder}/dist/`;

/** What the kernel says of the daemon and its children. */
export interface ProcessLook {
  readonly atMs: number;
  readonly pid: number;
  /** Anonymous pages: those of files come as code is used, and leak nothing. */
  readonly mainMb: number;
  readonly visionPid: number | undefined;
  readonly visionMb: number | undefined;
  readonly descriptors: number;
  readonly children: number;
  readonly zombies: readonly number[];
}

/** Undefined when the process has just ended. */
export async function lookAt(pid: number): Promise<ProcessLook | undefined> {
  try {
    const children = await childrenOf(pid);
    const vision = children.find(({ commandLine }) => commandLine.includes("/vision/process/"));
    const [main, visionMemory, descriptors] = await Promise.all([
      memoryOf(pid),
      vision === undefined ? undefined : memoryOf(vision.pid).catch(() => undefined),
      readdir(`/proc/${pid}/fd`),
    ]);
    return {
      ...{ atMs: performance.now(), pid, mainMb: main.ownMb, descriptors: descriptors.length },
      visionPid: vision?.pid,
      visionMb: visionMemory?.ownMb,
      children: children.filter(({ state }) => state !== "Z").length,
      zombies: children.filter(({ state }) => state === "Z").map((child) => child.pid),
    };
  } catch {
    return undefined;
  }
}

interface Child {
  readonly pid: number;
  readonly state: string;
  readonly commandLine: string;
}

/** A child is listed under the thread that started it. */
async function childrenOf(pid: number): Promise<readonly Child[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, "latin1").catch(() => ""));
  const pids = (await Promise.all(lists)).flatMap((text) => text.split(" ").filter((word) => word.trim() !== ""));
  return Promise.all(
    pids.map(async (child) => {
      const stat = await readFile(`/proc/${child}/stat`, "latin1").catch(() => "");
      const commandLine = await readFile(`/proc/${child}/cmdline`, "latin1").catch(() => "");
      return { pid: Number(child), state: /\) (\S) /.exec(stat)?.[1] ?? "gone", commandLine };
    }),
  );
}

/**
 * Processes of this program that an earlier life has left behind: anywhere on the machine, and no child of `pid`. One that
 * was stopped when its parent was killed cannot notice: it goes on, and has to be gone by the next look.
 */
export async function straysOf(pid: number | undefined): Promise<readonly string[]> {
  const parts = ["/soak-camera-child", "/vision/process/", "/soak-agent"].map(
    (part) => new RegExp(`${folder}\\S*${part}`),
  );
  const strays: string[] = [];
  for (const other of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    if (other === String(pid)) continue;
    const commandLine = await readFile(`/proc/${other}/cmdline`, "latin1").catch(() => "");
    const stat = await readFile(`/proc/${other}/stat`, "latin1").catch(() => "");
    const [, state, parent] = /\) (\S) (\d+)/.exec(stat) ?? [];
    if (state === "Z" || parent === String(pid) || !parts.some((part) => part.test(commandLine))) continue;
    if (state === "T") {
      process.kill(Number(other), "SIGCONT");
      continue;
    }
    strays.push(`${other} ${commandLine.replaceAll("\0", " ")}`);
  }
  return strays;
}

export interface Point {
  /** Of one process. */
  readonly life: number;
  readonly atMs: number;
  readonly mb: number;
}

export interface Slope {
  readonly mbPerHour: number;
  readonly standardError: number;
  readonly meanMb: number;
  readonly hours: number;
  readonly lives: number;
  /** How much of the time was looked at: without what is warming up, and without lives that are too short. */
  readonly share: number;
}

const warmUpMs = 60_000;
const shortWarmUpMs = 20_000;
/** A life's own level takes one point away. */
const binsMin = 3;
const binMs = 10_000;

/**
 * One slope over all lives, each with a level of its own, without each one's first minute. Neighbouring looks are not
 * independent, so medians of 10 s are fitted.
 */
export function slopeOf(points: readonly Point[], fromMs: number, toMs: number): Slope {
  const warmMs = toMs - fromMs > 10 * warmUpMs ? warmUpMs : shortWarmUpMs;
  const lives = new Map<number, Point[]>();
  for (const point of points) lives.set(point.life, [...(lives.get(point.life) ?? []), point]);
  let [sumXX, sumXY, sumYY, count, total, used] = [0, 0, 0, 0, 0, 0];
  for (const life of lives.values()) {
    const bornMs = life[0]?.atMs ?? 0;
    const bins = binned(life.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs && atMs - bornMs >= warmMs));
    if (bins.length < binsMin) continue;
    const meanX = mean(bins.map(({ atMs }) => atMs / 3_600_000));
    const meanY = mean(bins.map(({ mb }) => mb));
    for (const { atMs, mb } of bins) {
      const [x, y] = [atMs / 3_600_000 - meanX, mb - meanY];
      [sumXX, sumXY, sumYY] = [sumXX + x * x, sumXY + x * y, sumYY + y * y];
      total += mb;
    }
    count += bins.length;
    used += 1;
  }
  const slope = sumXX === 0 ? 0 : sumXY / sumXX;
  const freedom = count - used - 1;
  const residual = Math.max(0, sumYY - slope * sumXY);
  const standardError = freedom > 0 && sumXX > 0 ? Math.sqrt(residual / freedom / sumXX) : Infinity;
  const hours = (toMs - fromMs) / 3_600_000;
  const meanMb = count === 0 ? 0 : total / count;
  const share = (count * binMs) / Math.max(1, toMs - fromMs);
  return { mbPerHour: slope, standardError, meanMb, hours, lives: used, share };
}

function binned(points: readonly Point[]): readonly Pick<Point, "atMs" | "mb">[] {
  const bins = new Map<number, number[]>();
  for (const { atMs, mb } of points) {
    const bin = Math.floor(atMs / binMs);
    bins.set(bin, [...(bins.get(bin) ?? []), mb]);
  }
  return [...bins].map(([bin, values]) => ({
    atMs: bin * binMs,
    mb: values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0,
  }));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
