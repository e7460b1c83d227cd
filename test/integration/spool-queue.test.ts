import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, it } from "mocha";
import type { DeliverySelection, Queue, QueueFinding, QueueStep } from "../../src/core/queue.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { draftEnvelope, sealEnvelope } from "../../src/spool/envelope.ts";
import { envelopePath, layoutOf } from "../../src/spool/layout.ts";
import type { DiskSpool } from "../../src/spool/spool.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { editIndex } from "../lib/index-edit.ts";
import { until } from "../lib/poll.ts";
import { tempFolder } from "../lib/temp.ts";

const everything = { recordsMax: 1_000, bytesMax: Infinity };
const one = { recordsMax: 1, bytesMax: Infinity };
const tooLarge = { kind: "rejected", code: "HTTP_413", message: "too large" } as const;

async function appendMany(spool: DiskSpool, records: number, owedTo: readonly string[]): Promise<StoredRecord[]> {
  const appended: StoredRecord[] = [];
  for (let at = 0; at < records; at += 1) appended.push(await spool.append(draftOf(), imageOf(2_000, at), owedTo));
  return appended;
}

async function rejectAll(spool: DiskSpool, targetId: string): Promise<void> {
  for (const { record } of await spool.lease(targetId, everything)) await spool.settle(targetId, record.id, tooLarge);
}

async function allSteps(step: (after: number) => Promise<QueueStep>): Promise<QueueStep & { readonly steps: number }> {
  let [changed, busy, after, steps] = [0, 0, 0, 0];
  for (;;) {
    const last = await step(after);
    changed += last.changed;
    busy += last.busy;
    steps += 1;
    assert.ok(last.done || last.lastSequence > after, "every step gets on");
    after = last.lastSequence;
    if (last.done) return { ...last, changed, busy, steps };
  }
}

async function dropAll(queue: Queue, selection: DeliverySelection): Promise<QueueStep & { readonly steps: number }> {
  return await allSteps(async (after) => await queue.drop(selection, after));
}

async function verified(queue: Queue, repair = false): Promise<{ checked: number; findings: readonly QueueFinding[] }> {
  const findings: QueueFinding[] = [];
  for (let [after, checked] = [0, 0]; ;) {
    const step = await queue.verify(after, repair);
    findings.push(...step.findings);
    checked += step.recordsChecked;
    if (step.done) return { checked, findings };
    after = step.lastSequence;
  }
}

function codesBySequence(findings: readonly QueueFinding[]): readonly string[] {
  return findings.map(({ code, sequence = "-" }) => `${sequence} ${code}`).sort();
}

async function envelopesIn(folder: string): Promise<number> {
  const names = await readdir(layoutOf(folder).data, { recursive: true });
  return names.filter((name) => name.endsWith(".jpg")).length;
}

/** Not the next record's either, whose id differs in its last places alone. */
function otherId(id: string): string {
  return `${id.slice(0, 10)}${id[10] === "Z" ? "Y" : "Z"}${id.slice(11)}`;
}

