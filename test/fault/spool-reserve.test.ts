import assert from "node:assert/strict";
import { cp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, before, beforeEach, describe, it } from "mocha";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { diskKinds, fillUp, mountSmallDisk, needsSmallDisk, unmount } from "../lib/small-disk.ts";
import { tempFolder } from "../lib/temp.ts";
import { UpkeepClock } from "../lib/upkeep-clock.ts";

const everything = { recordsMax: 1_000, bytesMax: Infinity };
const targets = [{ id: "a", newestShare: 0, backfill: false, backlog: {}, wants: () => true }];
const records = 40;

for (const kind of diskKinds) {
  describe(`a disk filled up while the spool was stopped (${kind} of 14 MB)`, () => {
    let folder: Awaited<ReturnType<typeof tempFolder>>;

    before(async function () {
      await needsSmallDisk(this, kind);
    });

    beforeEach(async () => {
      folder = await tempFolder();
      mountSmallDisk(folder.path, 14, kind);
    });

    afterEach(async () => {
      unmount(folder.path);
      await folder[Symbol.asyncDispose]();
    });

    const reserveBytes = async (spool: string) =>
      (await stat(join(spool, "reserve")).catch(() => undefined))?.size ?? 0;

    /** A spool with records and its reserve, as its process left it. */
    async function left(by: "a stop" | "a kill"): Promise<string> {
      const [working, spoolFolder] = [join(folder.path, "working"), join(folder.path, "spool")];
      const clock = new UpkeepClock();
      await using opened = await openSpool(by === "a stop" ? spoolFolder : working, { clock, targets });
      for (let at = 0; at < records; at += 1) await opened.spool.append(draftOf(), imageOf(10_000), ["a"]);
      await clock.upkeep();
      if (by === "a stop") return spoolFolder;
      // What lies on the disk at this moment is what a kill leaves.
      await cp(working, spoolFolder, { recursive: true });
      await opened.spool.stop();
      await rm(working, { recursive: true });
      return spoolFolder;
    }

    for (const by of ["a stop", "a kill"] as const) {
      it(`keeps it after ${by} neither from starting nor from keeping outcomes`, async () => {
        const spoolFolder = await left(by);
        assert.equal(await reserveBytes(spoolFolder), spoolLimits.reserveBytes);
        const filler = await fillUp(join(folder.path, "filler"));
        const clock = new UpkeepClock();
        await using opened = await openSpool(spoolFolder, { clock, targets });
        const { spool } = opened;
        const leased = await spool.lease("a", everything);
        assert.equal(leased.length, records);
        for (const { record } of leased) await spool.settle("a", record.id, { kind: "accepted" });
        assert.equal(await reserveBytes(spoolFolder), 0, "it was needed");
        await filler[Symbol.asyncDispose]();
        await clock.upkeep();
        assert.equal(await reserveBytes(spoolFolder), spoolLimits.reserveBytes, "and is there for the next time");
      });
    }

    it("has no reserve where there is no room for it, and takes none from records", async () => {
      const spoolFolder = await left("a stop");
      await rm(join(spoolFolder, "reserve"));
      const clock = new UpkeepClock();
      await using opened = await openSpool(spoolFolder, { clock, targets });
      await using filler = await fillUp(join(folder.path, "filler"));
      await clock.upkeep();
      assert.ok(!(await readdir(spoolFolder)).includes("reserve"), filler.path);
      assert.equal((await opened.spool.stats()).records, records);
    });
  });
}
