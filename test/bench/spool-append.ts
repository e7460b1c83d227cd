import { randomBytes } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { SystemClock } from "../../src/core/clock.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { tempFolder } from "../lib/temp.ts";
import type { BenchTable } from "./table.ts";

const rounds = 7;
const perRound = 60;
const sizes = [100_000, 200_000] as const;
const timesBareMax = 1.8;

/** How long one record takes to become durable, against a bare write + fsync of the same bytes in the same run. */
export async function spoolAppend(): Promise<BenchTable> {
  const rows: (string | number)[][] = [];
  const verdicts: BenchTable["verdicts"][number][] = [];
  for (const sizeBytes of sizes) {
    const { bareMs, appendMs, fourMs, encryptedMs } = await measured(sizeBytes);
    const ratio = rounded(appendMs / bareMs);
    const times = [bareMs, appendMs].map(rounded);
    rows.push([`${sizeBytes / 1_000} KB`, ...times, ratio, rounded(fourMs), rounded(encryptedMs)]);
    const name = `append / bare write + fsync at ${sizeBytes / 1_000} KB`;
    verdicts.push({ name, value: ratio, bound: `≤ ${timesBareMax}`, holds: ratio <= timesBareMax });
  }
  return {
    title: "Spool: append one record, owed to two targets",
    columns: [
      "image",
      "bare write + fsync, ms",
      "append, ms",
      "ratio",
      "append, 4 at a time, ms each",
      "append encrypted, ms",
    ],
    rows,
    verdicts,
  };
}

interface Times {
  readonly bareMs: number;
  readonly appendMs: number;
  readonly fourMs: number;
  readonly encryptedMs: number;
}

async function measured(sizeBytes: number): Promise<Times> {
  await using folder = await tempFolder();
  await using opened = await openSpool(join(folder.path, "spool"), { clock: new SystemClock() });
  const encryptionKey = randomBytes(32).toString("hex");
  await using keyed = await openSpool(join(folder.path, "keyed"), { clock: new SystemClock(), encryptionKey });
  const bare = join(folder.path, "bare");
  await mkdir(bare);
  const jpeg = imageOf(sizeBytes);
  // What append adds to the image: metadata and trailer.
  const bareBytes = Buffer.concat([jpeg, Buffer.alloc(900)]);
  const owedTo = ["a", "b"];
  const append = async ({ spool } = opened): Promise<unknown> => await spool.append(draftOf(), jpeg, owedTo);
  const figures = { bare: [] as number[], append: [] as number[], four: [] as number[], encrypted: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    for (let at = 0; at < perRound; at += 1) {
      figures.bare.push(await timed(async () => await writeBare(join(bare, `${round}-${at}.jpg`), bareBytes)));
      figures.append.push(await timed(append));
      figures.encrypted.push(await timed(async () => await append(keyed)));
    }
    for (let at = 0; at < perRound / 4; at += 1) {
      figures.four.push((await timed(async () => await Promise.all([append(), append(), append(), append()]))) / 4);
    }
  }
  const { bare: bareTimes, append: appendTimes, four, encrypted } = figures;
  return {
    ...{ bareMs: median(bareTimes), appendMs: median(appendTimes) },
    ...{ fourMs: median(four), encryptedMs: median(encrypted) },
  };
}

async function writeBare(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, "w");
  await file.write(bytes);
  await file.sync();
  await file.close();
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