describe("what an operator does with the spool", () => {
  it("finds a record by sequence, id and name, also by a name that another spool gave", async () => {
    await using folder = await tempFolder();
    let other: StoredRecord;
    {
      await using first = await openSpool(folder.path);
      const [record] = await appendMany(first.spool, 2, ["a"]);
      assert.ok(record);
      const { queue } = first.spool;
      for (const reference of ["1", record.id, record.id.toLowerCase(), record.name]) {
        assert.deepEqual((await queue.find(reference))?.record, record, reference);
      }
      const absent = ["3", "0", "", "gw", "../../1", otherId(record.id), record.name.replace("-1.", "-7.")];
      for (const reference of absent) assert.equal(await queue.find(reference), undefined, reference);
      other = { ...record, device: "elsewhere", name: "elsewhere-abcdefgh-77.jpg", sequence: 3 };
    }
    const image = imageOf(2_000, 9);
    const draft = draftEnvelope(image, { record: other, owedTo: ["a"] }, 0);
    const envelope = Buffer.concat(await sealEnvelope(image, draft, undefined));
    await writeFile(envelopePath(layoutOf(folder.path), 3), envelope);
    await using second = await openSpool(folder.path);
    assert.equal((await second.spool.queue.find("elsewhere-abcdefgh-77.jpg"))?.record.sequence, 3);
    assert.equal(await second.spool.queue.find("elsewhere-abcdefgh-3.jpg"), undefined);
    assert.deepEqual(await second.spool.queue.image(3), image);
    await assert.rejects(second.spool.queue.image(4), { code: "RECORD_UNREADABLE" });
  });

  it("lists by target and state, with reasons", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    const { spool } = opened;
    await appendMany(spool, 3, ["a", "b"]);
    await spool.lease("b", one);
    const [leased] = await spool.lease("a", one);
    assert.ok(leased);
    await spool.settle("a", leased.record.id, tooLarge);
    const sequences = async (fitting: { targetId?: string; state?: "pending" | "quarantined" | "held" }) =>
      (await spool.queue.list({ ...fitting, afterSequence: 0, recordsMax: 10 })).map(({ record }) => record.sequence);
    assert.deepEqual(await sequences({}), [1, 2, 3]);
    assert.deepEqual(await sequences({ targetId: "a", state: "pending" }), [2, 3]);
    assert.deepEqual(await sequences({ state: "quarantined" }), [1]);
    assert.deepEqual(await sequences({ targetId: "b", state: "quarantined" }), []);
    assert.deepEqual(await sequences({ targetId: "b" }), [1, 2, 3]);
    assert.deepEqual(await sequences({ state: "held" }), []);
    const [listing] = await spool.queue.list({ state: "quarantined", afterSequence: 0, recordsMax: 1 });
    assert.equal(listing?.deliveries[0]?.error, "HTTP_413: too large");
  });

  it("makes quarantined deliveries due again, wakes their target, and shows the reason until the next try", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    const { spool } = opened;
    await appendMany(spool, 3, ["a", "b"]);
    await rejectAll(spool, "a");
    assert.deepEqual(await spool.lease("a", everything), []);
    let woken = false;
    const waiting = spool.waitForDue("a", new AbortController().signal).then(() => (woken = true));
    assert.deepEqual(await spool.queue.retry({ targetId: "b", state: "quarantined" }, 0), {
      changed: 0,
      busy: 0,
      lastSequence: 3,
      done: true,
    });
    assert.equal(woken, false);
    assert.equal((await spool.queue.retry({ state: "quarantined" }, 0)).changed, 3);
    await waiting;
    const [listing] = await spool.queue.list({ afterSequence: 0, recordsMax: 1 });
    assert.deepEqual(listing?.deliveries[0], {
      targetId: "a",
      state: "pending",
      attempts: 0,
      error: "HTTP_413: too large",
    });
    assert.equal((await spool.lease("a", everything)).length, 3);
    assert.deepEqual((await verified(spool.queue)).findings, []);
  });

  it("forgets attempts and the delay of a deferred delivery", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    const { spool } = opened;
    const [record] = await appendMany(spool, 1, ["a"]);
    assert.ok(record);
    await spool.lease("a", one);
    const later = { kind: "retry", afterMs: 3_600_000, charged: true, code: "HTTP_500", message: "no" } as const;
    await spool.settle("a", record.id, { ...later, cursor: "job-7" });
    assert.deepEqual(await spool.lease("a", one), []);
    await spool.queue.retry({ sequence: 1 }, 0);
    const [again] = await spool.lease("a", one);
    assert.deepEqual([again?.attempts, again?.cursor], [0, "job-7"]);
  });

  it("ends the delay of a deferred delivery, and keeps what was tried", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    const { spool } = opened;
    const [record] = await appendMany(spool, 2, ["a"]);
    assert.ok(record);
    await spool.lease("a", one);
    const later = { kind: "retry", afterMs: 3_600_000, charged: true, code: "HTTP_500", message: "no" } as const;
    await spool.settle("a", record.id, later);
    assert.equal((await spool.queue.hasten({ targetId: "b" }, 0)).changed, 0);
    assert.equal((await spool.queue.hasten({ targetId: "a" }, 0)).changed, 1);
    const leased = await spool.lease("a", everything);
    assert.deepEqual(
      leased.map((delivery) => [delivery.record.sequence, delivery.attempts]),
      [
        [1, 1],
        [2, 0],
      ],
    );
  });

  it("sends records of a camera or with a label first, across a restart, and evicts them last", async () => {
    await using folder = await tempFolder();
    const bounds = { recordsMax: 6, eviction: "oldest" } as const;
    {
      await using opened = await openSpool(folder.path, bounds);
      const { spool } = opened;
      for (let at = 1; at <= 6; at += 1) {
        const cameraId = at === 2 ? "yard" : "gate";
        const box = { left: 1, top: 2, width: 30, height: 40 };
        const detections = [{ label: at === 4 ? "bicycle" : "car", score: 0.9, box }];
        await spool.append(draftOf({ cameraId, detections }), imageOf(500, at), ["a"]);
      }
      const prioritize = async (selection: DeliverySelection) =>
        (await allSteps(async (after) => await spool.queue.prioritize(selection, after))).changed;
      assert.equal(await prioritize({ cameraId: "attic" }), 0);
      assert.equal(await prioritize({ cameraId: "yard", label: "bicycle" }), 0);
      assert.equal(await prioritize({ cameraId: "yard" }), 1);
      assert.equal(await prioritize({ label: "bicycle", upToSequence: 3 }), 0);
      assert.equal(await prioritize({ label: "bicycle" }), 1);
      assert.deepEqual((await verified(spool.queue, true)).findings, []);
    }
    await using opened = await openSpool(folder.path, bounds);
    const { spool } = opened;
    for (let at = 7; at <= 10; at += 1) await spool.append(draftOf(), imageOf(500, at), ["a"]);
    const leased = await spool.lease("a", everything);
    const sequences = leased.map(({ record }) => record.sequence);
    assert.deepEqual(sequences.slice(0, 2), [2, 4]);
    assert.ok(!sequences.includes(1) && !sequences.includes(3), sequences.join());
  });

  it("counts what a drop would take, also by camera and up to a record, and changes nothing", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    const { spool } = opened;
    await appendMany(spool, 5, ["a", "b"]);
    await spool.append(draftOf({ cameraId: "yard" }), imageOf(500, 9), ["a"]);
    await spool.lease("a", one);
    const counts = async (selection: DeliverySelection) => {
      const { changed, busy } = await allSteps(async (after) => await spool.queue.count(selection, after));
      return [changed, busy];
    };
    assert.deepEqual(await counts({}), [10, 1]);
    assert.deepEqual(await counts({ upToSequence: 2 }), [3, 1]);
    assert.deepEqual(await counts({ sequence: 4, upToSequence: 2 }), [0, 0]);
    assert.deepEqual(await counts({ cameraId: "yard" }), [1, 0]);
    assert.deepEqual(await counts({ cameraId: "yard", sequence: 1 }), [0, 0]);
    assert.equal((await dropAll(spool.queue, { cameraId: "yard" })).changed, 1);
    assert.deepEqual(await counts({ targetId: "a" }), [4, 1]);
  });

  it("drops in steps, counted, and never what is being sent; files go with the last delivery", async function () {
    this.timeout(10_000);
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    const { spool } = opened;
    await Promise.all(Array.from({ length: 30 }, async () => await appendMany(spool, 10, ["a", "b"])));
    const [leased] = await spool.lease("a", one);
    assert.ok(leased);
    const { changed, busy, steps } = await dropAll(spool.queue, { targetId: "a" });
    assert.deepEqual([changed, busy, steps], [299, 1, 2]);
    assert.equal(await envelopesIn(folder.path), 300);
    const both = await dropAll(spool.queue, {});
    assert.deepEqual([both.changed, both.busy], [300, 1]);
    await spool.settle("a", leased.record.id, { kind: "accepted" });
    await until(async () => (await envelopesIn(folder.path)) < 70, "whole groups of files are removed");
    const { records, bytes, targets, lost } = await spool.queue.stats();
    assert.deepEqual([records, bytes], [0, 0]);
    assert.deepEqual(targets, [
      { targetId: "a", pending: 0, leased: 0, quarantined: 0, accepted: 1 },
      { targetId: "b", pending: 0, leased: 0, quarantined: 0, accepted: 0 },
    ]);
    assert.deepEqual(lost, [
      { targetId: "a", priority: 0, reason: "dropped", deliveries: 299 },
      { targetId: "b", priority: 0, reason: "dropped", deliveries: 300 },
    ]);
    assert.deepEqual(await verified(spool.queue), { checked: 0, findings: [] });
  });
});

