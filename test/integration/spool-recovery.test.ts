import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "libsql";
import { after, describe, it } from "mocha";
import type { Delivery, Spool } from "../../src/core/ports.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { envelopePath, layoutOf } from "../../src/spool/layout.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { diskSpoolOf, openSpool, PatientClock, spoolInAnotherProcess } from "../lib/disk-spool.ts";
import { MadeOnce } from "../lib/made-once.ts";
import { tempFolder } from "../lib/temp.ts";

const everything = { recordsMax: 1_000, bytesMax: Infinity };
const signal = new AbortController().signal;

async function appendMany(spool: Spool, records: number, owedTo = ["a"]): Promise<StoredRecord[]> {
  const appended: StoredRecord[] = [];
  for (let at = 0; at < records; at += 1) appended.push(await spool.append(draftOf(), imageOf(3_000, at), owedTo));
  return appended;
}

function sequencesOf(deliveries: readonly Delivery[]): number[] {
  return deliveries.map(({ record }) => record.sequence);
}

async function settleAll(spool: Spool, targetId: string): Promise<void> {
  for (const { record } of await spool.lease(targetId, everything)) {
    await spool.settle(targetId, record.id, { kind: "accepted" });
  }
}

async function envelopesIn(folder: string): Promise<string[]> {
  const names = await readdir(layoutOf(folder).data, { recursive: true });
  return names.filter((name) => name.endsWith(".jpg"));
}

describe("spool across restarts", () => {
  it("keeps what is owed, attempts, cursors, quarantine and counts; delays end with the restart", async () => {
    await using folder = await tempFolder();
    const retry = { kind: "retry", code: "HTTP_500", message: "no", afterMs: 3_600_000, charged: true } as const;
    {
      await using first = await openSpool(folder.path);
      const [one, two, three] = await appendMany(first.spool, 3, ["a", "b"]);
      assert.ok(one && two && three);
      await first.spool.lease("a", everything);
      await first.spool.settle("a", one.id, { kind: "accepted" });
      await first.spool.settle("a", two.id, { ...retry, cursor: "job-7" });
      await first.spool.settle("a", three.id, { kind: "rejected", code: "HTTP_413", message: "too large" });
      assert.deepEqual(await first.spool.lease("a", everything), []);
    }
    await using second = await openSpool(folder.path, { clock: new PatientClock() });
    const [again, ...others] = await second.spool.lease("a", everything);
    assert.deepEqual(others, []);
    assert.equal(again?.record.sequence, 2);
    assert.equal(again.attempts, 1);
    assert.equal(again.cursor, "job-7");
    assert.deepEqual((await second.spool.stats()).targets, [
      { targetId: "a", pending: 1, leased: 1, quarantined: 1, accepted: 1 },
      { targetId: "b", pending: 3, leased: 0, quarantined: 0, accepted: 0 },
    ]);
  });

  it("removes envelopes once their last target accepted, and keeps the others", async () => {
    await using folder = await tempFolder();
    let names: readonly string[] = [];
    {
      await using first = await openSpool(folder.path);
      names = (await appendMany(first.spool, 3, ["a"])).map(({ name }) => name);
      await first.spool.append(draftOf(), imageOf(900), ["a", "b"]);
      await settleAll(first.spool, "a");
      assert.equal((await envelopesIn(folder.path)).length, 4, "a small group waits for a flush that pays for more");
    }
    assert.deepEqual(await envelopesIn(folder.path), ["00000000/000000000004.jpg"]);
    await using second = await openSpool(folder.path);
    const { name } = await second.spool.append(draftOf(), imageOf(900), ["a"]);
    assert.equal(name, names[0]?.replace(/-1\.jpg$/, "-5.jpg"));
  });

  it("removes a full group at once", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    for (let at = 0; at < 70; at += 1) await opened.spool.append(draftOf(), imageOf(300), ["a"]);
    await settleAll(opened.spool, "a");
    for (const deadline = Date.now() + 2_000; (await envelopesIn(folder.path)).length > 6;) {
      assert.ok(Date.now() < deadline, "64 of 70 are gone");
    }
  });

  it("drops a shard once it is empty, but never the newest", async () => {
    await using folder = await tempFolder();
    const { data, index } = layoutOf(folder.path);
    {
      await using first = await openSpool(folder.path);
      await appendMany(first.spool, 1);
    }
    // Without an index, sequences go on in the next shard.
    await rm(index);
    {
      await using second = await openSpool(folder.path);
      assert.equal((await second.spool.append(draftOf(), imageOf(300), ["a"])).sequence, 4_096);
      assert.deepEqual((await readdir(data)).sort(), ["00000000", "00000001"]);
      await settleAll(second.spool, "a");
    }
    assert.deepEqual(await readdir(data), ["00000001"]);
  });
});

