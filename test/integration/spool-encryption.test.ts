import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { after, describe, it } from "mocha";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { Delivery, Spool } from "../../src/core/ports.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { trailerBytes } from "../../src/spool/envelope.ts";
import { envelopePath, layoutOf } from "../../src/spool/layout.ts";
import { diskSpoolOf, openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { MadeOnce } from "../lib/made-once.ts";
import { tempFolder } from "../lib/temp.ts";

const everything = { recordsMax: 1_000, bytesMax: Infinity };
const signal = new AbortController().signal;
const encryptionKey = randomBytes(32).toString("hex");
const otherKey = randomBytes(32).toString("base64");
const label = "unmistakable-label";
const camera = "unmistakable-camera";

async function append(spool: Spool, at: number, sizeBytes = 3_000): Promise<StoredRecord> {
  const detection = { label, score: 0.5, box: { left: 0, top: 0, width: 9, height: 9 } };
  return await spool.append(draftOf({ cameraId: camera, detections: [detection] }), imageOf(sizeBytes, at), ["a"]);
}

async function appendMany(spool: Spool, records: number): Promise<StoredRecord[]> {
  const appended: StoredRecord[] = [];
  for (let at = 0; at < records; at += 1) appended.push(await append(spool, at));
  return appended;
}

async function settleAll(spool: Spool): Promise<void> {
  for (const { record } of await spool.lease("a", everything)) {
    await spool.settle("a", record.id, { kind: "accepted" });
  }
}

/** Folders with so many encrypted records, their spool stopped. */
const encrypted = { two: encryptedFolder(2), three: encryptedFolder(3) };

function encryptedFolder(records: number): MadeOnce<void> {
  return new MadeOnce(async (folder) => {
    await using opened = await openSpool(folder, { encryptionKey });
    await appendMany(opened.spool, records);
  });
}

/** Every file below the folder with its bytes; but for the lock's owner, and SQLite's files, which opening touches. */
async function filesIn(folder: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const path = join(folder, name);
    if ((await stat(path)).isFile()) found.set(name, await readFile(path));
  }
  return found;
}

function withoutIndex(files: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
  return new Map([...files].filter(([name]) => !/^(index\.db|lock|owner)/.test(name)));
}

/** A start with this key is refused, shows neither key, and leaves every record as it was. */
async function refused(folder: string, code: string, key?: string): Promise<void> {
  const before = withoutIndex(await filesIn(folder));
  const { spool, log } = diskSpoolOf(folder, key === undefined ? {} : { encryptionKey: key });
  await assert.rejects(spool.start(signal), (error: Error) => {
    assert.ok("code" in error && "disposition" in error);
    assert.deepEqual([error.code, error.disposition], [code, "fatal"], error.message);
    assert.ok(error.message.includes(folder), "it says which folder");
    for (const secret of [encryptionKey, otherKey]) assert.ok(!error.message.includes(secret));
    return true;
  });
  await spool.stop();
  assert.deepEqual(withoutIndex(await filesIn(folder)), before);
  assert.deepEqual(log.lines, []);
}

/** All deliveries with their images, which must be those that `append` wrote. */
async function leaseAll(spool: Spool, images: readonly number[]): Promise<readonly Delivery[]> {
  const leased = await spool.lease("a", everything);
  assert.equal(leased.length, images.length);
  for (const [at, delivery] of leased.entries()) {
    assert.deepEqual(await delivery.image(), imageOf(delivery.record.imageBytes, images[at]));
  }
  return leased;
}

/** Changes one byte of a stored image and makes its checksums fit again. */
async function forge(path: string): Promise<void> {
  const file = await readFile(path);
  const trailer = file.subarray(-trailerBytes);
  file[10] = (file[10] ?? 0) ^ 1;
  trailer.writeUInt32LE(crc32(file.subarray(0, trailer.readUInt32LE(16))), 60);
  trailer.writeUInt32LE(crc32(trailer.subarray(0, 124)), 124);
  await writeFile(path, file);
}