describe("verify", () => {
  it("finds each kind of damage, mends it, and then finds nothing", async () => {
    await using folder = await tempFolder();
    const layout = layoutOf(folder.path);
    const pathOf = (sequence: number): string => envelopePath(layout, sequence);
    {
      await using first = await openSpool(folder.path);
      await appendMany(first.spool, 14, ["a", "b"]);
      await rejectAll(first.spool, "b");
      assert.deepEqual(await verified(first.spool.queue), { checked: 14, findings: [] });
    }
    editIndex(
      folder.path,
      `UPDATE item SET priority = 5 WHERE seq = 3;
       UPDATE item SET id = '01ARZ3NDEKTSV4RRFFQ69G5FAV', bytes = bytes + 10 WHERE seq = 4;
       UPDATE dlv SET priority = 5 WHERE seq = 5 AND target = 'a';
       DELETE FROM dlv WHERE seq = 6;
       DELETE FROM item WHERE seq = 7;
       DELETE FROM item WHERE seq = 8; DELETE FROM dlv WHERE seq = 8;
       INSERT INTO dlv (seq, target, state, priority, attempts, due_at) VALUES (9000, 'a', 0, 2, 0, 0);
       UPDATE kv SET value = value + 3 WHERE name = 'quarantined:b';
       UPDATE kv SET value = 77 WHERE name = 'owed-bytes:a';`,
    );
    await using second = await openSpool(folder.path);
    const { queue } = second.spool;
    await rm(pathOf(1));
    const bytes = await readFile(pathOf(2));
    bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
    await writeFile(pathOf(2), bytes);
    await writeFile(pathOf(11), bytes.subarray(0, 700));
    await writeFile(pathOf(12), "");
    const expected = [
      "- COUNTER_WRONG",
      "1 RECORD_MISSING",
      "11 RECORD_DAMAGED",
      "12 RECORD_DAMAGED",
      "2 RECORD_DAMAGED",
      "3 RECORD_DIFFERS",
      "4 RECORD_DIFFERS",
      "5 RECORD_DIFFERS",
      "6 RECORD_NOT_OWED",
      "7 DELIVERY_WITHOUT_RECORD",
      "8 FILE_WITHOUT_RECORD",
      "9000 DELIVERY_WITHOUT_RECORD",
    ];
    const found = await verified(queue);
    assert.deepEqual([...new Set(codesBySequence(found.findings))], [...expected, "- HIGH_WATER_LOW"].sort());
    assert.equal(found.checked, 12);
    assert.match(found.findings.map(({ message }) => message).join("\n"), /^record 2: image damaged$/m);
    const names = found.findings.filter(({ code }) => code === "COUNTER_WRONG").map(({ message }) => message);
    assert.match(names.join("\n"), /counter quarantined:b says 17, and 12 are there/);

    const mended = await verified(queue, true);
    assert.match(mended.findings.map(({ message }) => message).join("\n"), /^record 2: .*: set aside and counted$/m);
    assert.deepEqual(await verified(queue), { checked: 9, findings: [] });
    const { records, damaged, missing, lost } = await queue.stats();
    assert.deepEqual([records, damaged, missing], [9, 3, 1]);
    assert.deepEqual(
      lost.map(({ targetId, priority, reason, deliveries }) => `${targetId} ${priority} ${reason} ${deliveries}`),
      ["a 0 damaged 3", "a 0 missing 1", "a 2 missing 1", "b 0 damaged 3", "b 0 missing 1"],
    );
    // Whatever was not lost can still be sent: also the record that was owed to nobody, and the one without a row.
    const sendable = (await second.spool.lease("a", everything)).map(({ record }) => record.sequence);
    assert.deepEqual(sendable, [3, 4, 5, 6, 7, 9, 10, 13, 14]);
    assert.equal((await readdir(layout.bad)).length, 4);
  });

  it("leaves alone what waits in a folder that could not be listed at the start", async () => {
    await using folder = await tempFolder();
    const layout = layoutOf(folder.path);
    let envelope: Buffer;
    {
      await using first = await openSpool(folder.path);
      await appendMany(first.spool, 1, ["a"]);
      envelope = await readFile(envelopePath(layout, 1));
    }
    const waiting = envelopePath(layout, 5_000);
    await writeFile(dirname(waiting), "no folder");
    await using second = await openSpool(folder.path);
    const told = ["- FOLDER_UNLISTED"];
    assert.deepEqual(codesBySequence((await verified(second.spool.queue, true)).findings), told);
    await rm(dirname(waiting));
    await mkdir(dirname(waiting));
    await writeFile(waiting, envelope);
    assert.deepEqual(codesBySequence((await verified(second.spool.queue, true)).findings), told);
    assert.deepEqual(await readFile(waiting), envelope);
  });

  it("leaves a damaged record alone while it is being sent", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    const [record] = await appendMany(opened.spool, 1, ["a"]);
    assert.ok(record);
    await opened.spool.lease("a", one);
    await writeFile(envelopePath(layoutOf(folder.path), 1), "cut");
    const { findings } = await verified(opened.spool.queue, true);
    assert.match(findings[0]?.message ?? "", /left alone, it is being sent/);
    assert.equal((await opened.spool.stats()).records, 1);
    await opened.spool.settle("a", record.id, { kind: "release" });
    await verified(opened.spool.queue, true);
    assert.deepEqual((await verified(opened.spool.queue)).findings, []);
  });

  it("finds nothing in a healthy spool under load", async function () {
    this.timeout(20_000);
    await using folder = await tempFolder();
    await mkdir(dirname(envelopePath(layoutOf(folder.path), 1)), { recursive: true });
    await using opened = await openSpool(folder.path);
    const { spool } = opened;
    await appendMany(spool, 60, ["a", "b"]);
    const ended = new AbortController();
    const working = (): boolean => !ended.signal.aborted;
    const appending = (async () => {
      // A round reads every record that there is: unbridled, this would measure the disk.
      while (working()) {
        await appendMany(spool, 1, ["a", "b"]);
        await delay(5);
      }
    })();
    const sending = ["a", "b"].map(async (targetId) => {
      while (working()) {
        for (const { record } of await spool.lease(targetId, { recordsMax: 8, bytesMax: Infinity })) {
          const { sequence } = record;
          await spool.settle(targetId, record.id, sequence % 7 === 0 ? tooLarge : { kind: "accepted" });
        }
      }
    });
    let checked = 0;
    for (let round = 0; round < 10; round += 1) {
      const { findings, checked: more } = await verified(spool.queue, round % 2 === 1);
      assert.deepEqual(findings, []);
      checked += more;
      await spool.queue.retry({ state: "quarantined" }, 0);
    }
    ended.abort();
    await Promise.all([appending, ...sending]);
    assert.ok(checked > 60, `${checked} records checked`);
    const { damaged, missing, lost } = await spool.stats();
    assert.deepEqual([damaged, missing, lost], [0, 0, []]);
  });
});
