import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { SystemClock } from "../../src/core/clock.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { tempFolder } from "../lib/temp.ts";

/** Argument: records. Appends four at a time, as capture may, while two targets take, read and settle them. */
const records = Number(process.argv[2]);
const targets = ["a", "b"];

async function main(): Promise<void> {
  await using folder = await tempFolder();
  await using opened = await openSpool(join(folder.path, "spool"), { clock: new SystemClock() });
  const { spool } = opened;
  const jpeg = imageOf(100_000);
  let appended = 0;

  const produce = async (): Promise<void> => {
    while (appended < records) {
      appended += 1;
      await spool.append(draftOf(), jpeg, targets);
    }
  };
  const consume = async (targetId: string): Promise<void> => {
    for (let settled = 0; settled < records;) {
      await spool.waitForDue(targetId, new AbortController().signal);
      for (const delivery of await spool.lease(targetId, { recordsMax: 8, bytesMax: Infinity })) {
        await delivery.image();
        await spool.settle(targetId, delivery.record.id, { kind: "accepted" });
        settled += 1;
      }
    }
  };

  const start = performance.now();
  const stallMs = await longestStallMs(
    async () => await Promise.all([produce(), produce(), produce(), produce(), ...targets.map(consume)]),
  );
  const tookMs = performance.now() - start;
  const idleStallMs = await longestStallMs(async () => await delay(tookMs));
  process.stdout.write(`${JSON.stringify({ tookMs, stallMs, idleStallMs })}\n`);
}

async function longestStallMs(action: () => Promise<unknown>): Promise<number> {
  const stalls = monitorEventLoopDelay({ resolution: 1 });
  stalls.enable();
  await action();
  stalls.disable();
  return stalls.max / 1e6;
}

await main();
