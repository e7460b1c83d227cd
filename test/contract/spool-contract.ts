import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Delivery, Settlement, Spool } from "../../src/core/ports.ts";
import type { RecordDraft, StoredRecord } from "../../src/core/types.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { type SimulatedClock, seededRandom } from "../lib/seams.ts";

/** A spool of device `gw`, unbounded unless `recordsMax` says so. */
export interface SpoolUnderTest {
  readonly clock: SimulatedClock;
  open(seams: { clock: SimulatedClock; random: () => number }, recordsMax?: number): Promise<Spool>;
  close(): Promise<void>;
}

const everything = { recordsMax: 100, bytesMax: Infinity };
const signal = new AbortController().signal;
const retry: Extract<Settlement, { kind: "retry" }> = {
  kind: "retry",
  afterMs: 0,
  charged: false,
  code: "NET_TIMEOUT",
  message: "no answer",
};

function idsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ record }) => record.id);
}

async function answered(promise: Promise<void>, withinMs = 1_000): Promise<boolean> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), withinMs);
  const gaveUp = new Promise<false>((resolve) => late.signal.addEventListener("abort", () => resolve(false)));
  const first = await Promise.race([promise.then(() => true as const), gaveUp]);
  clearTimeout(timer);
  return first;
}

/** What every implementation of the Spool port promises, the fake included. */
export function spoolContract(name: string, make: () => SpoolUnderTest): void {
  describe(`spool contract: ${name}`, () => {
    let clock: SimulatedClock;
    let under: SpoolUnderTest;
    let spool: Spool;

    async function open(recordsMax?: number): Promise<Spool> {
      spool = await under.open({ clock, random: seededRandom(7) }, recordsMax);
      await spool.start(signal);
      return spool;
    }

    async function append(
      owedTo: readonly string[] = ["a"],
      change: Partial<RecordDraft> = {},
      jpeg = imageOf(600),
    ): Promise<StoredRecord> {
      return await spool.append(draftOf(change), jpeg, owedTo);
    }

    beforeEach(() => {
      under = make();
      clock = under.clock;
    });

    afterEach(async () => {
      await spool.stop();
      await under.close();
    });

    it("stores what it was given, with an id, a name and the image's digest", async () => {
      await open();
      const jpeg = imageOf(1_234);
      const record = await append(["a"], { cameraId: "yard" }, jpeg);
      assert.match(record.name, /^gw-[0-9a-z]+-1\.jpg$/);
      assert.equal(record.device, "gw");
      assert.equal(record.sequence, 1);
      assert.match(record.id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
      assert.equal(record.imageBytes, 1_234);
      assert.equal(record.imageSha256, createHash("sha256").update(jpeg).digest("hex"));
      const [delivery] = await spool.lease("a", everything);
      assert.ok(delivery);
      assert.deepEqual(delivery.record, record);
      assert.equal(delivery.attempts, 0);
      assert.deepEqual(await delivery.image(), jpeg);
    });

    it("numbers records without a gap or a repeat, also when many are appended at once", async () => {
      await open();
      const records = await Promise.all(Array.from({ length: 20 }, async () => await append()));
      records.sort((a, b) => a.sequence - b.sequence);
      assert.deepEqual(
        records.map(({ sequence }) => sequence),
        Array.from({ length: 20 }, (_, at) => at + 1),
      );
      const ids = records.map(({ id }) => id);
      assert.equal(new Set(ids).size, 20);
      assert.deepEqual(ids, [...ids].sort(), "ids sort like sequences");
    });

    it("refuses a record that nobody is owed", async () => {
      await open();
      await assert.rejects(append([]), { code: "SPOOL_NOT_OWED" });
      assert.equal((await spool.stats()).records, 0);
    });

    it("refuses what exceeds its bound, and takes records again once one is finished", async () => {
      await open(2);
      await append();
      await append();
      await assert.rejects(append(), { code: "SPOOL_FULL", disposition: "retry" });
      assert.equal((await spool.stats()).records, 2);
      const [first] = await spool.lease("a", { recordsMax: 1, bytesMax: 1 });
      assert.ok(first);
      await spool.settle("a", first.record.id, { kind: "accepted" });
      await append();
      assert.equal((await spool.stats()).records, 2);
    });

    it("leases the highest priority first, then the oldest", async () => {
      await open();
      const plain = await append();
      const urgent = await append(["a"], { reason: { rule: "label:fire", priority: 5 } });
      const low = await append(["a"], { reason: { rule: "negative", priority: -1 } });
      const later = await append();
      const leased = await spool.lease("a", everything);
      assert.deepEqual(idsOf(leased), [urgent.id, plain.id, later.id, low.id]);
    });

    it("leases up to the limits, but always at least one", async () => {
      await open();
      for (let count = 0; count < 4; count += 1) await append();
      assert.equal((await spool.lease("a", { recordsMax: 3, bytesMax: 1_200 })).length, 2);
      assert.equal((await spool.lease("a", { recordsMax: 3, bytesMax: 10 })).length, 1);
      assert.equal((await spool.lease("a", { recordsMax: 3, bytesMax: 10 })).length, 1);
      assert.equal((await spool.lease("a", everything)).length, 0, "nothing is leased twice");
    });

    it("never leases a delivery twice, also when asked twice at once", async () => {
      await open();
      for (let count = 0; count < 6; count += 1) await append();
      const both = await Promise.all([
        spool.lease("a", { recordsMax: 3, bytesMax: Infinity }),
        spool.lease("a", { recordsMax: 3, bytesMax: Infinity }),
      ]);
      assert.equal(new Set(idsOf(both.flat())).size, 6);
    });

    it("keeps the targets of one record apart", async () => {
      await open();
      const record = await append(["a", "b"]);
      const [forA] = await spool.lease("a", everything);
      assert.ok(forA);
      await spool.settle("a", record.id, { kind: "accepted" });
      assert.deepEqual(await spool.lease("a", everything), []);
      const [forB] = await spool.lease("b", everything);
      assert.ok(forB);
      assert.deepEqual(await forB.image(), imageOf(600), "the image stays until the last target has it");
      assert.deepEqual(await spool.lease("c", everything), []);
    });

    it("forgets a record that every target accepted, and counts it", async () => {
      await open();
      const record = await append(["a", "b"]);
      for (const targetId of ["a", "b"]) {
        await spool.lease(targetId, everything);
        await spool.settle(targetId, record.id, { kind: "accepted", remoteId: "r1" });
      }
      const stats = await spool.stats();
      assert.equal(stats.records, 0);
      assert.equal(stats.bytes, 0);
      assert.equal(stats.lastSequence, 1);
      assert.deepEqual(
        stats.targets.map(({ targetId, pending, leased, accepted }) => ({ targetId, pending, leased, accepted })),
        ["a", "b"].map((targetId) => ({ targetId, pending: 0, leased: 0, accepted: 1 })),
      );
      assert.deepEqual(await spool.list({ afterSequence: 0, recordsMax: 10 }), []);
    });

    it("sets a rejected delivery aside with its reason and goes on with the others", async () => {
      await open();
      const bad = await append(["a", "b"]);
      const good = await append(["a"]);
      await spool.lease("a", everything);
      await spool.settle("a", bad.id, { kind: "rejected", code: "HTTP_400", message: "not an image" });
      await spool.settle("a", good.id, { kind: "accepted" });
      assert.deepEqual(await spool.lease("a", everything), []);
      const listing = await spool.list({ afterSequence: 0, recordsMax: 10 });
      assert.deepEqual(listing, [
        {
          record: bad,
          deliveries: [
            { targetId: "a", state: "quarantined", attempts: 0, error: "HTTP_400: not an image" },
            { targetId: "b", state: "pending", attempts: 0 },
          ],
        },
      ]);
      const [backlog] = (await spool.stats()).targets;
      assert.deepEqual(backlog, { targetId: "a", pending: 0, leased: 0, quarantined: 1, accepted: 1 });
    });

    it("gives a released delivery out again unchanged", async () => {
      await open();
      const record = await append();
      await spool.lease("a", everything);
      await spool.settle("a", record.id, { kind: "release" });
      const [again] = await spool.lease("a", everything);
      assert.equal(again?.record.id, record.id);
      assert.equal(again.attempts, 0);
    });

    it("counts only charged attempts and keeps the cursor until it is replaced or cleared", async () => {
      await open();
      const record = await append();
      async function settleAndLease(settlement: Settlement): Promise<[number, string | undefined]> {
        await spool.settle("a", record.id, settlement);
        const [next] = await spool.lease("a", everything);
        assert.ok(next);
        return [next.attempts, next.cursor];
      }
      await spool.lease("a", everything);
      assert.deepEqual(await settleAndLease({ ...retry, cursor: "job-1" }), [0, "job-1"]);
      assert.deepEqual(await settleAndLease({ ...retry, charged: true }), [1, "job-1"]);
      assert.deepEqual(await settleAndLease({ ...retry, charged: true, cursor: "job-2" }), [2, "job-2"]);
      assert.deepEqual(await settleAndLease({ ...retry, cursor: "" }), [2, undefined]);
    });

    it("refuses a cursor over 512 bytes and keeps the lease", async () => {
      await open();
      const record = await append();
      await spool.lease("a", everything);
      await assert.rejects(spool.settle("a", record.id, { ...retry, cursor: "é".repeat(257) }), {
        code: "SPOOL_CURSOR_TOO_LONG",
      });
      await spool.settle("a", record.id, { ...retry, cursor: "é".repeat(256) });
      assert.equal((await spool.lease("a", everything))[0]?.cursor, "é".repeat(256));
    });

    it("does not lease a deferred delivery before its time, and others pass it", async () => {
      await open();
      const first = await append();
      const second = await append();
      await spool.lease("a", { recordsMax: 1, bytesMax: 1 });
      await spool.settle("a", first.id, { ...retry, afterMs: 10_000 });
      assert.deepEqual(idsOf(await spool.lease("a", everything)), [second.id]);
      await spool.settle("a", second.id, { kind: "accepted" });
      clock.advance(9_000);
      assert.deepEqual(await spool.lease("a", everything), []);
      clock.advance(1_500);
      assert.deepEqual(idsOf(await spool.lease("a", everything)), [first.id]);
    });

    it("a wall clock that jumps delays nothing", async () => {
      await open();
      const record = await append();
      await spool.lease("a", everything);
      clock.jump(-86_400_000);
      await spool.settle("a", record.id, { ...retry, afterMs: 1_000 });
      clock.advance(1_100);
      assert.deepEqual(idsOf(await spool.lease("a", everything)), [record.id]);
    });

    it("refuses to settle what is not leased", async () => {
      await open();
      const record = await append();
      await assert.rejects(spool.settle("a", record.id, { kind: "accepted" }), { code: "SPOOL_NOT_LEASED" });
      await spool.lease("a", everything);
      await assert.rejects(spool.settle("b", record.id, { kind: "accepted" }), { code: "SPOOL_NOT_LEASED" });
      await spool.settle("a", record.id, { kind: "accepted" });
      await assert.rejects(spool.settle("a", record.id, { kind: "accepted" }), { code: "SPOOL_NOT_LEASED" });
    });

    it("wakes a waiting target for a new, a released and a deferred delivery, and only then", async () => {
      await open();
      while ((await spool.lease("a", everything)).length > 0);
      const waiting = spool.waitForDue("a", signal);
      await append(["b"]);
      assert.equal(await answered(waiting, 50), false, "another target's record wakes nobody else");
      const record = await append(["a"]);
      assert.ok(await answered(waiting), "new");

      await spool.lease("a", everything);
      assert.deepEqual(await spool.lease("a", everything), []);
      const released = spool.waitForDue("a", signal);
      assert.equal(await answered(released, 50), false, "a leased delivery is not due");
      await spool.settle("a", record.id, { kind: "release" });
      assert.ok(await answered(released), "released");

      await spool.lease("a", everything);
      assert.deepEqual(await spool.lease("a", everything), []);
      const deferred = spool.waitForDue("a", signal);
      await spool.settle("a", record.id, { ...retry, afterMs: 60_000 });
      assert.ok(await answered(deferred), "deferred: the simulated clock sleeps no real time");
      while ((await spool.lease("a", everything)).length === 0) await spool.waitForDue("a", signal);
    });

    it("resolves at once when something came before the wait began", async () => {
      await open();
      assert.deepEqual(await spool.lease("a", everything), []);
      await append();
      assert.ok(await answered(spool.waitForDue("a", signal)));
    });

    it("ends a wait when its signal aborts", async () => {
      await open();
      assert.deepEqual(await spool.lease("a", everything), []);
      const stop = new AbortController();
      const waiting = spool.waitForDue("a", stop.signal);
      stop.abort();
      await assert.rejects(waiting, { name: "AbortError" });
    });

    it("lists records oldest first, page by page", async () => {
      await open();
      for (let count = 0; count < 5; count += 1) await append();
      const first = await spool.list({ afterSequence: 0, recordsMax: 2 });
      const second = await spool.list({ afterSequence: 2, recordsMax: 100 });
      assert.deepEqual(
        [...first, ...second].map(({ record }) => record.sequence),
        [1, 2, 3, 4, 5],
      );
    });

    it("counts what is pending, leased and stored", async () => {
      await open();
      await append(["a", "b"]);
      await append(["a"]);
      await spool.lease("a", { recordsMax: 1, bytesMax: 1 });
      const stats = await spool.stats();
      assert.equal(stats.records, 2);
      assert.ok(stats.bytes >= 1_200);
      assert.deepEqual(stats.targets, [
        { targetId: "a", pending: 2, leased: 1, quarantined: 0, accepted: 0 },
        { targetId: "b", pending: 1, leased: 0, quarantined: 0, accepted: 0 },
      ]);
    });
  });
}
