import assert from "node:assert/strict";
import { link, mkdir, readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, before, beforeEach, describe, it } from "mocha";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { deliveriesOf, EvictionOracle } from "../lib/eviction-oracle.ts";
import { diskKinds, fillUp, mountSmallDisk, needsSmallDisk, unmount } from "../lib/small-disk.ts";
import { tempFolder } from "../lib/temp.ts";

const retry = { kind: "retry", afterMs: 0, charged: false, code: "X", message: "y" } as const;

for (const kind of diskKinds) {
  describe(`eviction on a full disk (${kind} of 24 MB)`, () => {
    let folder: Awaited<ReturnType<typeof tempFolder>>;

    before(async function () {
      await needsSmallDisk(this, kind);
    });

    beforeEach(async () => {
      folder = await tempFolder();
      mountSmallDisk(folder.path, 24, kind);
    });

    afterEach(async () => {
      unmount(folder.path);
      await folder[Symbol.asyncDispose]();
    });

    async function mustBeFull(filler: { readonly path: string }): Promise<void> {
      const { bavail, bsize } = await statfs(filler.path);
      assert.ok(bavail * bsize < 4_096, `${bavail * bsize} bytes are free`);
    }

    it("goes on for ever with one target away, and loses nothing but what it counts", async () => {
      await using opened = await openSpool(join(folder.path, "spool"), { eviction: "oldest" });
      const oracle = new EvictionOracle(opened.spool, ["up", "away"], 200_000);
      for (let at = 0; at < 130; at += 1) {
        await oracle.append();
        if (at % 8 === 7) await oracle.accept("up", 8);
      }
      const listed = await oracle.check();
      const { lost, records } = await opened.spool.stats();
      assert.equal(listed.length, records);
      assert.ok(records > 40 && records < 100, `${records} records of 200 KB`);
      assert.ok(deliveriesOf(lost, { targetId: "away", reason: "room", priority: 0 }) > 30);
      assert.equal(deliveriesOf(lost, { targetId: "up" }), 0);
      // The oldest went.
      assert.equal(listed.at(-1)?.record.sequence, (listed[0]?.record.sequence ?? 0) + records - 1);
    });

    it("takes 40 of 40 records after another program has filled the disk to the last byte", async () => {
      await using opened = await openSpool(join(folder.path, "spool"), { eviction: "oldest" });
      const oracle = new EvictionOracle(opened.spool, ["up", "away"]);
      for (let at = 0; at < 110; at += 1) await oracle.append();
      await oracle.accept("up", 20);
      await using filler = await fillUp(join(folder.path, "filler"));
      await mustBeFull(filler);
      for (let at = 0; at < 40; at += 1) await oracle.append();
      await oracle.accept("up", 30);
      await oracle.check();
      assert.equal(deliveriesOf((await opened.spool.stats()).lost, { reason: "missing" }), 0);
    });

    it("settles, sets aside and leases on a disk without a free byte, or says so and loses nothing", async () => {
      {
        await using opened = await openSpool(join(folder.path, "spool"), { eviction: "none" });
        const { spool } = opened;
        const oracle = new EvictionOracle(spool, ["a"], 20_000);
        for (let at = 0; at < 100; at += 1) await oracle.append();
        await using filler = await fillUp(join(folder.path, "filler"));
        await mustBeFull(filler);
        let refused = 0;
        const leased = await spool.lease("a", { recordsMax: 60, bytesMax: Infinity });
        assert.equal(leased.length, 60);
        for (const [at, { record }] of leased.entries()) {
          const settlement =
            at % 3 === 0
              ? ({ kind: "accepted" } as const)
              : at % 3 === 1
                ? ({ kind: "rejected", code: "X", message: "no" } as const)
                : retry;
          await spool.settle("a", record.id, settlement).catch((error: unknown) => {
            assert.equal(error instanceof Error && "code" in error ? error.code : error, "DISK_FULL");
            refused += 1;
          });
        }
        await assert.rejects(oracle.append(), { code: "DISK_FULL" });
        const { targets } = await spool.stats();
        const [a] = targets;
        assert.equal((a?.pending ?? 0) + (a?.quarantined ?? 0) + (a?.accepted ?? 0), 100, `${refused} refused`);
      }
      await using again = await openSpool(join(folder.path, "spool"));
      const { targets, lost } = await again.spool.stats();
      assert.deepEqual(lost, []);
      assert.equal((targets[0]?.pending ?? 0) + (targets[0]?.quarantined ?? 0) + (targets[0]?.accepted ?? 0), 100);
    });

    it("counts what it evicted also where the index had no room to forget it, and never hands it out", async () => {
      {
        await using first = await openSpool(join(folder.path, "spool"));
        const oracle = new EvictionOracle(first.spool, ["a"]);
        for (let at = 0; at < 90; at += 1) await oracle.append();
      }
      // A second name of every envelope: removing the first frees nothing. The index's WAL is empty after a start.
      const data = join(folder.path, "spool", "data", "00000000");
      const links = join(folder.path, "links");
      await mkdir(links);
      for (const name of await readdir(data)) await link(join(data, name), join(links, name));
      await using opened = await openSpool(join(folder.path, "spool"), { eviction: "oldest" });
      const { spool } = opened;
      {
        await using filler = await fillUp(join(folder.path, "filler"));
        await mustBeFull(filler);
        await assert.rejects(spool.append(draftOf(), imageOf(100_000), ["a"]), { code: "DISK_FULL" });
        const left = (await readdir(data)).length;
        assert.ok(left >= 20 && left < 60, `${left} files left`);
        const leased = await spool.lease("a", { recordsMax: 100, bytesMax: Infinity });
        assert.equal(leased.length, left);
        for (const { record } of leased) await spool.settle("a", record.id, { kind: "release" });
      }
      await rm(links, { recursive: true });
      await spool.append(draftOf(), imageOf(100_000), ["a"]);
      const { records, lost } = await spool.stats();
      assert.deepEqual(lost, [{ targetId: "a", priority: 0, reason: "room", deliveries: 91 - records }]);
      assert.equal((await readdir(data)).length, records);
    });

    it("never evicts a leased record, also while others are leased at the same moment", async () => {
      await using opened = await openSpool(join(folder.path, "spool"), { eviction: "oldest", recordsMax: 60 });
      const { spool } = opened;
      const oracle = new EvictionOracle(spool, ["a"], 20_000);
      for (let at = 0; at < 60; at += 1) await oracle.append();
      const held = await spool.lease("a", { recordsMax: 5, bytesMax: Infinity });
      for (let round = 0; round < 15; round += 1) {
        const [leased] = await Promise.all([
          spool.lease("a", { recordsMax: 4, bytesMax: Infinity }),
          oracle.append(),
          oracle.append(),
        ]);
        for (const delivery of leased) {
          assert.equal((await delivery.image()).length, 20_000);
          await spool.settle("a", delivery.record.id, { kind: "release" });
        }
      }
      for (const delivery of held) {
        assert.equal((await delivery.image()).length, 20_000);
        await spool.settle("a", delivery.record.id, { kind: "release" });
      }
      const { lost } = await spool.stats();
      assert.deepEqual(
        lost.map(({ reason }) => reason),
        ["room"],
      );
      await oracle.check();
    });
  });
}
