import assert from "node:assert/strict";
import { mkdir, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import type { SpoolListing } from "../../src/core/ports.ts";
import { checkValueOf, keyOf } from "../../src/spool/cipher.ts";
import { envelopePath, layoutOf } from "../../src/spool/layout.ts";
import type { DiskSpool } from "../../src/spool/spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { editIndex } from "../lib/index-edit.ts";
import { copyOf, exportTo, idsIn, importFrom, listingsOf } from "../lib/moves.ts";
import { methodsOf } from "../lib/queue-methods.ts";
import { mountSmallDisk, needsSmallDisk, unmount } from "../lib/small-disk.ts";
import { tempFolder } from "../lib/temp.ts";
import { findingsOf } from "../lib/verify.ts";

const everything = { recordsMax: 1_000, bytesMax: Infinity };

async function fill(spool: DiskSpool, records: number, owedTo = ["a"], sizeBytes = 3_000): Promise<string[]> {
  const appended: string[] = [];
  for (let at = 0; at < records; at += 1) {
    appended.push((await spool.append(draftOf(), imageOf(sizeBytes, at), owedTo)).id);
  }
  return appended;
}

/** What must not change on the way. */
function carried({ record, deliveries }: SpoolListing): object {
  return { record: { ...record, sequence: 0 }, deliveries };
}

async function deliverAll(spool: DiskSpool, targetId: string): Promise<string[]> {
  const leased = await spool.lease(targetId, everything);
  for (const { record } of leased) await spool.settle(targetId, record.id, { kind: "accepted" });
  return leased.map(({ record }) => record.id);
}

/** Five records that stand as differently as they can. */
async function fillWithAllStates(spool: DiskSpool): Promise<string[]> {
  const ids = await fill(spool, 5, ["a", "b"]);
  await spool.lease("a", everything);
  await spool.lease("b", everything);
  const [fresh = "", tried = "", setAside = "", half = "", allSetAside = ""] = ids;
  const rejected = { kind: "rejected", code: "HTTP_413", message: "too large" } as const;
  for (const target of ["a", "b"]) await spool.settle(target, fresh, { kind: "release" });
  const retry = { kind: "retry", afterMs: 3_600_000, charged: true, code: "HTTP_500", message: "no" } as const;
  await spool.settle("a", tried, { ...retry, cursor: "job-7" });
  await spool.settle("b", tried, { kind: "release" });
  await spool.settle("a", setAside, rejected);
  await spool.settle("b", setAside, { kind: "release" });
  await spool.settle("a", half, { kind: "accepted" });
  await spool.settle("b", half, { kind: "release" });
  for (const target of ["a", "b"]) await spool.settle(target, allSetAside, rejected);
  return ids;
}

describe("records moved between spools", () => {
  it("keep their bytes, names, ids and states, are owed there and no more here, and are each sent once", async () => {
    await using folder = await tempFolder();
    const [there, here, stick] = ["there", "here", "stick"].map((name) => join(folder.path, name)) as [
      string,
      string,
      string,
    ];
    let ids: string[];
    let before: readonly SpoolListing[];
    {
      await using from = await openSpool(there, { device: "gw-a" });
      ids = await fillWithAllStates(from.spool);
      before = await listingsOf(from.spool.queue);
      const { failure, ...done } = await exportTo(from.spool.queue, stick);
      assert.equal(failure, undefined);
      assert.deepEqual((await from.spool.queue.verify(0, false)).findings, []);
      assert.deepEqual([done.moved, done.skipped, done.held], [5, 0, 0]);
      const stats = await from.spool.stats();
      assert.deepEqual([stats.records, stats.bytes, stats.lost], [0, 0, []]);
      assert.deepEqual(
        stats.targets.map(({ pending, quarantined, accepted }) => [pending, quarantined, accepted]),
        [
          [0, 0, 1],
          [0, 0, 0],
        ],
      );
    }
    assert.deepEqual([...(await idsIn(stick))].sort(), [...ids].sort());
    {
      await using to = await openSpool(here, { device: "gw-b" });
      await fill(to.spool, 2, ["b"]);
      const { failure, ...done } = await importFrom(to.spool.queue, stick);
      assert.equal(failure, undefined);
      assert.deepEqual([done.moved, done.alreadyThere, done.skipped], [5, 0, 0]);
      assert.deepEqual(await readdir(join(stick, "records")), []);
      assert.deepEqual((await to.spool.queue.verify(0, false)).findings, []);
      const after = (await listingsOf(to.spool.queue)).slice(2);
      assert.deepEqual(after.map(carried), before.map(carried));
      for (const [at, { record }] of after.entries()) {
        assert.deepEqual(await to.spool.queue.image(record.sequence), imageOf(3_000, at));
      }
      assert.deepEqual(
        (await to.spool.stats()).targets.map(({ pending, quarantined }) => [pending, quarantined]),
        [
          [2, 2],
          [6, 1],
        ],
      );
    }
    // What an index forgets the files still know.
    await rm(layoutOf(here).index);
    await using again = await openSpool(here, { device: "gw-b" });
    assert.deepEqual((await listingsOf(again.spool.queue)).slice(2).map(carried), before.map(carried));
    const tried = await again.spool.lease("a", everything);
    assert.deepEqual(
      tried.map(({ record, attempts, cursor }) => [record.id, attempts, cursor]),
      [
        [ids[0], 0, undefined],
        [ids[1], 1, "job-7"],
      ],
    );
    for (const { record } of tried) await again.spool.settle("a", record.id, { kind: "accepted" });
    assert.deepEqual((await deliverAll(again.spool, "b")).slice(2), ids.slice(0, 4));
    await using left = await openSpool(there, { device: "gw-a" });
    for (const target of ["a", "b"]) assert.deepEqual(await left.spool.lease(target, everything), []);
  });

  it("are left out while somebody works on them, and only one target's go where one is named", async () => {
    await using folder = await tempFolder();
    await using from = await openSpool(join(folder.path, "from"));
    const { spool } = from;
    const both = await fill(spool, 2, ["a", "b"]);
    const [other = ""] = await fill(spool, 1, ["b"]);
    const late = await fill(spool, 100, ["a"]);
    const [working] = await spool.lease("b", { recordsMax: 1, bytesMax: Infinity });
    const stick = join(folder.path, "stick");
    const done = await exportTo(spool.queue, stick, { targetId: "a", recordsMax: 90 });
    assert.equal(done.moved, 90);
    assert.deepEqual(await idsIn(stick), [both[1], ...late.slice(0, 89)].sort());
    assert.equal((await exportTo(spool.queue, stick, { targetId: "a" })).moved, 11);
    assert.equal(working?.record.id, both[0]);
    await spool.settle("b", both[0] ?? "", { kind: "accepted" });
    assert.deepEqual(await deliverAll(spool, "a"), [both[0]]);
    assert.deepEqual(await deliverAll(spool, "b"), [other]);
  });

  it("are passed over where they are damaged, which the spool counts", async () => {
    await using folder = await tempFolder();
    await using from = await openSpool(join(folder.path, "from"));
    const [, damaged = "", ...others] = await fill(from.spool, 4);
    await truncate(envelopePath(layoutOf(join(folder.path, "from")), 2), 1_000);
    const stick = join(folder.path, "stick");
    const { failure, moved, skipped, held } = await exportTo(from.spool.queue, stick);
    assert.deepEqual([failure, moved, skipped, held], [undefined, 3, 1, 0]);
    assert.ok(others.length === 2 && !(await idsIn(stick)).includes(damaged));
    const { records, damaged: counted, lost } = await from.spool.queue.stats();
    assert.deepEqual([records, counted, lost.map(({ reason }) => reason)], [0, 1, ["damaged"]]);
  });

  it("are taken in once, from a copy of the folder too, and after they were sent and removed", async () => {
    await using folder = await tempFolder();
    const stick = join(folder.path, "stick");
    await using from = await openSpool(join(folder.path, "from"));
    const ids = await fill(from.spool, 4);
    await exportTo(from.spool.queue, stick);
    const copies = [await copyOf(stick), await copyOf(await copyOf(stick))];
    const here = join(folder.path, "to");
    {
      await using to = await openSpool(here, { device: "gw-b" });
      assert.equal((await importFrom(to.spool.queue, stick)).moved, 4);
      const done = await importFrom(to.spool.queue, copies[0] ?? "");
      assert.deepEqual([done.moved, done.alreadyThere], [0, 4]);
      assert.deepEqual(await deliverAll(to.spool, "a"), ids);
    }
    await using again = await openSpool(here, { device: "gw-b" });
    const done = await importFrom(again.spool.queue, copies[1] ?? "");
    assert.deepEqual([done.moved, done.alreadyThere], [0, 4]);
    assert.deepEqual(await again.spool.lease("a", everything), []);
  });

  it("may come back to where they were, as often as they like", async () => {
    await using folder = await tempFolder();
    await using one = await openSpool(join(folder.path, "one"), { device: "gw-a" });
    await using two = await openSpool(join(folder.path, "two"), { device: "gw-b" });
    const ids = await fill(one.spool, 3);
    const stick = join(folder.path, "stick");
    for (const [from, to] of [[one, two] as const, [two, one] as const, [one, two] as const]) {
      assert.equal((await exportTo(from.spool.queue, stick)).moved, 3);
      assert.equal((await importFrom(to.spool.queue, stick)).moved, 3);
    }
    assert.deepEqual(await deliverAll(two.spool, "a"), ids);
    assert.deepEqual(await one.spool.lease("a", everything), []);
  });

  it("are refused where one is damaged or in disorder; the others go on", async () => {
    await using folder = await tempFolder();
    const stick = join(folder.path, "stick");
    await using from = await openSpool(join(folder.path, "from"));
    await using to = await openSpool(join(folder.path, "to"));
    const [cut = "", mixed = "", stateless = "", good = "", imageless = ""] = await fill(from.spool, 5);
    await exportTo(from.spool.queue, stick);
    const file = (id: string, ending: string): string => join(stick, "records", `${id}.${ending}`);
    const image = imageOf(3_000, 0);
    await writeFile(file(cut, "jpg"), image);
    await writeFile(file(stateless, "json"), '{"from":"x');
    await rm(file(imageless, "jpg"));
    const state = { from: "00000000-77", deliveries: [{ targetId: "a", state: "pending", attempts: 0 }] };
    await writeFile(file(mixed, "json"), JSON.stringify(state));
    const said: string[] = [];
    const done = await importFrom(to.spool.queue, stick, { onSkipped: (id, why) => said.push(`${id} ${why}`) });
    assert.equal(done.failure, undefined);
    assert.deepEqual([done.moved, done.skipped], [1, 4]);
    assert.deepEqual(said, [
      `${cut} take a record in: no trailer`,
      `${mixed} take a record in: it is not the one that its state is of`,
      `${stateless} its state is damaged`,
      `${imageless} its image is missing`,
    ]);
    assert.deepEqual([...(await idsIn(stick))].sort(), [cut, mixed, stateless, imageless].sort());
    assert.deepEqual(await deliverAll(to.spool, "a"), [good]);
  });

  it("go to targets of other names, and nothing moves while one is unknown", async () => {
    await using folder = await tempFolder();
    const stick = join(folder.path, "stick");
    await using from = await openSpool(join(folder.path, "from"));
    await using to = await openSpool(join(folder.path, "to"));
    const [first] = await fill(from.spool, 1, ["old", "a", "gone"]);
    const [second = ""] = await fill(from.spool, 1, ["gone"]);
    await exportTo(from.spool.queue, stick);
    await assert.rejects(importFrom(to.spool.queue, stick), {
      code: "USAGE_IMPORT",
      message: /owed to gone, old, and the config has a, b; .*--as THERE=HERE.*--drop-unknown/,
    });
    const renamed = new Map([["old", "b"]]);
    await assert.rejects(importFrom(to.spool.queue, stick, { renamed }), { message: /owed to gone, and/ });
    await assert.rejects(importFrom(to.spool.queue, stick, { renamed: new Map([["old", "c"]]) }), {
      message: /--as names c/,
    });
    assert.equal((await idsIn(stick)).length, 2);
    const done = await importFrom(to.spool.queue, stick, { renamed, dropUnknown: true });
    assert.deepEqual([done.moved, done.dropped, done.unwanted], [1, 1, 1]);
    assert.deepEqual(await idsIn(stick), [second]);
    for (const target of ["a", "b"]) assert.deepEqual(await deliverAll(to.spool, target), [first]);
  });

  it("stop where the spool is full, and go on later", async () => {
    await using folder = await tempFolder();
    const stick = join(folder.path, "stick");
    await using from = await openSpool(join(folder.path, "from"));
    await using to = await openSpool(join(folder.path, "to"), { recordsMax: 3 });
    const ids = await fill(from.spool, 5);
    await exportTo(from.spool.queue, stick);
    const done = await importFrom(to.spool.queue, stick);
    assert.equal(done.moved, 3);
    assert.ok(done.failure instanceof Error && "code" in done.failure && done.failure.code === "SPOOL_FULL");
    const sent = await deliverAll(to.spool, "a");
    const rest = await importFrom(to.spool.queue, stick);
    assert.deepEqual([rest.moved, rest.failure], [2, undefined]);
    assert.deepEqual([...sent, ...(await deliverAll(to.spool, "a"))], ids);
  });

  it("are encrypted on the way with the key of their spool, and need it where they come in", async () => {
    await using folder = await tempFolder();
    const stick = join(folder.path, "stick");
    const [key, other] = ["1", "2"].map((digit) => digit.repeat(64)) as [string, string];
    const [keyCheck, otherCheck] = [checkValueOf(keyOf(key)), checkValueOf(keyOf(other))];
    await using from = await openSpool(join(folder.path, "from"), { encryptionKey: key });
    await fill(from.spool, 2);
    await exportTo(from.spool.queue, stick);
    {
      await using clear = await openSpool(join(folder.path, "clear"));
      await assert.rejects(importFrom(clear.spool.queue, stick), { code: "IMPORT_KEY", message: /no key/ });
      const lied = await importFrom(clear.spool.queue, stick, { keyCheck });
      assert.ok(lied.failure instanceof Error && "code" in lied.failure && lied.failure.code === "SPOOL_KEY_MISSING");
    }
    {
      await using wrong = await openSpool(join(folder.path, "wrong"), { encryptionKey: other });
      await assert.rejects(importFrom(wrong.spool.queue, stick, { keyCheck: otherCheck }), {
        code: "IMPORT_KEY",
        message: /another key/,
      });
      const lied = await importFrom(wrong.spool.queue, stick, { keyCheck });
      assert.ok(lied.failure instanceof Error && "code" in lied.failure && lied.failure.code === "SPOOL_KEY_WRONG");
    }
    assert.equal((await idsIn(stick)).length, 2);
    await using to = await openSpool(join(folder.path, "to"), { encryptionKey: key });
    assert.equal((await importFrom(to.spool.queue, stick, { keyCheck })).moved, 2);
    const [delivery] = await to.spool.lease("a", everything);
    assert.deepEqual(await delivery?.image(), imageOf(3_000, 0));
    assert.equal((await to.spool.stats()).encrypted, 2);
  });

  it("gives a record that came in back its row, as any other", async () => {
    await using folder = await tempFolder();
    const [from, to, stick] = ["from", "to", "stick"].map((name) => join(folder.path, name)) as [
      string,
      string,
      string,
    ];
    {
      await using there = await openSpool(from);
      await fill(there.spool, 1);
      await exportTo(there.spool.queue, stick);
      await using here = await openSpool(to);
      await importFrom(here.spool.queue, stick);
      await fill(here.spool, 1);
    }
    editIndex(to, "DELETE FROM item WHERE seq = 1");
    await using again = await openSpool(to);
    await again.spool.queue.verify(0, true);
    const { done, lastSequence } = await again.spool.queue.verify(0, true);
    if (!done) await again.spool.queue.verify(lastSequence, true);
    assert.deepEqual(await findingsOf(again.spool.queue), []);
    assert.equal((await deliverAll(again.spool, "a")).length, 2);
  });
});

describe("an export that does not end", () => {
  it("holds what may lie in its folder: for that folder alone, until it is given back by hand", async () => {
    await using folder = await tempFolder();
    const [there, stick, other] = ["there", "stick", "other"].map((name) => join(folder.path, name)) as [
      string,
      string,
      string,
    ];
    {
      await using from = await openSpool(there);
      await fill(from.spool, 3, ["a", "b"]);
      const { queue } = from.spool;
      // Written, and then the process is gone.
      const broken = { ...methodsOf(queue), release: async () => await Promise.reject(new Error("gone")) };
      const done = await exportTo(broken, stick);
      assert.deepEqual([done.moved, done.held], [0, 3]);
      assert.deepEqual(await from.spool.lease("a", everything), []);
    }
    await using from = await openSpool(there);
    const { spool, log } = from;
    const warned = log.lines.find(({ event }) => event === "spool.held")?.fields;
    assert.deepEqual([warned?.["records"], warned?.["folder"]], [3, stick]);
    const refused = await exportTo(spool.queue, other);
    assert.ok(refused.failure instanceof Error && "code" in refused.failure);
    assert.equal(refused.failure.code, "SPOOL_HELD_ELSEWHERE");
    // Without being asked for, nothing that may lie elsewhere is sent from here.
    assert.equal((await spool.queue.retry({}, 0)).changed, 0);
    assert.deepEqual(await spool.lease("a", everything), []);
    assert.equal((await listingsOf(spool.queue))[0]?.deliveries[0]?.state, "held");
    assert.deepEqual((await spool.queue.verify(0, false)).findings, []);
    assert.deepEqual(
      (await spool.stats()).targets.map(({ pending }) => pending),
      [0, 0],
    );
    // It is interrupted once more before it writes anything: what was held before stays so.
    const aborted = await exportTo(spool.queue, stick, { signal: AbortSignal.abort() });
    assert.equal(aborted.moved, 0);
    const failing = { ...methodsOf(spool.queue), held: async () => await Promise.reject(new Error("no")) };
    assert.equal((await exportTo(failing, stick)).held, 3);
    assert.equal((await exportTo(spool.queue, stick, { recordsMax: 1 })).moved, 1);
    assert.equal((await spool.queue.retry({ state: "held" }, 0)).changed, 4);
    assert.equal((await deliverAll(spool, "a")).length, 2);
    assert.equal((await exportTo(spool.queue, other)).moved, 2);
  });

  it("takes out of the folder again what the spool turns out to owe", async () => {
    await using folder = await tempFolder();
    await using from = await openSpool(join(folder.path, "from"));
    const { queue } = from.spool;
    const stick = join(folder.path, "stick");
    const ids = await fill(from.spool, 2);
    const given = { ...methodsOf(queue) };
    // Between the copy and the release, as a rebuilt index or an operator would.
    given.release = async (sequence) => {
      await queue.retry({ state: "held", sequence: 1 }, 0);
      await queue.release(sequence);
    };
    const done = await exportTo(given, stick, { recordsMax: 1 });
    assert.equal(done.moved, 0);
    assert.ok(done.failure instanceof Error && "code" in done.failure && done.failure.code === "SPOOL_NOT_HELD");
    assert.deepEqual(await readdir(join(stick, "records")), []);
    assert.deepEqual(await deliverAll(from.spool, "a"), ids);
  });

  it("at a full disk has moved what fits, and keeps the rest as it was", async function () {
    await needsSmallDisk(this);
    await using folder = await tempFolder();
    const stick = join(folder.path, "stick");
    await mkdir(stick);
    await using from = await openSpool(join(folder.path, "from"));
    const { spool } = from;
    const ids = await fill(spool, 30, ["a"], 100_000);
    await spool.lease("a", everything);
    const rejected = { kind: "rejected", code: "HTTP_413", message: "too large" } as const;
    for (const id of ids) await spool.settle("a", id, id === ids[29] ? rejected : { kind: "release" });
    mountSmallDisk(stick, 2);
    let moved: readonly string[];
    try {
      const done = await exportTo(spool.queue, stick);
      assert.ok(done.failure instanceof Error && "code" in done.failure && done.failure.code === "EXPORT_FULL");
      moved = await idsIn(stick);
      assert.ok(moved.length > 10 && moved.length < 25, `${moved.length} fit`);
      assert.deepEqual([done.moved, done.held], [moved.length, 0]);
      assert.equal((await readdir(join(stick, "records"))).length, moved.length * 2, "no part is left of another");
    } finally {
      unmount(stick);
    }
    const [target] = (await spool.stats()).targets;
    assert.deepEqual([target?.pending, target?.quarantined], [29 - moved.length, 1]);
    assert.deepEqual(await deliverAll(spool, "a"), ids.slice(moved.length, 29));
  });
});
