import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Target } from "../../src/core/ports.ts";
import { DeliveryLoop } from "../../src/deliver/loop.ts";
import type { DiskSpool } from "../../src/spool/spool.ts";
import { accepted, answers, hour, minute } from "../lib/deliver-bench.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { QuietClock } from "../lib/quiet-clock.ts";
import { each, ScriptedTarget } from "../lib/scripted-target.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const week = 7 * 24 * hour;
const badSequence = 4;
const askedMs = 40 * minute;

/** What is still owed to a target, by sequence: its attempts, and whether it was set aside. */
async function owedTo(spool: DiskSpool, targetId: string): Promise<ReadonlyMap<number, string>> {
  const listed = await spool.list({ afterSequence: 0, recordsMax: 1_000 });
  return new Map(
    listed.flatMap(({ record, deliveries }) =>
      deliveries
        .filter((delivery) => delivery.targetId === targetId)
        .map(({ state, attempts }) => [record.sequence, `${state}, ${attempts} attempts`] as const),
    ),
  );
}

describe("delivery from the disk over a simulated week", function () {
  // 5 s of turns between threads, which took 20 beside three busy loops on two cores.
  this.timeout(60_000);

  it("gets good records past one answered 500 for ever and past a dead target, charges nobody else, loses and doubles nothing", async () => {
    await using folder = await tempFolder();
    const clock = new QuietClock();
    await using opened = await openSpool(folder.path, { clock });
    const { spool } = opened;
    const works = new ScriptedTarget(
      "works",
      each(({ record }) => (record.sequence === badSequence ? answers("HTTP_500") : accepted)),
      { callsInFlightMax: 2 },
    );
    let up = false;
    let asked = 0;
    const dead = new ScriptedTarget(
      "dead",
      each(() => {
        if (up) return accepted;
        asked += 1;
        return asked % 50 === 0 ? answers("HTTP_503", askedMs) : answers("NET_REFUSED");
      }),
      { callsInFlightMax: 2 },
      () => clock.monotonicMs(),
    );
    const seams = { clock, random: seededRandom(5), log: new RecordingLogger() };
    const loopOf = (target: Target): DeliveryLoop => new DeliveryLoop(target, clock.watched(spool), seams);
    const loops = [loopOf(works), loopOf(dead)];
    for (const loop of loops) loop.start();

    // Six at once, then one every four hours; the first six and every 14th later one are owed to both.
    const ids = { works: [] as string[], dead: [] as string[] };
    for (let at = 0; at < 6 + 42; at += 1) {
      if (at >= 6) await clock.run(week / 42);
      const toBoth = at < 6 || at % 14 === 0;
      const { id } = await spool.append(draftOf(), imageOf(300, at), toBoth ? ["works", "dead"] : ["works"]);
      ids.works.push(id);
      if (toBoth) ids.dead.push(id);
    }
    await clock.run(minute);

    const good = ids.works.filter((_, at) => at + 1 !== badSequence);
    assert.deepEqual(works.accepted.toSorted(), good, "every good record flowed, once");
    assert.deepEqual([...(await owedTo(spool, "works"))], [[badSequence, "quarantined, 7 attempts"]]);
    const owed = await owedTo(spool, "dead");
    assert.equal(owed.size, ids.dead.length);
    assert.deepEqual(new Set(owed.values()), new Set(["pending, 0 attempts"]));

    // Full jitter below 15 minutes is 7.5 on average: 1,344 calls in a week, less for the longer pauses asked for.
    const { calls } = dead;
    assert.ok(calls.length > 800 && calls.length < 1_500, `${calls.length} calls of a dead target`);
    const asking = calls.flatMap(({ atMs }, at) => ((at + 1) % 50 === 0 && calls[at + 1] ? [atMs] : []));
    assert.ok(asking.length > 10);
    for (const atMs of asking) {
      const pauseMs = (calls.find((call) => call.atMs > atMs)?.atMs ?? 0) - atMs;
      assert.ok(pauseMs >= askedMs && pauseMs <= 1.1 * askedMs + 1_000, `Retry-After: ${pauseMs} ms`);
    }

    up = true;
    await clock.run(hour, () => dead.accepted.length === ids.dead.length);
    await clock.settle();
    assert.deepEqual(dead.accepted.toSorted(), ids.dead, "all that waited arrived, once");
    assert.equal((await owedTo(spool, "dead")).size, 0);
    const stopped = Promise.all(loops.map(async (loop) => await loop.stop()));
    await clock.run(minute);
    await stopped;
  });
});
