import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { DiskBudget } from "../../src/core/disk-budget.ts";
import type { SpoolTarget } from "../../src/spool/spool.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { allOf, deliveriesOf, EvictionOracle } from "../lib/eviction-oracle.ts";
import { editIndex } from "../lib/index-edit.ts";
import { tempFolder } from "../lib/temp.ts";
import { UpkeepClock } from "../lib/upkeep-clock.ts";
import { findingsOf } from "../lib/verify.ts";

const hourMs = 3_600_000;
const rejected = { kind: "rejected", code: "HTTP_400", message: "no" } as const;
const everything = { recordsMax: 1_000, bytesMax: Infinity };

function targetOf(id: string, backlog: SpoolTarget["backlog"]): SpoolTarget {
  return { id, newestShare: 0, backfill: false, backlog, wants: () => true };
}

describe("eviction", () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let clock: UpkeepClock;

  beforeEach(async () => {
    folder = await tempFolder();
    clock = new UpkeepClock();
  });

  afterEach(async () => await folder[Symbol.asyncDispose]());

  function open(change: Parameters<typeof openSpool>[1] = {}) {
    const targets = [targetOf("a", {}), targetOf("b", {})];
    return openSpool(folder.path, { eviction: "oldest", clock, targets, ...change });
  }

  it("gives up the lowest priority first, within it the oldest, and never what matters more than the new record", async () => {
    await using opened = await open({ recordsMax: 20 });
    const { spool } = opened;
    const oracle = new EvictionOracle(spool, ["a", "b"], 1_000);
    for (let at = 0; at < 20; at += 1) await oracle.append(at % 2 === 0 ? 5 : 1);
    await oracle.append(3);
    const listed = await oracle.check();
    assert.deepEqual(
      listed.map(({ record }) => record.sequence),
      [1, 3, ...Array.from({ length: 16 }, (_, at) => at + 5), 21],
    );
    for (let at = 0; at < 8; at += 1) await oracle.append(5);
    await oracle.append(3);
    assert.ok((await allOf(spool)).every(({ record }) => record.reason.priority >= 3));
    for (let at = 0; at < 2; at += 1) await oracle.append(5);
    while ((await spool.stats()).records < 20) await oracle.append(5);
    await assert.rejects(oracle.append(3), { code: "SPOOL_FULL" });
    const { lost } = await spool.stats();
    assert.equal(deliveriesOf(lost, { targetId: "a", priority: 1, reason: "room" }), 10);
    assert.equal(deliveriesOf(lost, { targetId: "b", priority: 1, reason: "room" }), 10);
    await oracle.check();
  });

  it("leaves nothing of a record that is not taken in because a loss could not be counted", async () => {
    const targets = [targetOf("a", {}), targetOf("b", { recordsMax: 1 })];
    {
      await using first = await open({ targets });
      await new EvictionOracle(first.spool, ["a", "b"], 1_000).append(5);
    }
    editIndex(folder.path, "CREATE TRIGGER uncounted BEFORE INSERT ON lost BEGIN SELECT RAISE(ABORT, 'no room'); END");
    await using again = await open({ targets });
    const { spool } = again;
    // The share of b is full of what matters more, which is a loss for b.
    await assert.rejects(new EvictionOracle(spool, ["a", "b"], 1_000).append(0));
    assert.equal((await spool.stats()).records, 1);
    assert.deepEqual(await findingsOf(spool.queue), []);
  });

  it("keeps the whole span of time when it thins, evenly", async () => {
    await using opened = await open({ recordsMax: 50, eviction: "thin" });
    const oracle = new EvictionOracle(opened.spool, ["a"], 200);
    for (let at = 0; at < 300; at += 1) await oracle.append();
    const sequences = (await oracle.check()).map(({ record }) => record.sequence);
    assert.ok(sequences.length > 45);
    assert.deepEqual([sequences[0], sequences.at(-1)], [1, 300]);
    const gaps = sequences.slice(1).map((sequence, at) => sequence - (sequences[at] ?? 0));
    assert.ok(Math.max(...gaps) <= 30, `gaps of up to ${Math.max(...gaps)} where 6 were even: ${gaps.join()}`);
    const firstHalf = sequences.filter((sequence) => sequence <= 150).length;
    assert.ok(firstHalf > 15 && firstHalf < 35, `${firstHalf} of ${sequences.length} in the first half`);
  });

  it("takes what only quarantine holds before anything that is still owed", async () => {
    await using opened = await open({ recordsMax: 30 });
    const { spool } = opened;
    const oracle = new EvictionOracle(spool, ["a", "b"], 500);
    for (let at = 0; at < 30; at += 1) await oracle.append();
    /** Rejected by these targets, while all else is given back. */
    async function setAside(rejections: Readonly<Record<"a" | "b", readonly number[]>>): Promise<void> {
      for (const targetId of ["a", "b"] as const) {
        for (const { record } of await spool.lease(targetId, everything)) {
          const aside = rejections[targetId].includes(record.sequence);
          await spool.settle(targetId, record.id, aside ? rejected : { kind: "release" });
        }
      }
    }
    await setAside({ a: [10, 11, 20], b: [10, 11] });
    await oracle.append();
    const left = (await allOf(spool)).map(({ record }) => record.sequence);
    assert.ok(!left.includes(10) && !left.includes(11) && left.includes(1) && left.includes(20), left.join());
    // One that is older than what was found the last time.
    await setAside({ a: [5], b: [5] });
    await oracle.append();
    await oracle.append();
    const later = (await allOf(spool)).map(({ record }) => record.sequence);
    assert.ok(!later.includes(5) && !later.includes(1) && later.includes(2), later.join());
  });

  it("removes what is finished before anything that is owed, also under the policy none", async () => {
    for (const eviction of ["oldest", "none"] as const) {
      await using opened = await openSpool(join(folder.path, eviction), { eviction, recordsMax: 10 });
      const oracle = new EvictionOracle(opened.spool, ["a"], 500);
      for (let at = 0; at < 10; at += 1) await oracle.append();
      await oracle.accept("a", 3);
      for (let at = 0; at < 3; at += 1) await oracle.append();
      assert.deepEqual((await opened.spool.stats()).lost, []);
      await oracle.check();
    }
  });

  it("holds each target to its own share, at the cost of that target alone", async () => {
    const targets = [
      targetOf("capped", { recordsMax: 10 }),
      targetOf("small", { bytesMax: 12_000 }),
      targetOf("free", {}),
    ];
    await using opened = await open({ targets });
    const { spool } = opened;
    const oracle = new EvictionOracle(spool, ["capped", "small", "free"], 1_000);
    for (let at = 0; at < 40; at += 1) {
      await oracle.append(at === 0 ? 1 : 0);
      const { targets: backlogs } = await spool.stats();
      const pending = new Map(backlogs.map((backlog) => [backlog.targetId, backlog.pending]));
      assert.ok((pending.get("capped") ?? 0) <= 10 && (pending.get("small") ?? 0) <= 8, JSON.stringify(backlogs));
    }
    const listed = await oracle.check();
    assert.equal(listed.length, 40);
    const owedTo = (targetId: string) =>
      listed.filter(({ deliveries }) => deliveries.some((delivery) => delivery.targetId === targetId));
    const [first] = owedTo("capped");
    assert.equal(first?.record.sequence, 1, "the one of a higher priority stays");
    assert.ok(owedTo("capped").length >= 9);
    const { lost } = await spool.stats();
    assert.ok(lost.every(({ reason, targetId }) => reason === "cap" && targetId !== "free"));
  });

  it("owes a record not to a target whose share holds only what matters more; owed to nobody else it is refused", async () => {
    await using opened = await open({ targets: [targetOf("capped", { recordsMax: 3 }), targetOf("free", {})] });
    const { spool } = opened;
    for (let at = 0; at < 3; at += 1) {
      await spool.append(draftOf({ reason: { rule: "x", priority: 9 } }), imageOf(500), ["capped"]);
    }
    const record = await spool.append(draftOf(), imageOf(500), ["capped", "free"]);
    const listed = (await allOf(spool)).find(({ record: { id } }) => id === record.id);
    assert.deepEqual(
      listed?.deliveries.map(({ targetId }) => targetId),
      ["free"],
    );
    await assert.rejects(spool.append(draftOf(), imageOf(500), ["capped"]), { code: "SPOOL_FULL" });
    const { lost } = await spool.stats();
    assert.deepEqual(lost, [{ targetId: "capped", priority: 0, reason: "cap", deliveries: 1 }]);
  });

  it("gives the file of a record up with the last of its deliveries", async () => {
    await using opened = await open({ targets: [targetOf("capped", { recordsMax: 5 })] });
    const oracle = new EvictionOracle(opened.spool, ["capped"], 500);
    for (let at = 0; at < 20; at += 1) await oracle.append();
    await opened.spool.stop();
    const files = (await readdir(folder.path, { recursive: true })).filter((name) => name.endsWith(".jpg"));
    assert.ok(files.length >= 3 && files.length <= 5, `${files.length} files`);
  });

  it("gives up what has waited for too long, in the time that it ran, leased records apart", async () => {
    const targets = [targetOf("patient", {}), targetOf("hasty", { ageMaxMs: 2 * hourMs })];
    {
      await using opened = await open({ ageMaxMs: 5 * hourMs, targets });
      for (let at = 0; at < 3; at += 1) await opened.spool.append(draftOf(), imageOf(500), ["patient", "hasty"]);
      clock.advance(1.5 * hourMs);
      await opened.spool.append(draftOf(), imageOf(500), ["patient", "hasty"]);
    }
    // Switched off: that makes nothing older, and the wall clock may say what it likes.
    clock.jump(400 * hourMs);
    await using opened = await open({ ageMaxMs: 5 * hourMs, targets });
    const { spool, log } = opened;
    await clock.upkeep();
    assert.deepEqual((await spool.stats()).lost, []);
    clock.advance(hourMs);
    await clock.upkeep();
    assert.deepEqual((await spool.stats()).lost, [{ targetId: "hasty", priority: 0, reason: "age", deliveries: 3 }]);
    clock.advance(3 * hourMs);
    const [leased] = await spool.lease("patient", { recordsMax: 1, bytesMax: Infinity });
    await clock.upkeep();
    assert.deepEqual(
      (await allOf(spool)).map(({ record }) => record.sequence),
      [1, 4],
    );
    assert.ok(leased !== undefined);
    await spool.settle("patient", leased.record.id, { kind: "release" });
    await clock.upkeep();
    const { lost } = await spool.stats();
    assert.equal(deliveriesOf(lost, { targetId: "patient", reason: "age" }), 3);
    assert.equal(deliveriesOf(lost, { targetId: "hasty", reason: "age" }), 4);
    assert.ok(log.lines.some(({ event }) => event === "spool.evicted"));
  });

  it("empties quarantine after its time, and down to its share, oldest first", async () => {
    await using opened = await open({ recordsMax: 40, quarantine: { share: 0.1, ageMaxMs: 10 * hourMs } });
    const { spool } = opened;
    const reject = async (): Promise<void> => {
      await spool.append(draftOf(), imageOf(500), ["a"]);
      const [leased] = await spool.lease("a", { recordsMax: 1, bytesMax: Infinity });
      await spool.settle("a", leased?.record.id ?? "", rejected);
    };
    for (let at = 0; at < 6; at += 1) await reject();
    await clock.upkeep();
    assert.deepEqual(
      (await allOf(spool)).map(({ record }) => record.sequence),
      [3, 4, 5, 6],
    );
    clock.advance(6 * hourMs);
    await reject();
    clock.advance(6 * hourMs);
    await clock.upkeep();
    const { lost, targets } = await spool.stats();
    assert.deepEqual(
      (await allOf(spool)).map(({ record }) => record.sequence),
      [7],
    );
    assert.equal(targets[0]?.quarantined, 1);
    assert.deepEqual(lost, [{ targetId: "a", priority: 0, reason: "quarantine", deliveries: 6 }]);
  });

  it("says what it gave up at most once a minute, with everything since the last time", async () => {
    await using opened = await open({ recordsMax: 10 });
    const { spool, log } = opened;
    const oracle = new EvictionOracle(spool, ["a"], 500);
    for (let at = 0; at < 60; at += 1) await oracle.append();
    const evicted = () => log.lines.filter(({ event }) => event === "spool.evicted");
    assert.equal(evicted().length, 1);
    assert.equal((await spool.stats()).evicting, true);
    clock.advance(70_000);
    await clock.upkeep();
    assert.equal(evicted().length, 2);
    const said = evicted().reduce((sum, { fields }) => sum + Number(fields["deliveries"]), 0);
    assert.equal(said, deliveriesOf((await spool.stats()).lost, {}));
    clock.advance(600_000);
    assert.equal((await spool.stats()).evicting, false);
  });

  it("counts its index and what others use against the same bound, and comes down to it when they grow", async () => {
    const budget = new DiskBudget(4_000_000);
    const others = budget.share("data set");
    await using opened = await open({ bytesMax: 4_000_000, budget });
    const oracle = new EvictionOracle(opened.spool, ["a"], 20_000);
    for (let at = 0; at < 100; at += 1) await oracle.append();
    assert.equal((await opened.spool.stats()).records, 100);
    assert.equal(others.mayGrow(3_000_001), false);
    others.uses(3_000_000);
    await clock.upkeep();
    const { records, lost } = await opened.spool.stats();
    // A quarter of the budget is the records', whatever the others use.
    assert.ok(records >= 45 && records <= 49, `${records} records`);
    assert.equal(deliveriesOf(lost, { reason: "room" }), 100 - records);
    assert.equal(others.mayGrow(1), false);
    await oracle.check();
  });
});
