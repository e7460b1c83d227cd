import { readFile, realpath, stat } from "node:fs/promises";
import { uptime } from "node:os";
import { basename, dirname, join } from "node:path";
import { dayMs } from "../../src/core/units.ts";
import type { CheckResult } from "./result.ts";

const check = "disk wear";
const sectorBytes = 512;
/** Before that, what a start writes is most of it. */
const watchedMsMin = 30 * 60_000;
/** 7 TB a year: consumer cards of 32 GB stand some 10 to 20 TB in all. */
const cardBytesPerDayMax = 20 * 1024 ** 3;

export interface WearPlaces {
  readonly proc: string;
  readonly sys: string;
  /** Since the machine was started. */
  readonly upMs: number;
}

const machine = (): WearPlaces => ({ proc: "/proc", sys: "/sys", upMs: uptime() * 1_000 });

/**
 * What is written to the disk of a folder a day, by all programs and by the daemon. Undefined where the kernel does not
 * tell (a container, a network disk), and soon after the start.
 */
export async function wearCheck(
  folder: string,
  daemonPid: number | undefined,
  { proc, sys, upMs }: WearPlaces = machine(),
): Promise<CheckResult | undefined> {
  if (upMs < watchedMsMin) return undefined;
  const disk = await diskOf(folder, sys);
  if (disk === undefined) return undefined;
  const perDay = (disk.writtenBytes / upMs) * dayMs;
  const own = daemonPid === undefined ? undefined : await writtenPerDay(daemonPid, proc, upMs);
  const found = [
    `${gigabytes(perDay)} a day are written to ${disk.name}`,
    ...(own === undefined ? [] : [`${gigabytes(own)} of it by the daemon`]),
  ].join(", ");
  if (!disk.isCard || perDay <= cardBytesPerDayMax) return { check, result: "ok", found };
  const mend = "see who writes: sudo iotop -aoP; keep fewer frames (keep of each camera), or move dataDir to an SSD";
  return { check, result: "warning", found: `${found}, which wears out a card within a year or two`, mend };
}

interface Disk {
  readonly name: string;
  readonly isCard: boolean;
  readonly writtenBytes: number;
}

/** Of the whole disk that the folder's partition is a part of. */
async function diskOf(folder: string, sys: string): Promise<Disk | undefined> {
  try {
    const { dev } = await stat(folder);
    const path = await realpath(join(sys, "dev/block", `${major(dev)}:${minor(dev)}`));
    const isPart = await readFile(join(path, "partition"), "utf8").then(
      () => true,
      () => false,
    );
    const whole = isPart ? dirname(path) : path;
    const figures = (await readFile(join(whole, "stat"), "utf8")).trim().split(/\s+/).map(Number);
    const name = basename(whole);
    return { name, isCard: name.startsWith("mmcblk"), writtenBytes: (figures[6] ?? 0) * sectorBytes };
  } catch {
    return undefined;
  }
}

/** As the kernel packs them. */
function major(device: number): number {
  return Math.floor(device / 256) % 4096;
}

function minor(device: number): number {
  return (device % 256) + Math.floor(device / 2 ** 20) * 256;
}

/** What the process has sent to disks, over the time that it runs. */
async function writtenPerDay(pid: number, proc: string, upMs: number): Promise<number | undefined> {
  try {
    const written = Number(/^write_bytes: (\d+)$/m.exec(await readFile(join(proc, `${pid}/io`), "utf8"))?.[1]);
    const stats = await readFile(join(proc, `${pid}/stat`), "utf8");
    // Fields are counted from behind the name, which may hold anything; the 22nd is the start, in hundredths of a second.
    const startMs = Number(stats.slice(stats.lastIndexOf(")") + 2).split(" ")[19]) * 10;
    const ranMs = upMs - startMs;
    return Number.isNaN(written) || ranMs < watchedMsMin ? undefined : (written / ranMs) * dayMs;
  } catch {
    return undefined;
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GB`;
}
