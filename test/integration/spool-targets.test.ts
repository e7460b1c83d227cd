import assert from "node:assert/strict";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import Database from "libsql";
import { describe, it } from "mocha";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { Spool } from "../../src/core/ports.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { envelopePath, layoutOf } from "../../src/spool/layout.ts";
import type { SpoolTarget } from "../../src/spool/spool.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import type { RecordingLogger } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";
import { UpkeepClock } from "../lib/upkeep-clock.ts";

const everything = { recordsMax: 1_000, bytesMax: Infinity };
const hourMs = 60 * 60_000;
const dayMs = 24 * hourMs;

function targetsOf(...ids: readonly string[]): readonly SpoolTarget[] {
  return ids.map((id) => ({ id, newestShare: 0, backfill: false, backlog: {}, wants: () => true }));
}

function backfilled(id: string, cameraId?: string): SpoolTarget {
  const wants: SpoolTarget["wants"] = (draft) => cameraId === undefined || draft.cameraId === cameraId;
  return { id, newestShare: 0, backfill: true, backlog: {}, wants };
}

async function append(spool: Spool, owedTo: readonly string[], cameraId = "gate"): Promise<StoredRecord> {
  return await spool.append(draftOf({ cameraId }), imageOf(400), owedTo);
}

async function lease(spool: Spool, targetId: string): Promise<number[]> {
  return (await spool.lease(targetId, everything)).map(({ record }) => record.sequence);
}

async function accept(spool: Spool, targetId: string, recordsMax = 1_000): Promise<number[]> {
  const leased = await spool.lease(targetId, { recordsMax, bytesMax: Infinity });
  for (const { record } of leased) await spool.settle(targetId, record.id, { kind: "accepted" });
  return leased.map(({ record }) => record.sequence);
}

async function pending(spool: Spool, targetId: string): Promise<number> {
  return (await spool.stats()).targets.find((target) => target.targetId === targetId)?.pending ?? 0;
}

function said(log: RecordingLogger, event: string): readonly object[] {
  return log.lines.filter((line) => line.event === event).map(({ fields }) => fields);
}

async function envelopesIn(folder: string): Promise<number> {
  const names = await readdir(layoutOf(folder).data, { recursive: true });
  return names.filter((name) => name.endsWith(".jpg")).length;
}