describe("spool with damage", () => {
  const damages: readonly (readonly [string, (index: string) => Promise<unknown>])[] = [
    ["deleted", async (index) => await rm(index)],
    ["empty", async (index) => await truncate(index, 0)],
    ["garbage", async (index) => await writeFile(index, randomBytes(20_000))],
    ["cut in half", async (index) => await truncate(index, ((await stat(index)).size / 8192) * 4096)],
    ["a folder", async (index) => (await rm(index), await mkdir(join(index, "x"), { recursive: true }))],
    ["of a future version", asOfTheFuture],
  ];
  const half = new MadeOnce(async (folder) => {
    await using first = await openSpool(folder);
    const appended = await appendMany(first.spool, 20, ["a", "b"]);
    await appendMany(first.spool, 5, ["a"]);
    await first.spool.lease("a", { recordsMax: 20, bytesMax: Infinity });
    for (const { id } of appended) await first.spool.settle("a", id, { kind: "accepted" });
    // The newest five are finished and removed: nothing on disk but the shard remembers their sequences.
    await settleAll(first.spool, "a");
    return appended;
  });
  after(async () => half[Symbol.asyncDispose]());
  for (const [what, damage] of damages) {
    it(`rebuilds an index that is ${what} from the envelopes, and never uses a sequence twice`, async () => {
      await using folder = await half.copy();
      await damage(layoutOf(folder.path).index);
      await using second = await openSpool(folder.path);
      for (const targetId of ["a", "b"]) {
        const leased = await second.spool.lease(targetId, everything);
        assert.deepEqual(
          leased.map(({ record }) => record),
          folder.made,
        );
        assert.deepEqual(await leased[3]?.image(), imageOf(3_000, 3));
      }
      const next = await second.spool.append(draftOf(), imageOf(300), ["a"]);
      assert.ok(next.sequence > 25, `sequence ${next.sequence}`);
      assert.ok(second.log.lines.some(({ event }) => event === "spool.index.rebuilt"));
    });
  }

  it("ends a rebuild when it is to stop, and goes on with it at the next start", async () => {
    await using folder = await tempFolder();
    {
      await using first = await openSpool(folder.path);
      await appendMany(first.spool, 20, ["a"]);
    }
    await rm(layoutOf(folder.path).index);
    const stop = new AbortController();
    const { spool } = diskSpoolOf(folder.path);
    const starting = spool.start(stop.signal);
    stop.abort();
    await assert.rejects(starting, { name: "AbortError" }).finally(async () => await spool.stop());
    await using again = await openSpool(folder.path);
    assert.equal((await again.spool.lease("a", everything)).length, 20);
  });

  it("rebuilds an index that turns out damaged while running; what was under way goes on", async () => {
    await using folder = await tempFolder();
    {
      await using first = await openSpool(folder.path);
      await appendMany(first.spool, 300, ["a", "b"]);
    }
    const { index } = layoutOf(folder.path);
    const pages = await readFile(index);
    // Page 1 stays whole, so that opening sees nothing.
    pages.fill(0x5a, 4_096);
    await writeFile(index, pages);
    await using second = await openSpool(folder.path);
    const [a, b, appended] = await Promise.all([
      second.spool.lease("a", everything),
      second.spool.lease("b", everything),
      second.spool.append(draftOf(), imageOf(300), ["c"]),
      // The thread may not be ended within any of them.
      ...Array.from({ length: 100 }, async () => await second.spool.list({ afterSequence: 150, recordsMax: 5 })),
    ]);
    const all = Array.from({ length: 300 }, (_, at) => at + 1);
    assert.deepEqual(sequencesOf(a), all);
    assert.deepEqual(sequencesOf(b), all);
    assert.deepEqual(sequencesOf(await second.spool.lease("c", everything)), [appended.sequence]);
    for (const { record } of a) await second.spool.settle("a", record.id, { kind: "accepted" });
    assert.equal((await second.spool.stats()).targets[0]?.accepted, 300);
    assert.ok((await readdir(folder.path)).includes("index.db.bad"));
  });

  it("ignores a garbage WAL", async () => {
    await using folder = await tempFolder();
    {
      await using first = await openSpool(folder.path);
      await appendMany(first.spool, 3);
    }
    await writeFile(`${layoutOf(folder.path).index}-wal`, randomBytes(50_000));
    await using second = await openSpool(folder.path);
    assert.deepEqual(sequencesOf(await second.spool.lease("a", everything)), [1, 2, 3]);
  });

  it("takes in whole envelopes that the index does not know, and sets cut, empty and changed ones aside", async () => {
    await using folder = await tempFolder();
    const layout = layoutOf(folder.path);
    {
      await using first = await openSpool(folder.path);
      await appendMany(first.spool, 2);
      await first.spool.stop();
      await rename(layout.index, `${layout.index}.old`);
    }
    // An index that fell back, as after a power cut: it knows two records, the folder holds seven files.
    await rm(layout.data, { recursive: true });
    await rm(layout.version);
    {
      await using other = await openSpool(folder.path);
      await appendMany(other.spool, 7);
    }
    await rename(`${layout.index}.old`, layout.index);
    await truncate(envelopePath(layout, 4), 1_500);
    await writeFile(envelopePath(layout, 5), "");
    await flipBit(envelopePath(layout, 6), 1_000);
    await using second = await openSpool(folder.path);
    assert.deepEqual(sequencesOf(await second.spool.lease("a", everything)), [1, 2, 3, 7]);
    assert.equal((await second.spool.stats()).damaged, 3);
    assert.deepEqual(
      (await readdir(layout.bad)).sort(),
      [4, 5, 6].map((sequence) => `00000000000${sequence}.jpg.bad`),
    );
    assert.equal((await second.spool.append(draftOf(), imageOf(300), ["a"])).sequence, 8);
  });

  it("gives up envelopes that were damaged or removed later, counts them, and goes on with the others", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    const { spool, log } = opened;
    await appendMany(spool, 7, ["a", "b"]);
    const layout = layoutOf(folder.path);
    await truncate(envelopePath(layout, 1), 2_000);
    await rm(envelopePath(layout, 2));
    await writeFile(envelopePath(layout, 3), await readFile(envelopePath(layout, 4)));
    await writeFile(envelopePath(layout, 6), "");
    // Just before the trailer: in the metadata.
    await flipBit(envelopePath(layout, 7), (await stat(envelopePath(layout, 7))).size - 140);
    assert.deepEqual(sequencesOf(await spool.lease("a", { recordsMax: 1, bytesMax: Infinity })), [4]);
    assert.deepEqual(sequencesOf(await spool.lease("b", everything)), [4, 5]);
    const { records, damaged, missing, targets } = await spool.stats();
    assert.deepEqual({ records, damaged, missing }, { records: 2, damaged: 4, missing: 1 });
    assert.deepEqual(
      targets.map(({ pending }) => pending),
      [2, 2],
    );
    assert.equal(log.lines.filter(({ event }) => event === "spool.record.lost").length, 5);
  });

  it("reads metadata of any size it takes, also when the index is rebuilt, and refuses more", async () => {
    await using folder = await tempFolder();
    const polygon = Array.from({ length: 40 }, (_, at) => ({ x: at + 0.123456, y: at * 2 + 0.654321 }));
    const detection = { label: "person", score: 0.5, box: { left: 0, top: 0, width: 9, height: 9 }, polygon };
    const detections = Array.from({ length: 60 }, () => detection);
    {
      await using first = await openSpool(folder.path);
      await first.spool.append(draftOf({ detections }), imageOf(300), ["a"]);
      const tooMany = Array.from({ length: 300 }, () => detection);
      await assert.rejects(first.spool.append(draftOf({ detections: tooMany }), imageOf(300), ["a"]), {
        code: "SPOOL_RECORD_TOO_LARGE",
        disposition: "reject",
      });
      assert.deepEqual((await first.spool.lease("a", everything))[0]?.record.detections, detections);
    }
    await rm(layoutOf(folder.path).index);
    await using second = await openSpool(folder.path);
    assert.deepEqual((await second.spool.lease("a", everything))[0]?.record.detections, detections);
  });

  it("says RECORD_UNREADABLE for an image that no longer matches its checksum", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    await appendMany(opened.spool, 1);
    const path = envelopePath(layoutOf(folder.path), 1);
    await flipBit(path, 1_000);
    const [delivery] = await opened.spool.lease("a", everything);
    assert.ok(delivery);
    await assert.rejects(delivery.image(), { code: "RECORD_UNREADABLE", disposition: "reject" });
    await opened.spool.settle("a", delivery.record.id, { kind: "rejected", code: "RECORD_UNREADABLE", message: "x" });
  });
});

