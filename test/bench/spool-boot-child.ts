import { writeSync } from "node:fs";
import { SystemClock } from "../../src/core/clock.ts";
import type { Spool } from "../../src/core/ports.ts";
import { diskSpoolOf } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";

/**
 * Arguments: folder, bytes of an image, `work` or `measure`. Works until it is killed; with `measure` it kills itself after
 * some work, once it has said how long its start took.
 */
const [folder = "", sizeBytes, mode] = process.argv.slice(2);
const jpeg = imageOf(Number(sizeBytes));
const workedRecords = 300;

async function main(): Promise<void> {
  const startMs = performance.now();
  const { spool } = diskSpoolOf(folder, { clock: new SystemClock() });
  await spool.start(new AbortController().signal);
  await leaseOne(spool);
  const bootMs = performance.now() - startMs;
  if (mode === "work") writeSync(1, "at work\n");
  for (let worked = 0; mode === "work" || worked < workedRecords; worked += 1) await work(spool);
  globalThis.gc?.();
  writeSync(1, `${JSON.stringify({ bootMs, residentMb: process.memoryUsage.rss() / 1e6 })}\n`);
  process.kill(process.pid, "SIGKILL");
}

async function leaseOne(spool: Spool): Promise<void> {
  const [delivery] = await spool.lease("a", { recordsMax: 1, bytesMax: Infinity });
  if (delivery === undefined) throw new Error("nothing to lease");
  await delivery.image();
  await spool.settle("a", delivery.record.id, { kind: "release" });
}

/** One record in, one out, so that the backlog stays as it is. */
async function work(spool: Spool): Promise<void> {
  await spool.append(draftOf(), jpeg, ["a", "b"]);
  for (const targetId of ["a", "b"]) {
    for (const delivery of await spool.lease(targetId, { recordsMax: 1, bytesMax: Infinity })) {
      await delivery.image();
      await spool.settle(targetId, delivery.record.id, { kind: "accepted" });
    }
  }
}

await main();
