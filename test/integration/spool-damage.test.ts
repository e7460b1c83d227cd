import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "libsql";
import { after, describe, it } from "mocha";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { Delivery, Spool } from "../../src/core/ports.ts";
import { trailerBytes } from "../../src/spool/envelope.ts";
import { envelopePath, layoutOf, shardPath } from "../../src/spool/layout.ts";
import { crc32 } from "node:zlib";
import { diskSpoolOf, openSpool, spoolInAnotherProcess } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { MadeOnce } from "../lib/made-once.ts";
import { until } from "../lib/poll.ts";
import type { RecordingLogger } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

const everything = { recordsMax: 1_000, bytesMax: Infinity };
const signal = new AbortController().signal;

async function appendMany(spool: Spool, records: number): Promise<readonly string[]> {
  const batch = Array.from({ length: records }, (_, at) => at);
  const ids: string[] = [];
  while (batch.length > 0) {
    const appended = batch.splice(0, 30).map(async (at) => await spool.append(draftOf(), imageOf(300, at), ["a"]));
    ids.push(...(await Promise.all(appended)).map(({ id }) => id));
  }
  return ids;
}

/** A folder that holds so many records, owed to `a`, whose owner stopped in order. */
async function filled(folder: string, records: number): Promise<readonly string[]> {
  await using opened = await openSpool(folder);
  return await appendMany(opened.spool, records);
}

function sequencesOf(deliveries: readonly Delivery[]): number[] {
  return deliveries.map(({ record }) => record.sequence);
}

function logged(log: RecordingLogger, event: string): number {
  return log.lines.filter((line) => line.event === event).length;
}

/** As a crash leaves it: the index does not say that it was closed. */
function withoutClosing(folder: string): void {
  const database = new Database(layoutOf(folder).index);
  database.exec("UPDATE kv SET value = 0 WHERE name = 'closed'");
  database.close();
}

describe("background check of the index", () => {
  const one = new MadeOnce(async (folder) => filled(folder, 1));
  after(async () => one[Symbol.asyncDispose]());

  it("comes seconds after a start that follows a crash, and leaves index and lock to their owner", async () => {
    await using folder = await tempFolder();
    const killed = spoolInAnotherProcess(folder.path, "process.kill(process.pid, 'SIGKILL')");
    assert.equal(killed.signal, "SIGKILL", killed.stderr);
    const clock = new VirtualClock();
    await using opened = await openSpool(folder.path, { clock });
    const { spool, log } = opened;
    await appendMany(spool, 3);
    await clock.run(spoolLimits.checkDelayMs - 1);
    assert.equal(logged(log, "spool.index.checked"), 0);
    await clock.run(1);
    await until(() => logged(log, "spool.index.checked") === 1, "the check's end");
    assert.match(spoolInAnotherProcess(folder.path, "process.exit(0)").stderr, /SPOOL_LOCKED/);
    await appendMany(spool, 1);
    assert.deepEqual(sequencesOf(await spool.lease("a", everything)), [1, 2, 3, 4]);
    assert.equal(logged(log, "spool.index.replaced"), 0);
  });

  it("is not needed after a stop in order", async () => {
    await using folder = await one.copy();
    const clock = new VirtualClock();
    await using opened = await openSpool(folder.path, { clock });
    const [delivery] = await opened.spool.lease("a", everything);
    assert.ok(delivery);
    await clock.run(10 * spoolLimits.checkDelayMs);
    await opened.spool.settle("a", delivery.record.id, { kind: "accepted" });
    assert.equal(logged(opened.log, "spool.index.checked"), 0);
  });

  for (const stopped of ["before it begins", "while it works"]) {
    it(`ends with the spool ${stopped}`, async () => {
      await using folder = await one.copy();
      withoutClosing(folder.path);
      const clock = new VirtualClock();
      const { spool, log } = diskSpoolOf(folder.path, { clock });
      await spool.start(signal);
      if (stopped === "while it works") await clock.run(spoolLimits.checkDelayMs);
      await spool.stop();
      assert.deepEqual(
        log.lines.map(({ event }) => event),
        [],
      );
      // Stopped in order, so that nothing is left to check.
      await using again = await openSpool(folder.path, { clock });
      await clock.run(spoolLimits.checkDelayMs);
      assert.equal((await again.spool.stats()).records, 1);
      assert.deepEqual(again.log.lines, []);
    });
  }

  it("finds damage that nobody met yet, and has the index rebuilt while work goes on", async () => {
    await using folder = await tempFolder();
    const ids = await filled(folder.path, 300);
    withoutClosing(folder.path);
    const { index } = layoutOf(folder.path);
    const pages = await readFile(index);
    const at = pages.indexOf(ids[150] ?? "");
    assert.ok(at > 0, "the page that holds the 151st record");
    pages.fill(0x5a, at - (at % 4_096), at - (at % 4_096) + 4_096);
    await writeFile(index, pages);
    const clock = new VirtualClock();
    await using opened = await openSpool(folder.path, { clock });
    const { spool, log } = opened;
    const [first] = await spool.lease("a", { recordsMax: 1, bytesMax: Infinity });
    assert.equal(first?.record.sequence, 1);
    assert.equal(logged(log, "spool.index.replaced"), 0);
    await clock.run(spoolLimits.checkDelayMs);
    await until(() => logged(log, "spool.index.replaced") === 1, "the index's replacement");
    assert.equal(
      log.lines.find(({ event }) => event === "spool.index.replaced")?.fields["code"],
      "SPOOL_INDEX_DAMAGED",
    );
    await spool.settle("a", first.record.id, { kind: "accepted" });
    const rest = Array.from({ length: 299 }, (_, each) => each + 2);
    assert.deepEqual(sequencesOf(await spool.lease("a", everything)), rest);
    assert.ok((await readdir(folder.path)).includes("index.db.bad"));
  });
});