describe("a target that was removed from the config", () => {
  it("is said, shown, and gives its deliveries up after the grace period, counted", async () => {
    await using folder = await tempFolder();
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a", "b") });
      await append(opened.spool, ["a", "b"]);
      for (const priority of [0, 0, 3]) {
        await opened.spool.append(draftOf({ reason: { rule: "r", priority } }), imageOf(400), ["b"]);
      }
      const [first, second] = await opened.spool.lease("b", everything);
      assert(first && second);
      await opened.spool.settle("b", first.record.id, { kind: "rejected", code: "X", message: "y" });
      const retry = { kind: "retry", afterMs: hourMs, charged: true, code: "X", message: "y" } as const;
      await opened.spool.settle("b", second.record.id, retry);
    }
    const clock = new UpkeepClock();
    await using opened = await openSpool(folder.path, { clock, targets: targetsOf("a") });
    const { spool, log } = opened;
    assert.deepEqual(said(log, "spool.target.removed"), [{ target: "b", deliveries: 4, givenUpInMs: 7 * dayMs }]);
    clock.advance(6 * dayMs);
    await clock.upkeep();
    const backlog = (await spool.stats()).targets.map(({ targetId, removedForMs }) => ({ targetId, removedForMs }));
    assert.deepEqual(backlog, [
      { targetId: "a", removedForMs: undefined },
      { targetId: "b", removedForMs: 6 * dayMs },
    ]);
    assert.equal((await spool.stats()).records, 4);
    clock.advance(dayMs);
    await clock.upkeep();
    const stats = await spool.stats();
    assert.equal(stats.records, 1);
    assert.deepEqual(
      stats.targets.map(({ targetId }) => targetId),
      ["a"],
    );
    assert.deepEqual(stats.lost, [
      { targetId: "b", priority: 0, reason: "target-removed", deliveries: 3 },
      { targetId: "b", priority: 3, reason: "target-removed", deliveries: 1 },
    ]);
    assert.deepEqual(said(log, "spool.target.given-up"), [{ target: "b", deliveries: 4, records: 3 }]);
    await spool.stop();
    assert.equal(await envelopesIn(folder.path), 1);
  });

  it("does not grow older while the gateway is switched off, nor by a wall clock that jumps", async () => {
    await using folder = await tempFolder();
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a", "b") });
      await append(opened.spool, ["b"]);
    }
    for (const leftDays of [7, 4, 1]) {
      const clock = new UpkeepClock();
      await using opened = await openSpool(folder.path, { clock, targets: targetsOf("a") });
      const [line] = said(opened.log, "spool.target.removed");
      assert.deepEqual(line, { target: "b", deliveries: 1, givenUpInMs: leftDays * dayMs });
      clock.jump(100 * dayMs);
      clock.advance(3 * dayMs);
      if (leftDays > 3) await clock.upkeep();
      assert.equal((await opened.spool.stats()).records, 1);
    }
  });

  it("goes on as if nothing had happened when it comes back in time", async () => {
    await using folder = await tempFolder();
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a", "b") });
      await append(opened.spool, ["a", "b"]);
      await append(opened.spool, ["b"]);
      assert.deepEqual(await accept(opened.spool, "b", 1), [1]);
    }
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a") });
      await append(opened.spool, ["a"]);
    }
    const clock = new UpkeepClock();
    await using opened = await openSpool(folder.path, { clock, targets: targetsOf("a", "b") });
    clock.advance(30 * dayMs);
    await clock.upkeep();
    assert.deepEqual(said(opened.log, "spool.target.removed"), []);
    const b = (await opened.spool.stats()).targets.find(({ targetId }) => targetId === "b");
    assert.deepEqual(b, { targetId: "b", pending: 1, leased: 0, quarantined: 0, accepted: 1 });
    assert.deepEqual(await lease(opened.spool, "b"), [2]);
  });

  it("gives up any number in steps, and what is held for an export only afterwards", async () => {
    await using folder = await tempFolder();
    const { index } = layoutOf(folder.path);
    const records = spoolLimits.giveUpDeliveries + 30;
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("b") });
      await append(opened.spool, ["b"]);
    }
    const sql = new Database(index);
    sql.exec(`
      WITH RECURSIVE n(seq) AS (SELECT 2 UNION ALL SELECT seq + 1 FROM n WHERE seq < ${records})
        INSERT INTO item SELECT seq, 'id' || seq, 0, 0, 10, 10, 0, 0 FROM n;
      INSERT INTO dlv SELECT seq, 'b', 0, 0, 0, 0, NULL, NULL, NULL FROM item WHERE seq > 1;
      UPDATE dlv SET state = 3 WHERE seq = 7;
      UPDATE kv SET value = value + ${records - 1} WHERE name = 'records';
      UPDATE kv SET value = value + ${records - 2} WHERE name = 'pending:b';`);
    sql.close();
    const clock = new UpkeepClock();
    await using opened = await openSpool(folder.path, { clock, targets: targetsOf("a"), removedTargetsAfterMs: 0 });
    await clock.upkeep();
    assert.equal((await opened.spool.stats()).records, 1, "the held one stays");
    assert.deepEqual((await opened.spool.stats()).lost[0]?.deliveries, records - 1);
    assert.equal(said(opened.log, "spool.target.given-up").length, 1);
    await clock.upkeep();
    assert.equal((await opened.spool.stats()).records, 1);
    assert.equal(said(opened.log, "spool.target.given-up").length, 1, "nothing to say twice");
  });

  it("is nobody's business for a command that only looks", async () => {
    await using folder = await tempFolder();
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a", "b") });
      await append(opened.spool, ["b"]);
    }
    const clock = new UpkeepClock();
    {
      await using looking = await openSpool(folder.path, { clock, removedTargetsAfterMs: 0 });
      await clock.upkeep();
      assert.equal((await looking.spool.stats()).targets[1]?.removedForMs, undefined);
      assert.deepEqual(said(looking.log, "spool.target.removed"), []);
    }
    await using opened = await openSpool(folder.path, { targets: targetsOf("a", "b") });
    assert.equal(await pending(opened.spool, "b"), 1);
  });
});