describe("encrypted spool", () => {
  after(async () => {
    for (const folder of Object.values(encrypted)) await folder[Symbol.asyncDispose]();
  });

  it("gives back after a restart what it took, large images too, and counts its encrypted records", async () => {
    await using folder = await tempFolder();
    const sizes = [300, 60_000, spoolLimits.hashHereBytesMax + 1, 2_000_000];
    const appended: StoredRecord[] = [];
    {
      await using first = await openSpool(folder.path, { encryptionKey });
      for (const [at, size] of sizes.entries()) appended.push(await append(first.spool, at, size));
      assert.equal((await first.spool.stats()).encrypted, 4);
    }
    await using second = await openSpool(folder.path, { encryptionKey });
    const leased = await leaseAll(second.spool, [0, 1, 2, 3]);
    assert.deepEqual(
      leased.map(({ record }) => record),
      appended,
    );
    assert.deepEqual(
      (await second.spool.list({ afterSequence: 0, recordsMax: 9 })).map(({ record }) => record),
      appended,
    );
    for (const { id } of appended) await second.spool.settle("a", id, { kind: "accepted" });
    assert.equal((await second.spool.stats()).encrypted, 0);
  });

  for (const key of [undefined, encryptionKey]) {
    it(`shows ${key === undefined ? "images and labels in its files without a key" : "neither with one"}`, async () => {
      await using folder = await tempFolder();
      await using opened = await openSpool(folder.path, key === undefined ? {} : { encryptionKey: key });
      await appendMany(opened.spool, 3);
      const [first] = await opened.spool.lease("a", everything);
      assert.ok(first);
      const retry = { kind: "retry", afterMs: 9_000, charged: true, code: "HTTP_500", message: "no" } as const;
      await opened.spool.settle("a", first.record.id, retry);
      const files = await filesIn(folder.path);
      assert.ok(
        [...files.keys()].some((name) => name.endsWith("-wal")),
        "the index is among them",
      );
      const parts = [imageOf(3_000, 1).subarray(100, 132), Buffer.from(label), Buffer.from(camera)];
      for (const part of parts) {
        const seen = [...files.values()].some((bytes) => bytes.includes(part));
        assert.equal(seen, key === undefined, part.toString("latin1"));
      }
      for (const secret of [Buffer.from(encryptionKey), Buffer.from(encryptionKey, "hex")]) {
        assert.ok(![...files.values()].some((bytes) => bytes.includes(secret)), "the key itself is nowhere");
      }
    });
  }

  it("refuses another key and none while it holds encrypted records; the right one finds all of them", async () => {
    await using folder = await encrypted.three.copy();
    await refused(folder.path, "SPOOL_KEY_WRONG", otherKey);
    await refused(folder.path, "SPOOL_KEY_MISSING");
    await using again = await openSpool(folder.path, { encryptionKey });
    await leaseAll(again.spool, [0, 1, 2]);
    assert.equal((await again.spool.stats()).damaged, 0);
  });

  it("also refuses them when the index is gone, and rebuilds it with the right key", async () => {
    await using folder = await encrypted.three.copy();
    await rm(layoutOf(folder.path).index);
    await refused(folder.path, "SPOOL_KEY_WRONG", otherKey);
    await refused(folder.path, "SPOOL_KEY_MISSING");
    {
      await using again = await openSpool(folder.path, { encryptionKey });
      assert.ok(
        again.log.lines.some(({ event }) => event === "spool.index.rebuilt"),
        "although an index was begun",
      );
      await leaseAll(again.spool, [0, 1, 2]);
      assert.deepEqual([(await again.spool.stats()).encrypted, (await again.spool.stats()).damaged], [3, 0]);
      assert.equal((await append(again.spool, 7)).sequence, 4_096, "no sequence is used twice");
    }
    await refused(folder.path, "SPOOL_KEY_MISSING");
  });

  it("also refuses them when only files that the index does not know yet are encrypted", async () => {
    await using folder = await tempFolder();
    const { index } = layoutOf(folder.path);
    await using before = await openSpool(folder.path, { encryptionKey });
    await before.spool.stop();
    const empty = await readFile(index);
    {
      await using first = await openSpool(folder.path, { encryptionKey });
      await appendMany(first.spool, 3);
    }
    await writeFile(index, empty);
    await refused(folder.path, "SPOOL_KEY_WRONG", otherKey);
    await refused(folder.path, "SPOOL_KEY_MISSING");
    await using again = await openSpool(folder.path, { encryptionKey });
    await leaseAll(again.spool, [0, 1, 2]);
  });

  it("takes a key later: records in the clear stay readable beside the encrypted ones", async () => {
    await using folder = await tempFolder();
    {
      await using clear = await openSpool(folder.path);
      await appendMany(clear.spool, 2);
    }
    {
      await using keyed = await openSpool(folder.path, { encryptionKey });
      await append(keyed.spool, 2);
      await leaseAll(keyed.spool, [0, 1, 2]);
      assert.equal((await keyed.spool.stats()).encrypted, 1);
    }
    assert.ok((await readFile(envelopePath(layoutOf(folder.path), 1))).includes(label));
    assert.ok(!(await readFile(envelopePath(layoutOf(folder.path), 3))).includes(label));
    await rm(layoutOf(folder.path).index);
    await using rebuilt = await openSpool(folder.path, { encryptionKey });
    await leaseAll(rebuilt.spool, [0, 1, 2]);
  });

  it("lets a key go, or be replaced, once no encrypted record is left", async () => {
    await using folder = await encrypted.two.copy();
    const { key } = layoutOf(folder.path);
    {
      await using draining = await openSpool(folder.path, { encryptionKey });
      await settleAll(draining.spool);
    }
    {
      await using replaced = await openSpool(folder.path, { encryptionKey: otherKey });
      await append(replaced.spool, 0);
    }
    await refused(folder.path, "SPOOL_KEY_WRONG", encryptionKey);
    {
      await using draining = await openSpool(folder.path, { encryptionKey: otherKey });
      await settleAll(draining.spool);
    }
    await using clear = await openSpool(folder.path);
    await assert.rejects(stat(key), { code: "ENOENT" });
    await append(clear.spool, 0);
    assert.ok((await readFile(envelopePath(layoutOf(folder.path), 4))).includes(label));
  });

  for (const [what, damage] of [
    ["empty", async (key) => await truncate(key)],
    ["cut", async (key) => await truncate(key, 9)],
    ["another's", async (key) => await writeFile(key, `${"0".repeat(32)}\n`)],
    ["gone", async (key) => await rm(key)],
  ] as readonly (readonly [string, (key: string) => Promise<void>])[]) {
    it(`tries the records when the key's check value is ${what}: the right key mends it, another is refused`, async () => {
      await using folder = await encrypted.two.copy();
      const { key, index } = layoutOf(folder.path);
      const whole = await readFile(key, "utf8");
      await damage(key);
      await refused(folder.path, "SPOOL_KEY_WRONG", otherKey);
      await refused(folder.path, "SPOOL_KEY_MISSING");
      await rm(index);
      await refused(folder.path, "SPOOL_KEY_WRONG", otherKey);
      const layout = layoutOf(folder.path);
      // One damaged record does not make the right key a wrong one.
      await truncate(envelopePath(layout, 1), 800);
      await using again = await openSpool(folder.path, { encryptionKey });
      await leaseAll(again.spool, [1]);
      assert.equal(await readFile(key, "utf8"), whole);
    });
  }

  it("without index, check value and key is refused, and nothing is set aside", async () => {
    await using folder = await encrypted.two.copy();
    const { key, index } = layoutOf(folder.path);
    await rm(index);
    await rm(key);
    await refused(folder.path, "SPOOL_KEY_MISSING");
    await refused(folder.path, "SPOOL_KEY_MISSING");
    await using again = await openSpool(folder.path, { encryptionKey });
    await leaseAll(again.spool, [0, 1]);
  });

  it("gives up a record that somebody changed with intent, counts it, and never gives out its bytes", async () => {
    await using folder = await encrypted.three.copy();
    const layout = layoutOf(folder.path);
    await using opened = await openSpool(folder.path, { encryptionKey });
    await forge(envelopePath(layout, 1));
    // Another record's file under this name: its own trailer vouches for it.
    await writeFile(envelopePath(layout, 2), await readFile(envelopePath(layout, 3)));
    const [first, third, ...others] = await opened.spool.lease("a", everything);
    assert.ok(first && third);
    assert.deepEqual(others, []);
    await assert.rejects(first.image(), { code: "RECORD_UNREADABLE", message: /not decryptable/ });
    assert.deepEqual(await third.image(), imageOf(3_000, 2));
    assert.equal((await opened.spool.stats()).damaged, 1);
  });

  it("leaves a stranger's encrypted record in place when there is no key", async () => {
    await using strangers = await encrypted.two.copy();
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    await appendMany(opened.spool, 3);
    const path = envelopePath(layoutOf(folder.path), 2);
    await writeFile(path, await readFile(envelopePath(layoutOf(strangers.path), 2)));
    const leased = await opened.spool.lease("a", everything);
    assert.deepEqual(
      leased.map(({ record }) => record.sequence),
      [1, 3],
    );
    assert.equal((await opened.spool.stats()).damaged, 0);
    await stat(path);
    assert.ok(opened.log.lines.some(({ fields }) => fields["code"] === "SPOOL_KEY_MISSING"));
  });

  it("refuses a key of another form before it touches anything", () => {
    assert.throws(() => diskSpoolOf("/nonexistent", { encryptionKey: "hunter2" }), {
      code: "SPOOL_KEY_INVALID",
      disposition: "fatal",
    });
  });
});
