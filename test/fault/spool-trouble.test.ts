import assert from "node:assert/strict";
import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Worker } from "node:worker_threads";
import { describe, it } from "mocha";
import type { Delivery } from "../../src/core/ports.ts";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { Request } from "../../src/spool/index/messages.ts";
import { envelopePath, layoutOf } from "../../src/spool/layout.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { openSpool, PatientClock } from "../lib/disk-spool.ts";
import { until } from "../lib/poll.ts";
import { tempFolder } from "../lib/temp.ts";

const retry = { kind: "retry", code: "X", message: "y", charged: true } as const;
const everything = { recordsMax: 1_000, bytesMax: Infinity };

function sequencesOf(deliveries: readonly Delivery[]): number[] {
  return deliveries.map(({ record }) => record.sequence);
}

describe("spool in trouble", () => {
  it("still knows that something is due after a lease that the index could not answer", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    const { spool } = opened;
    await spool.append(draftOf(), imageOf(300), ["a"]);
    const crowd = Promise.allSettled(Array.from({ length: 2_000 }, async () => await spool.stats()));
    await assert.rejects(spool.lease("a", everything), { code: "SPOOL_BUSY" });
    await crowd;
    await spool.waitForDue("a", AbortSignal.timeout(1_000));
    assert.deepEqual(sequencesOf(await spool.lease("a", everything)), [1]);
  });

  it("makes the shard of a record anew when it was removed as empty a moment before", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    await opened.spool.append(draftOf(), imageOf(300), ["a"]);
    await rm(join(layoutOf(folder.path).data, "00000000"), { recursive: true });
    const { sequence } = await opened.spool.append(draftOf(), imageOf(300, 2), ["a"]);
    const [delivery] = await opened.spool.lease("a", everything);
    assert.deepEqual([delivery?.record.sequence, await delivery?.image()], [sequence, imageOf(300, 2)]);
  });

  it("passes over an envelope that may not be read, and delivers the others", async () => {
    await using folder = await tempFolder();
    await using opened = await openSpool(folder.path);
    const { spool, log } = opened;
    for (let at = 0; at < 3; at += 1) await spool.append(draftOf(), imageOf(300), ["a"]);
    await chmod(folder.path, 0o755);
    for (const [sequence, mode] of [0o644, 0, 0o644].entries()) {
      await chmod(envelopePath(layoutOf(folder.path), sequence + 1), mode);
    }
    const leased = await withoutPrivileges(async () => await spool.lease("a", everything));
    assert.deepEqual(sequencesOf(leased), [1, 3]);
    const unreadable = log.lines.filter(({ event }) => event === "spool.record.unreadable");
    assert.deepEqual(
      unreadable.map(({ fields }) => [fields["sequence"], fields["code"]]),
      [[2, "DISK_REFUSED"]],
    );
  });

  for (const movable of [true, false]) {
    it(`starts past an envelope that cannot be read and ${movable ? "sets it aside" : "cannot be moved"}`, async () => {
      await using folder = await tempFolder();
      const layout = layoutOf(folder.path);
      {
        await using first = await openSpool(folder.path);
        for (let at = 0; at < 2; at += 1) await first.spool.append(draftOf(), imageOf(300), ["a"]);
      }
      // Opens, but every read fails.
      await mkdir(envelopePath(layout, 3));
      if (!movable) await writeFile(layout.bad, "in the way");
      for (const appended of [4, 5]) {
        await using again = await openSpool(folder.path);
        assert.equal((await again.spool.stats()).damaged, 1);
        assert.equal((await again.spool.append(draftOf(), imageOf(300), ["a"])).sequence, appended);
      }
      if (movable) assert.deepEqual(await readdir(layout.bad), ["000000000003.jpg.bad"]);
      else assert.ok((await readdir(join(layout.data, "00000000"))).includes("000000000003.jpg"));
    });
  }

  it("flushes outcomes in groups of 64 while another target is away, though no record is finished", async () => {
    await using folder = await tempFolder();
    using made = threadsMade();
    const flushes = (): number => made.asked.filter((method) => method === "collect").length;
    {
      await using opened = await openSpool(folder.path);
      const { spool } = opened;
      for (let at = 0; at < 70; at += 1) await spool.append(draftOf(), imageOf(300), ["up", "away"]);
      const leased = await spool.lease("up", everything);
      for (const [at, { record }] of leased.entries()) {
        if (at === 64) await until(() => flushes() === 1, "a flush after 64 outcomes");
        assert.equal(flushes(), at < 64 ? 0 : 1, `after ${at} outcomes`);
        if (at % 3 === 0) await spool.settle("up", record.id, { kind: "accepted" });
        else if (at % 3 === 1) await spool.settle("up", record.id, { kind: "rejected", code: "X", message: "y" });
        else await spool.settle("up", record.id, { ...retry, afterMs: 60_000 });
      }
    }
    assert.equal(flushes(), 2, "what is left is flushed at the stop");
    {
      await using again = await openSpool(folder.path);
      const leased = await again.spool.lease("away", everything);
      for (const { record } of leased) await again.spool.settle("away", record.id, { kind: "release" });
    }
    assert.equal(flushes(), 2, "a release writes nothing");
  });

  it("removes finished envelopes past some that cannot be, counts those as taken room, and tries them again", async () => {
    await using folder = await tempFolder();
    const clock = new PatientClock();
    await using opened = await openSpool(folder.path, { clock, recordsMax: 132 });
    const { spool, log } = opened;
    const path = (sequence: number): string => envelopePath(layoutOf(folder.path), sequence);
    const append = async (): Promise<unknown> => await spool.append(draftOf(), imageOf(300), ["a"]);
    const fill = async (records: number): Promise<void> => {
      for (let left = records; left > 0; left -= 30)
        await Promise.all(Array.from({ length: Math.min(left, 30) }, append));
    };
    const settleAll = async (beforehand: () => Promise<void> = () => Promise.resolve()): Promise<void> => {
      const leased = await spool.lease("a", everything);
      await beforehand();
      for (const { record } of leased) await spool.settle("a", record.id, { kind: "accepted" });
    };
    const onDisk = async (): Promise<number> => (await readdir(dirname(path(1)))).length;
    await fill(130);
    await settleAll(async () => {
      for (const sequence of [1, 70]) {
        await rm(path(sequence));
        await mkdir(path(sequence));
      }
    });
    await until(async () => (await onDisk()) <= 4, "two groups of 64 are gone");
    await fill(1);
    await settleAll();
    await fill(128);
    await assert.rejects(fill(4), { code: "SPOOL_FULL" });
    assert.equal(log.lines.filter(({ event }) => event === "spool.envelopes.stuck").length, 1);

    for (const sequence of [1, 70]) await rm(path(sequence), { recursive: true });
    clock.advance(spoolLimits.stuckAgainMs);
    await settleAll();
    await until(async () => (await onDisk()) <= 4, "all but a part of the last group");
    await fill(130);
  });

  it("starts although a finished record cannot be removed, and says so when it tries again", async () => {
    await using folder = await tempFolder();
    const path = envelopePath(layoutOf(folder.path), 1);
    {
      await using first = await openSpool(folder.path);
      const { id } = await first.spool.append(draftOf(), imageOf(300), ["a"]);
      await first.spool.lease("a", everything);
      await first.spool.settle("a", id, { kind: "accepted" });
      await rm(path);
      await mkdir(path);
    }
    await using again = await openSpool(folder.path);
    assert.equal((await again.spool.append(draftOf(), imageOf(300), ["a"])).sequence, 2);
  });

  it("goes on with a new index thread when the old one dies, and what was asked of it is asked again", async () => {
    await using folder = await tempFolder();
    using made = threadsMade();
    const { threads } = made;
    await using opened = await openSpool(folder.path);
    const { spool, log } = opened;
    await spool.append(draftOf(), imageOf(300), ["a"]);
    const [first] = threads;
    assert.ok(first);
    // A message that is no request: an uncaught error.
    first.postMessage(undefined);
    const asked = await Promise.all([
      spool.append(draftOf(), imageOf(300), ["a"]),
      spool.append(draftOf(), imageOf(300), ["a"]),
      spool.stats(),
    ]);
    assert.deepEqual([asked[0].sequence, asked[1].sequence], [2, 3]);
    const leased = await spool.lease("a", everything);
    assert.deepEqual(sequencesOf(leased), [1, 2, 3]);
    for (const { record } of leased) await spool.settle("a", record.id, { kind: "accepted" });
    assert.deepEqual(
      log.lines.filter(({ level }) => level === "error").map(({ event, fields }) => [event, fields["code"]]),
      [["spool.index.replaced", "SPOOL_INDEX_DIED"]],
    );
    assert.ok(!(await readdir(folder.path)).includes("index.db.bad"), "a whole index is kept");
  });

  it("keeps the folder when its thread dies while nobody asks it anything", async () => {
    await using folder = await tempFolder();
    using made = threadsMade();
    const { threads } = made;
    await using opened = await openSpool(folder.path);
    await threads[0]?.terminate();
    await until(() => threads.length === 2 && opened.log.lines.length > 0, "another thread");
    await assert.rejects(openSpool(folder.path), { code: "SPOOL_LOCKED" });
  });

  it("gives up when its threads die one after the other, and stops all the same", async () => {
    await using folder = await tempFolder();
    using made = threadsMade();
    const { threads } = made;
    const dead: string[] = [];
    await using opened = await openSpool(folder.path, { onDead: ({ code }) => dead.push(code) });
    for (let deaths = 0; deaths < 4; deaths += 1) {
      await opened.spool.stats();
      await threads.at(-1)?.terminate();
    }
    await assert.rejects(opened.spool.stats(), { disposition: "fatal" });
    await assert.rejects(opened.spool.lease("a", everything), { code: "SPOOL_INDEX_FAILED" });
    assert.deepEqual(dead, ["SPOOL_INDEX_FAILED"]);
    assert.equal(threads.length, 4);
  });
});

/** The worker threads that are started from now on, and the names of what is asked of them. */
function threadsMade(): Disposable & { readonly threads: readonly Worker[]; readonly asked: readonly string[] } {
  const threads: Worker[] = [];
  const asked: string[] = [];
  const note = (worker: Worker): void => {
    threads.push(worker);
    const send = worker.postMessage.bind(worker);
    worker.postMessage = (message: Partial<Request> | undefined) => {
      asked.push(message?.method ?? "");
      send(message);
    };
  };
  process.on("worker", note);
  return { threads, asked, [Symbol.dispose]: () => process.off("worker", note) };
}

/** Root may read everything; the tests often run as root. */
async function withoutPrivileges<T>(action: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return await action();
  process.seteuid?.(65_534);
  try {
    return await action();
  } finally {
    process.seteuid?.(0);
  }
}
