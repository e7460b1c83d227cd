import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { SystemClock } from "../../src/core/clock.ts";
import { messageOf } from "../../src/core/errors.ts";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { Spool } from "../../src/core/ports.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { tempFolder } from "../lib/temp.ts";
import { LoopDisk } from "./loop-disk.ts";
import { atMost, type BenchTable, rounded } from "./table.ts";

const sizeBytes = 100_000;
const targets = ["a", "b"];
/** The WAL is reused after its first thousand pages, some 150 records. */
const warmUpRecords = 400;
/** A shard is made once in so many: its share counts. */
const records = spoolLimits.recordsPerShard;
const bareFiles = spoolLimits.recordsPerShard;
const settledRecords = 1_024;

const title = `Spool: what reaches an ext4 device, images of ${sizeBytes / 1_000} KB`;
const columns = ["what", "number", "flushes each", "device bytes each", "device bytes / image bytes"];

/** Counted by the loop device itself, so the machine's other work does not disturb: these figures hold for any disk. */
export async function spoolDevice(): Promise<BenchTable> {
  await using folder = await tempFolder();
  let disk: LoopDisk;
  try {
    disk = await LoopDisk.mount(folder.path, 2_048);
  } catch (error) {
    return { title, columns, rows: [], verdicts: [], leftOut: [`all of it, for it needs root: ${messageOf(error)}`] };
  }
  await using mounted = disk;
  return await measured(mounted);
}

async function measured(disk: LoopDisk): Promise<BenchTable> {
  const jpeg = imageOf(sizeBytes);
  const bare = await costOf(disk, bareFiles, async () => await writeBare(join(disk.path, "bare"), jpeg));
  await using opened = await openSpool(join(disk.path, "spool"), { clock: new SystemClock() });
  const { spool } = opened;
  const append = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at += 1) await spool.append(draftOf(), jpeg, targets);
  };
  await append(warmUpRecords);
  const appended = await costOf(disk, records, async () => await append(records));
  const deliveries = settledRecords * targets.length;
  const settled = await costOf(disk, deliveries, async () => await settleAll(spool, settledRecords));
  const row = (what: string, count: number, { flushes, bytes }: Cost): (string | number)[] => [
    ...[what, count, rounded(flushes), rounded(bytes, 0)],
    rounded(bytes / sizeBytes),
  ];
  return {
    title,
    columns,
    rows: [
      row("bare write + fsync", bareFiles, bare),
      row("append, owed to two targets", records, appended),
      row("accepted delivery, envelope removed", deliveries, settled),
    ],
    verdicts: [
      atMost("flushes an append", rounded(appended.flushes), 2.1),
      atMost("device bytes / image bytes of an append", rounded(appended.bytes / sizeBytes), 1.5),
    ],
  };
}

interface Cost {
  readonly flushes: number;
  readonly bytes: number;
}

/** Of one of the `count` things that `action` does. */
async function costOf(disk: LoopDisk, count: number, action: () => Promise<void>): Promise<Cost> {
  const before = await disk.counts();
  await action();
  const after = await disk.counts();
  return { flushes: (after.flushes - before.flushes) / count, bytes: (after.bytes - before.bytes) / count };
}

async function writeBare(folder: string, bytes: Buffer): Promise<void> {
  await mkdir(folder);
  for (let at = 0; at < bareFiles; at += 1) {
    const file = await open(join(folder, `${at}.jpg`), "w");
    await file.write(bytes);
    await file.sync();
    await file.close();
  }
}

async function settleAll(spool: Spool, count: number): Promise<void> {
  for (let settled = 0; settled < count;) {
    let leased = 0;
    for (const targetId of targets) {
      for (const { record } of await spool.lease(targetId, { recordsMax: 64, bytesMax: Infinity })) {
        await spool.settle(targetId, record.id, { kind: "accepted" });
        leased += 1;
      }
    }
    settled += leased / targets.length;
  }
}