describe("spool folder", () => {
  it("is one process's at a time: a second is refused, and a killed owner leaves no lock behind", async () => {
    await using folder = await tempFolder();
    const { spool: second } = diskSpoolOf(folder.path);
    {
      await using first = await openSpool(folder.path);
      await assert.rejects(second.start(signal), (error: Error) => {
        assert.match(error.message, new RegExp(`process ${process.pid}`));
        return "code" in error && error.code === "SPOOL_LOCKED";
      });
      const other = spoolInAnotherProcess(folder.path, "process.exit(0)");
      assert.match(other.stderr, /SPOOL_LOCKED/);
      assert.equal((await first.spool.stats()).records, 0, "the owner goes on");
    }
    const killed = spoolInAnotherProcess(folder.path, "process.kill(process.pid, 'SIGKILL')");
    assert.equal(killed.signal, "SIGKILL", killed.stderr);
    await using third = await openSpool(folder.path);
    assert.equal((await third.spool.stats()).records, 0);
  });

  for (const wiped of [[""], ["data", "index.db"], ["data", "index.db", "VERSION", "id"]]) {
    it(`gives no name twice when ${wiped.join(", ") || "all of it"} was wiped and sequences start again`, async () => {
      await using folder = await tempFolder();
      const names = new Set<string>();
      for (const round of [1, 2]) {
        await using opened = await openSpool(join(folder.path, "spool"));
        const { name, sequence } = await opened.spool.append(draftOf(), imageOf(300), ["a"]);
        assert.equal(sequence, 1);
        names.add(name);
        assert.equal(names.size, round);
        await opened.spool.stop();
        for (const path of wiped) await rm(join(folder.path, "spool", path), { recursive: true });
      }
    });
  }

  it("of a newer format is refused and left alone", async () => {
    await using folder = await tempFolder();
    await writeFile(join(folder.path, "VERSION"), "2\n");
    const { spool } = diskSpoolOf(folder.path);
    await assert.rejects(spool.start(signal), { code: "SPOOL_FORMAT_UNKNOWN", disposition: "fatal" });
    assert.equal(await readFile(join(folder.path, "VERSION"), "utf8"), "2\n");
  });

  it("that cannot be made fails with a clear code", async () => {
    await using folder = await tempFolder();
    await writeFile(join(folder.path, "file"), "");
    const { spool } = diskSpoolOf(join(folder.path, "file", "spool"));
    await assert.rejects(spool.start(signal), { code: "DISK_FAILED" });
  });

  it("refuses everything after stop, and stop waits for what is being written", async () => {
    await using folder = await tempFolder();
    const { spool } = diskSpoolOf(folder.path);
    await spool.start(signal);
    const appends = Array.from({ length: 8 }, async () => await spool.append(draftOf(), imageOf(50_000), ["a"]));
    const outcomes = Promise.allSettled(appends);
    await Promise.race(appends);
    await spool.stop();
    const accepted = (await outcomes).filter(({ status }) => status === "fulfilled").length;
    await assert.rejects(spool.append(draftOf(), imageOf(300), ["a"]), { code: "SPOOL_STOPPED" });
    await spool.stop();
    await using again = await openSpool(folder.path);
    assert.equal((await again.spool.stats()).records, accepted);
  });
});

async function flipBit(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

/** The same index, but it says that a later version wrote it. */
async function asOfTheFuture(index: string): Promise<void> {
  const database = new Database(index);
  database.exec("UPDATE kv SET value = 99 WHERE name = 'format'");
  database.close();
  return Promise.resolve();
}
