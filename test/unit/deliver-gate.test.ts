import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { Gate } from "../../src/deliver/gate.ts";
import { UploadRate } from "../../src/deliver/upload-rate.ts";
import { accepted, answers, DeliverBench, hour, minute } from "../lib/deliver-bench.ts";
import { each } from "../lib/scripted-target.ts";
import { seededRandom } from "../lib/seams.ts";

const takesAll = each(() => accepted);

describe("a delivery loop with a gate", () => {
  it("sends nothing while the target is disabled, and what is owed once it is enabled", async () => {
    await using bench = new DeliverBench();
    const ids = await bench.append(3, ["a"]);
    const target = bench.target("a", takesAll);
    const gate = new Gate(bench.clock, { enabled: false });
    const loop = bench.loop(target, bench.spool, gate);
    await bench.clock.run(hour);
    assert.deepEqual(target.calls, []);
    assert.deepEqual([loop.health().state, loop.health().forMs], ["disabled", hour]);
    gate.flush(10);
    await bench.clock.run(minute);
    assert.deepEqual(target.calls, [], "a flush does not enable it");
    gate.enable(true);
    await bench.clock.run(minute);
    assert.deepEqual(target.accepted, ids);
    assert.equal(loop.health().state, "up");
  });

  it("pauses until its time is over, and lets what has begun end", async () => {
    await using bench = new DeliverBench();
    await bench.append(2, ["a"]);
    const target = bench.target("a", async (deliveries, signal) => {
      await bench.clock.sleep(1_000, signal);
      return takesAll(deliveries, signal);
    });
    const gate = new Gate(bench.clock);
    const loop = bench.loop(target, bench.spool, gate);
    await bench.clock.run(500);
    gate.pauseUntil(bench.clock.monotonicMs() + 10 * minute);
    await bench.clock.run(minute);
    assert.deepEqual([target.accepted.length, target.calls.length], [1, 1]);
    const { state, pausedForMs } = loop.health();
    assert.deepEqual([state, pausedForMs], ["paused", 9 * minute]);
    await bench.clock.run(10 * minute);
    assert.equal(target.accepted.length, 2);
    assert.equal(target.calls[1]?.atMs, 500 + 10 * minute);
  });

  it("lets what waits pass a pause once, and not what comes later", async () => {
    await using bench = new DeliverBench();
    const gate = new Gate(bench.clock);
    gate.pauseUntil(Infinity);
    const target = bench.target("a", takesAll);
    const loop = bench.loop(target, bench.spool, gate);
    const ids = await bench.append(4, ["a"]);
    await bench.clock.run(minute);
    loop.flush(3);
    await bench.clock.run(minute);
    assert.deepEqual(target.accepted, ids.slice(0, 3));
    assert.equal(loop.health().state, "paused");
    loop.flush(100);
    await bench.clock.run(minute);
    assert.deepEqual(target.accepted, ids);
    await bench.append(1, ["a"]);
    await bench.clock.run(hour);
    assert.equal(target.accepted.length, 4, "a flush ends where nothing is due");
    assert.equal(loop.health().state, "paused");
  });

  it("ends a flush that meets a target which is away", async () => {
    await using bench = new DeliverBench();
    const gate = new Gate(bench.clock);
    gate.pauseUntil(Infinity);
    let away = true;
    const target = bench.target(
      "a",
      each(() => (away ? answers("NET_REFUSED") : accepted)),
    );
    const loop = bench.loop(target, bench.spool, gate);
    await bench.append(4, ["a"]);
    loop.flush(4);
    await bench.clock.run(hour);
    assert.equal(target.calls.length, 1);
    const { state, awayBecause } = loop.health();
    assert.deepEqual([state, awayBecause?.code], ["paused", "NET_REFUSED"]);
    away = false;
    loop.flush(4);
    await bench.clock.run(hour);
    assert.equal(target.accepted.length, 4);
  });

  it("tries a target at once that would be left alone for long", async () => {
    await using bench = new DeliverBench();
    let refuses = true;
    const target = bench.target(
      "a",
      each(() => (refuses ? answers("HTTP_401") : accepted)),
    );
    const loop = bench.loop(target);
    await bench.append(2, ["a"]);
    await bench.clock.run(1_000);
    const { state, retryInMs = 0, awayBecause } = loop.health();
    assert.deepEqual([state, awayBecause?.needsPerson], ["away", true]);
    assert.ok(retryInMs > minute, `${retryInMs} ms`);
    refuses = false;
    loop.flush(2);
    await bench.clock.run(1_000);
    assert.equal(target.accepted.length, 2);
    assert.deepEqual([loop.health().state, loop.health().awayBecause], ["up", undefined]);
  });

  it("keeps to a rate that several targets share, and lets a large record pass", async () => {
    await using bench = new DeliverBench();
    const rate = new UploadRate(bench.clock, seededRandom(3));
    rate.set(100);
    const targets = ["a", "b"].map((id) => bench.target(id, takesAll));
    for (const target of targets) bench.loop(target, bench.spool, new Gate(bench.clock, { rate }));
    await bench.append(60, ["a", "b"]);
    await bench.clock.run(60_000);
    // 200 bytes each: one record every two seconds, and one more of each lane at the start.
    const sent = targets.reduce((sum, { accepted: ids }) => sum + ids.length, 0);
    assert.ok(sent >= 28 && sent <= 33, `${sent} records of 200 bytes in a minute at 100 bytes a second`);
    for (const { accepted: ids, id } of targets) assert.ok(ids.length >= 10, `${id} got ${ids.length}`);
    rate.set(undefined);
    for (const loop of bench.loops) loop.flush(0);
    await bench.clock.run(1_000);
    assert.deepEqual(
      targets.map(({ accepted: ids }) => ids.length),
      [60, 60],
    );
  });

  it("makes calls under a limit no larger than its seconds allow", async () => {
    await using bench = new DeliverBench();
    const rate = new UploadRate(bench.clock, seededRandom(3));
    rate.set(100);
    const target = bench.target("a", takesAll, { recordsPerCallMax: 50 });
    await bench.append(20, ["a"]);
    bench.loop(target, bench.spool, new Gate(bench.clock, { rate }));
    await bench.clock.run(minute);
    assert.deepEqual([...new Set(target.calls.map(({ recordIds }) => recordIds.length))], [5]);
  });

  it("stops while it is paused", async () => {
    await using bench = new DeliverBench();
    const gate = new Gate(bench.clock);
    gate.pauseUntil(Infinity);
    const loop = bench.loop(bench.target("a", takesAll), bench.spool, gate);
    await bench.append(1, ["a"]);
    await bench.clock.run(minute);
    await loop.stop();
    assert.equal(loop.health().state, "stopped");
  });
});
