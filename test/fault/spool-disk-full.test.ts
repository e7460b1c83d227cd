import assert from "node:assert/strict";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, before, beforeEach, describe, it } from "mocha";
import type { Spool } from "../../src/core/ports.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { mountSmallDisk, needsSmallDisk, unmount } from "../lib/small-disk.ts";
import { tempFolder } from "../lib/temp.ts";

const image = imageOf(100_000);
const everything = { recordsMax: 1_000, bytesMax: Infinity };

/** Appends until the spool refuses; the refusal's code comes back. */
async function fill(spool: Spool, recordsMax = 1_000): Promise<{ records: StoredRecord[]; code: unknown }> {
  const records: StoredRecord[] = [];
  while (records.length < recordsMax) {
    try {
      records.push(await spool.append(draftOf(), image, ["a"]));
    } catch (error) {
      return { records, code: error instanceof Error && "code" in error ? error.code : error };
    }
  }
  throw new Error("the disk never filled up");
}

async function envelopesIn(folder: string): Promise<string[]> {
  return (await readdir(join(folder, "spool", "data"), { recursive: true })).filter((name) => name.endsWith(".jpg"));
}

describe("spool on a full disk (tmpfs of 12 MB)", () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;

  before(async function () {
    await needsSmallDisk(this);
  });

  beforeEach(async () => {
    folder = await tempFolder();
    mountSmallDisk(folder.path, 12);
  });

  afterEach(async () => {
    unmount(folder.path);
    await folder[Symbol.asyncDispose]();
  });

  it("refuses with DISK_FULL, leaves no part of a file, keeps what it accepted, and goes on when there is room", async () => {
    await using opened = await openSpool(join(folder.path, "spool"));
    const { spool } = opened;
    const { records, code } = await fill(spool);
    assert.equal(code, "DISK_FULL");
    assert.ok(records.length > 50, `${records.length} records of 100 KB in 12 MB`);
    assert.equal((await envelopesIn(folder.path)).length, records.length);
    const leased = await spool.lease("a", everything);
    assert.equal(leased.length, records.length);
    for (const delivery of leased) assert.deepEqual(await delivery.image(), image);
    for (const { record } of leased) await spool.settle("a", record.id, { kind: "accepted" });
    const again = await fill(spool);
    assert.ok(again.records.length >= 30, `${again.records.length} after ${leased.length} were finished`);
  });

  it("leaves the free space it was told to", async () => {
    await using opened = await openSpool(join(folder.path, "spool"), { freeBytesMin: 8_000_000 });
    const { records, code } = await fill(opened.spool);
    assert.equal(code, "DISK_FULL");
    assert.ok(records.length > 15 && records.length < 45, `${records.length} records`);
  });

  it("survives a disk that another program fills up to the last byte, also across a restart", async () => {
    const filler = join(folder.path, "filler");
    {
      await using opened = await openSpool(join(folder.path, "spool"));
      for (let at = 0; at < 20; at += 1) await opened.spool.append(draftOf(), image, ["a"]);
      await assert.rejects(writeFile(filler, Buffer.alloc(20_000_000)), { code: "ENOSPC" });
      await assert.rejects(opened.spool.append(draftOf(), image, ["a"]), { code: "DISK_FULL" });
      await rm(filler);
      await opened.spool.append(draftOf(), image, ["a"]);
      await assert.rejects(writeFile(filler, Buffer.alloc(20_000_000)), { code: "ENOSPC" });
    }
    await using again = await openSpool(join(folder.path, "spool"));
    assert.equal((await again.spool.lease("a", everything)).length, 21);
    await rm(filler);
  });

  it("refuses what its own bounds do not allow before it writes anything", async () => {
    await using opened = await openSpool(join(folder.path, "spool"), { bytesMax: 1_000_000 });
    const { records, code } = await fill(opened.spool);
    assert.equal(code, "SPOOL_FULL");
    assert.equal(records.length, 9);
    const both = await Promise.allSettled([fill(opened.spool), fill(opened.spool)]);
    assert.ok(both.every((result) => result.status === "fulfilled" && result.value.records.length === 0));
  });
});
