import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "mocha";
import { openIndex } from "../../src/spool/index/schema.ts";
import { newestReady, oldestReady } from "../../src/spool/index/ready.ts";
import { textIn } from "../../src/spool/index/database.ts";
import type { DiskSpool, SpoolTarget } from "../../src/spool/spool.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

function targetOf(newestShare: number): SpoolTarget {
  return { id: "a", newestShare, backfill: false, backlog: {}, wants: () => true };
}

async function appendMany(spool: DiskSpool, records: number, priority = 0): Promise<void> {
  const draft = draftOf({ reason: { rule: "label:person", priority } });
  await Promise.all(Array.from({ length: records }, () => spool.append(draft, imageOf(300), ["a"])));
}

async function lease(spool: DiskSpool, recordsMax: number, bytesMax = Infinity): Promise<number[]> {
  return (await spool.lease("a", { recordsMax, bytesMax })).map(({ record }) => record.sequence);
}

describe("the newest records' share of a long backlog", () => {
  it("goes to the newest of the highest priority, the rest oldest first, and nothing is leased twice", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path, { targets: [targetOf(0.25)] });
    const { spool } = opened;
    await appendMany(spool, 12);
    const one = async (): Promise<number> => (await lease(spool, 1))[0] ?? 0;
    assert.deepEqual([await one(), await one(), await one(), await one(), await one()], [1, 2, 3, 12, 4]);
    await appendMany(spool, 5, 7);
    assert.deepEqual(await lease(spool, 4), [17, 13, 14, 15], "17 is the newest of priority 7");
    assert.deepEqual(await lease(spool, 4), [16, 5, 6, 7]);
    assert.deepEqual(await lease(spool, 3), [11, 8, 9]);
    assert.deepEqual(await lease(spool, 8), [10]);
    assert.deepEqual(await lease(spool, 8), []);
  });

  it("is none while everything that waits is leased at once", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path, { targets: [targetOf(1)] });
    await appendMany(opened.spool, 4);
    assert.deepEqual(await lease(opened.spool, 4), [1, 2, 3, 4]);
  });

  it("leaves nothing over, whatever is leased, released and settled in between", async () => {
    await using folder = await tempFolder();
    const random = seededRandom(11);
    await using opened = await openSpool(folder.path, { targets: [targetOf(0.4)] });
    const { spool } = opened;
    await appendMany(spool, 15, 1);
    await appendMany(spool, 30);
    const working = new Map<number, string>();
    let accepted = 0;
    for (let step = 0; accepted < 45; step += 1) {
      assert(step < 1_000, `${accepted} of 45 after 1,000 steps`);
      const limit = { recordsMax: 1 + Math.floor(random() * 6), bytesMax: random() < 0.3 ? 700 : Infinity };
      for (const { record } of await spool.lease("a", limit)) {
        assert(!working.has(record.sequence), "leased twice");
        working.set(record.sequence, record.id);
      }
      for (const [sequence, id] of working) {
        const dice = random();
        if (dice < 0.5) continue;
        await spool.settle("a", id, { kind: dice < 0.7 ? "release" : "accepted" });
        working.delete(sequence);
        if (dice >= 0.7) accepted += 1;
      }
    }
    assert.equal((await spool.stats()).records, 0);
  });

  it("wakes the loop again as long as something is left", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path, { targets: [targetOf(0.5)] });
    await appendMany(opened.spool, 9);
    const seen: number[] = [];
    while (seen.length < 9) {
      await opened.spool.waitForDue("a", AbortSignal.timeout(2_000));
      seen.push(...(await lease(opened.spool, 2)));
    }
    assert.equal(new Set(seen).size, 9);
  });

  it("is found through the index from either end, so that the backlog costs nothing", async () => {
    await using folder = await tempFolder();
    const { sql } = openIndex(join(folder.path, "index.db"));
    for (const [source, values] of [
      [oldestReady, ["a", "[1]", 5]],
      [newestReady, ["a", 0, "[1]", 5]],
    ] as const) {
      const plan = sql.prepare(`EXPLAIN QUERY PLAN ${source}`).all(...values);
      const steps = plan.map((row) => textIn(row, "detail") ?? "");
      assert(steps[0]?.startsWith("SEARCH d USING INDEX dlv_ready"), steps.join("; "));
      assert(!steps.some((step) => step.includes("TEMP B-TREE")), steps.join("; "));
    }
  });
});