describe("spool with something else in a file's place", () => {
  const three = new MadeOnce(async (folder) => filled(folder, 3));
  after(async () => three[Symbol.asyncDispose]());

  const files = ["owner", "id", "lock", "VERSION", "index.db-wal", "index.db-shm"];
  const inPlace: readonly (readonly [what: string, put: (path: string) => Promise<unknown>])[] = [
    ["nothing", async (path) => await writeFile(path, "")],
    ["zeros", async (path) => await writeFile(path, Buffer.alloc(100))],
    ["garbage", async (path) => await writeFile(path, randomBytes(70_000))],
    ["a folder", async (path) => await mkdir(join(path, "x"), { recursive: true })],
  ];
  for (const [what, put] of inPlace) {
    it(`starts with ${what} as ${files.join(", ")}, keeps records and index, and has nothing to mend after that`, async () => {
      await using folder = await three.copy();
      for (const file of files) {
        await rm(join(folder.path, file), { force: true });
        await put(join(folder.path, file));
      }
      const names: string[] = [];
      for (const records of [3, 4]) {
        await using opened = await openSpool(folder.path);
        const leased = await opened.spool.lease("a", everything);
        assert.equal(leased.length, records);
        const { name } = await opened.spool.append(draftOf(), imageOf(300), ["a"]);
        names.push(name);
        assert.deepEqual(
          opened.log.lines.map(({ event }) => event),
          records === 3 ? ["spool.version.restored", "spool.id.renewed"] : [],
        );
      }
      const [first, second] = names.map((name) => /^gw-([0-9a-z]{8})-(\d)\.jpg$/.exec(name));
      assert.equal(first?.[1], second?.[1], "the spool's id stays from now on");
      assert.deepEqual([first?.[2], second?.[2]], ["4", "5"]);
    });
  }

  it("takes an empty VERSION in a folder without records for the first start that it is", async () => {
    await using folder = await tempFolder();
    await writeFile(join(folder.path, "VERSION"), "");
    await using opened = await openSpool(folder.path);
    assert.deepEqual(opened.log.lines, []);
    assert.equal(await readFile(join(folder.path, "VERSION"), "utf8"), "1\n");
  });

  it("refuses a folder without a VERSION whose records a newer version wrote, and leaves it alone", async () => {
    await using folder = await three.copy();
    const layout = layoutOf(folder.path);
    const path = envelopePath(layout, 3);
    const newer = await readFile(path);
    const trailer = newer.subarray(newer.length - trailerBytes);
    trailer.writeUInt16LE(9, 8);
    trailer.writeUInt32LE(crc32(trailer.subarray(0, 124)), 124);
    await writeFile(path, newer);
    await writeFile(layout.version, "");
    const { spool } = diskSpoolOf(folder.path);
    await assert.rejects(spool.start(signal), { code: "SPOOL_FORMAT_UNKNOWN", disposition: "fatal" });
    assert.equal((await stat(layout.version)).size, 0);
    assert.deepEqual(await readFile(path), newer);
  });
});

describe("spool with a shard that cannot be listed", () => {
  /** As after a power cut: the index knows five of seven records. */
  const fellBack = new MadeOnce(async (folder) => {
    const { index } = layoutOf(folder);
    await filled(folder, 5);
    const five = await readFile(index);
    await filled(folder, 2);
    await writeFile(index, five);
  });
  after(async () => fellBack[Symbol.asyncDispose]());

  for (const indexKept of [true, false]) {
    it(`starts, uses none of its sequences, and takes it in once it can (index ${indexKept ? "kept" : "lost"})`, async () => {
      await using folder = await fellBack.copy();
      const layout = layoutOf(folder.path);
      if (!indexKept) await rm(layout.index);
      const shard = shardPath(layout, 0);
      await rename(shard, `${shard}.away`);
      await writeFile(shard, "no folder");
      for (const round of [0, 1]) {
        await using opened = await openSpool(folder.path);
        const { spool, log } = opened;
        assert.equal(log.lines.find(({ event }) => event === "spool.shards.unlisted")?.fields["shards"], 1);
        assert.equal((await spool.append(draftOf(), imageOf(300), ["b"])).sequence, 4_096 + round);
      }
      await rm(shard);
      await rename(`${shard}.away`, shard);
      for (const round of [0, 1]) {
        await using opened = await openSpool(folder.path);
        const { spool, log } = opened;
        assert.deepEqual(sequencesOf(await spool.lease("a", everything)), [1, 2, 3, 4, 5, 6, 7]);
        assert.equal((await spool.stats()).records, 9 + round);
        assert.equal(logged(log, "spool.shards.unlisted"), 0);
        assert.equal((await spool.append(draftOf(), imageOf(300), ["b"])).sequence, 4_098 + round);
      }
    });
  }
});