describe("a new target", () => {
  it("gets new records only, unless it is to be backfilled", async () => {
    await using folder = await tempFolder();
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a") });
      for (let each = 0; each < 3; each += 1) await append(opened.spool, ["a"]);
    }
    const clock = new UpkeepClock();
    await using opened = await openSpool(folder.path, { clock, targets: [...targetsOf("a", "b"), backfilled("c")] });
    await append(opened.spool, ["a", "b", "c"]);
    await clock.upkeep();
    assert.deepEqual(await lease(opened.spool, "b"), [4]);
    assert.deepEqual(await lease(opened.spool, "c"), [1, 2, 3, 4]);
    assert.deepEqual(said(opened.log, "spool.target.backfilled"), [{ target: "c", deliveries: 3 }]);
  });

  it("is backfilled with what its filter wants, page by page, and its loop is woken", async () => {
    await using folder = await tempFolder();
    const records = spoolLimits.backfillRecords + 20;
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a") });
      for (let at = 0; at < records; at += 1) await append(opened.spool, ["a"], at % 3 === 0 ? "yard" : "gate");
    }
    const clock = new UpkeepClock();
    await using opened = await openSpool(folder.path, { clock, targets: [...targetsOf("a"), backfilled("c", "yard")] });
    const { spool } = opened;
    assert.deepEqual(await lease(spool, "c"), []);
    const woken = spool.waitForDue("c", AbortSignal.timeout(5_000));
    await clock.upkeep();
    await woken;
    assert.equal(await pending(spool, "c"), Math.ceil(records / 3));
    assert.equal((await lease(spool, "c")).length, Math.ceil(records / 3));
    await clock.upkeep();
    assert.equal(await pending(spool, "c"), Math.ceil(records / 3), "once");
    for (const targetId of ["a", "c"]) while ((await accept(spool, targetId)).length > 0);
    await spool.stop();
    assert.equal(await envelopesIn(folder.path), Math.ceil(records / 3), "those that c still works on");
  });

  it("is backfilled later when that is switched on later, and not with what it had", async () => {
    await using folder = await tempFolder();
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a") });
      await append(opened.spool, ["a"]);
      await append(opened.spool, ["a"]);
    }
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a", "b") });
      await append(opened.spool, ["a", "b"]);
      assert.deepEqual(await accept(opened.spool, "b"), [3]);
    }
    const clock = new UpkeepClock();
    await using opened = await openSpool(folder.path, { clock, targets: [...targetsOf("a"), backfilled("b")] });
    await clock.upkeep();
    assert.deepEqual(await lease(opened.spool, "b"), [1, 2]);
  });

  it("that was forgotten and is added again does not get twice what it had accepted", async () => {
    await using folder = await tempFolder();
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a", "b") });
      for (let each = 0; each < 3; each += 1) await append(opened.spool, ["a", "b"]);
      assert.deepEqual(await accept(opened.spool, "b", 2), [1, 2]);
    }
    {
      const clock = new UpkeepClock();
      await using opened = await openSpool(folder.path, { clock, targets: targetsOf("a"), removedTargetsAfterMs: 0 });
      await clock.upkeep();
      assert.equal((await opened.spool.stats()).targets.length, 1);
    }
    const clock = new UpkeepClock();
    await using opened = await openSpool(folder.path, { clock, targets: [...targetsOf("a"), backfilled("b")] });
    await clock.upkeep();
    assert.deepEqual(await lease(opened.spool, "b"), [3], "the one that was given up is there still");
  });

  it("is not owed what a rebuilt index finds again, and a backfilled one nothing twice", async () => {
    await using folder = await tempFolder();
    const targets = [...targetsOf("a", "b"), backfilled("c")];
    {
      await using opened = await openSpool(folder.path, { targets: targetsOf("a") });
      await append(opened.spool, ["a"]);
    }
    {
      const clock = new UpkeepClock();
      await using opened = await openSpool(folder.path, { clock, targets });
      await append(opened.spool, ["a", "c"]);
      await clock.upkeep();
      assert.equal(await pending(opened.spool, "c"), 2);
    }
    await rm(layoutOf(folder.path).index);
    const clock = new UpkeepClock();
    await using opened = await openSpool(folder.path, { clock, targets });
    await clock.upkeep();
    await clock.upkeep();
    assert.deepEqual(await lease(opened.spool, "a"), [1, 2]);
    assert.deepEqual(await lease(opened.spool, "b"), []);
    assert.deepEqual(await lease(opened.spool, "c"), [1, 2]);
    assert.equal(await pending(opened.spool, "c"), 2);
  });

  it("passes over an envelope that is damaged or was finished meanwhile", async () => {
    await using folder = await tempFolder();
    const { path } = folder;
    {
      await using opened = await openSpool(path, { targets: targetsOf("a") });
      for (let each = 0; each < 4; each += 1) await append(opened.spool, ["a"]);
    }
    const clock = new UpkeepClock();
    await using opened = await openSpool(path, { clock, targets: [...targetsOf("a"), backfilled("b")] });
    assert.deepEqual(await accept(opened.spool, "a", 1), [1]);
    await rm(envelopePath(layoutOf(path), 2));
    await clock.upkeep();
    assert.deepEqual(await lease(opened.spool, "b"), [3, 4]);
  });
});

describe("an index of the first format", () => {
  it("knows its targets: a backfill brings them nothing again", async () => {
    await using folder = await tempFolder();
    {
      await using opened = await openSpool(folder.path);
      await append(opened.spool, ["a", "b"]);
      await accept(opened.spool, "b");
    }
    const sql = new Database(join(folder.path, "index.db"));
    sql.exec(`
      DROP INDEX item_eviction; DROP INDEX dlv_quarantined; DROP INDEX dlv_held;
      ALTER TABLE item DROP COLUMN added_at; ALTER TABLE item DROP COLUMN encrypted;
      ALTER TABLE dlv DROP COLUMN before_hold; DROP TABLE export;
      DROP TABLE sent; DROP TABLE lost; DROP TABLE target; DROP TABLE imported;
      DELETE FROM kv WHERE name LIKE 'owed-bytes:%'; UPDATE kv SET value = 1 WHERE name = 'format';`);
    sql.close();
    const clock = new UpkeepClock();
    await using opened = await openSpool(folder.path, { clock, targets: [backfilled("a"), backfilled("b")] });
    await clock.upkeep();
    assert.deepEqual(await lease(opened.spool, "a"), [1]);
    assert.deepEqual(await lease(opened.spool, "b"), []);
    assert(!opened.log.lines.some(({ event }) => event === "spool.index.rebuilt"));
  });
});
