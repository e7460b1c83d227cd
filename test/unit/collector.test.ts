import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { type Collected, Collector } from "../../src/spool/collector.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

const nothingMore: Collected = { more: false, stuck: 0 };

/** A collector on virtual time, and when it flushed. */
function benchOf(collect: (again: boolean) => Collected | Promise<Collected> = () => nothingMore) {
  const clock = new VirtualClock();
  const log = new RecordingLogger();
  const flushedAtMs: number[] = [];
  const collector = new Collector(clock, log, async (again) => {
    flushedAtMs.push(clock.monotonicMs());
    return await collect(again);
  });
  const settle = (outcomes: number): void => {
    for (let outcome = 0; outcome < outcomes; outcome += 1) collector.settled();
  };
  return { clock, log, flushedAtMs, collector, settle };
}

describe("collector", () => {
  it("flushes 64 outcomes at once, fewer 5 s after the first, and nothing when nothing was settled", async () => {
    const { clock, flushedAtMs, collector, settle } = benchOf();
    await collector.now();
    await clock.run(60_000);
    assert.deepEqual(flushedAtMs, []);
    settle(1);
    await clock.run(4_000);
    settle(10);
    await clock.run(60_000);
    assert.deepEqual(flushedAtMs, [65_000]);
    settle(64);
    await clock.run(1_000);
    assert.deepEqual(flushedAtMs, [65_000, 124_000]);
    await collector.stop();
    assert.equal(flushedAtMs.length, 2, "the timer that the first of the 64 began finds nothing to do");
  });

  it("flushes what was settled during a flush with the next one, no more than 5 s later", async () => {
    const { clock, flushedAtMs, collector, settle } = benchOf(async () => {
      if (flushedAtMs.length === 1) settle(3);
      if (flushedAtMs.length === 2) settle(70);
      return nothingMore;
    });
    settle(64);
    await clock.run(60_000);
    assert.deepEqual(flushedAtMs, [0, 5_000, 5_000]);
    await collector.stop();
  });

  it("takes group after group until nothing finished is left", async () => {
    let groups = 3;
    const { flushedAtMs, collector, settle } = benchOf(() => ({ more: (groups -= 1) > 0, stuck: 0 }));
    settle(1);
    await collector.now();
    assert.equal(flushedAtMs.length, 3);
    await collector.stop();
  });

  it("flushes what is left when it stops", async () => {
    const { flushedAtMs, collector, settle } = benchOf();
    settle(2);
    await collector.stop();
    assert.equal(flushedAtMs.length, 1);
  });

  it("tries a failing disk again only every few seconds, says so once a minute, and recovers by itself", async () => {
    let broken = true;
    const { clock, log, flushedAtMs, collector, settle } = benchOf(() => {
      if (broken) throw new AgentError("DISK_FAILED", "flush index.db-wal: EIO", { disposition: "retry" });
      return nothingMore;
    });
    for (let second = 0; second < 30; second += 1) {
      settle(20);
      await clock.run(1_000);
    }
    assert.ok(flushedAtMs.length >= 4 && flushedAtMs.length <= 8, `${flushedAtMs.length} tries in 30 s`);
    assert.equal(log.lines.length, 1);

    broken = false;
    await clock.run(5_000);
    const before = flushedAtMs.length;
    await clock.run(60_000);
    assert.equal(flushedAtMs.length, before, "all of it is flushed, though nothing was settled since");
    settle(64);
    await clock.settle();
    assert.equal(flushedAtMs.length, before + 1, "a full group goes at once again");
    await collector.stop();
  });

  it("says once a minute what cannot be removed, and has it tried again every ten minutes", async () => {
    const tried: boolean[] = [];
    const { clock, log, collector, settle } = benchOf((again) => {
      tried.push(again);
      const stuckError = { code: "DISK_FAILED", message: "remove 1.jpg: EISDIR" };
      return { more: false, stuck: 1, ...(again ? { stuckError } : {}) };
    });
    for (let round = 0; round < 130; round += 1) {
      settle(1);
      await clock.run(10_000);
    }
    assert.equal(tried.filter((again) => again).length, 3);
    assert.equal(tried.length, 130);
    assert.deepEqual(
      log.lines.map(({ event, fields }) => [event, fields["records"], fields["code"]]),
      Array.from({ length: 3 }, () => ["spool.envelopes.stuck", 1, "DISK_FAILED"]),
    );
    await collector.stop();
  });
});
