import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { tempFolder } from "../lib/temp.ts";
import { measuredByChild, startChild } from "./child.ts";
import { fillSpool } from "./spool-fill.ts";
import { atMost, type BenchTable, median, rounded, type Verdict } from "./table.ts";

interface Backlog {
  readonly records: number;
  readonly sizeBytes: number;
}

const boots = 7;
const bootMsMax = 150;
const growthMbMax = 20;

export async function spoolBoot(): Promise<BenchTable> {
  return await bootsOf([
    { records: 1_000, sizeBytes: 1_000 },
    { records: 100_000, sizeBytes: 1_000 },
  ]);
}

/** Several minutes and 4 GB of disk. */
export async function spoolBootMillion(): Promise<BenchTable> {
  return await bootsOf([
    { records: 1_000, sizeBytes: 200 },
    { records: 1_000_000, sizeBytes: 200 },
  ]);
}

/** After kill -9, until the first lease has answered and its image was read; and what the process weighs at work. */
async function bootsOf(backlogs: readonly Backlog[]): Promise<BenchTable> {
  const rows: (string | number)[][] = [];
  const verdicts: Verdict[] = [];
  let smallestMb: number | undefined;
  for (const { records, sizeBytes } of backlogs) {
    const { medianMs, worstMs, residentMb } = await booted(records, sizeBytes);
    smallestMb ??= residentMb;
    const growthMb = rounded(residentMb - smallestMb, 1);
    rows.push([records, sizeBytes, rounded(medianMs, 1), rounded(worstMs, 1), rounded(residentMb, 1)]);
    verdicts.push(atMost(`boot at ${records} records`, rounded(medianMs, 1), bootMsMax, "ms"));
    if (records > 1_000) verdicts.push(atMost(`memory at ${records} records above 1000`, growthMb, growthMbMax, "MB"));
  }
  return {
    title: "Spool: from the start after kill -9 to the first record leased and read, modules loaded",
    columns: ["records", "bytes an image", "median ms", `worst of ${boots}, ms`, "resident MB at work"],
    rows,
    verdicts,
  };
}

async function booted(
  records: number,
  sizeBytes: number,
): Promise<{ medianMs: number; worstMs: number; residentMb: number }> {
  await using folder = await tempFolder();
  const spoolFolder = join(folder.path, "spool");
  await fillSpool(spoolFolder, records, sizeBytes, ["a", "b"]);
  await workedUntilKilled(spoolFolder, sizeBytes);
  const bootMs: number[] = [];
  const residentMb: number[] = [];
  for (let boot = 0; boot < boots; boot += 1) {
    // Each ends with a kill -9 of its own while it is at work.
    const figures = await measuredByChild("spool-boot-child", [spoolFolder, sizeBytes, "measure"]);
    bootMs.push(figures["bootMs"] ?? NaN);
    residentMb.push(figures["residentMb"] ?? NaN);
  }
  await removeShards(join(spoolFolder, "data"));
  return { medianMs: median(bootMs), worstMs: Math.max(...bootMs), residentMb: median(residentMb) };
}

/** Builds the index, then appends and settles for a moment, so that the WAL holds what the next start must not lose. */
async function workedUntilKilled(spoolFolder: string, sizeBytes: number): Promise<void> {
  const child = startChild("spool-boot-child", [spoolFolder, sizeBytes, "work"]);
  if (child.stdout === null) throw new Error("no pipe to the child");
  await once(child.stdout, "data");
  await delay(500);
  child.kill("SIGKILL");
  await once(child, "close");
}

/** One after the other: removing a million files at once takes gigabytes of memory. */
async function removeShards(data: string): Promise<void> {
  for (const shard of await readdir(data)) await rm(join(data, shard), { recursive: true });
}
