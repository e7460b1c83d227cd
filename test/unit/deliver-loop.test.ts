import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { deliverLimits } from "../../src/core/deliver-limits.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { DeliveryLoop } from "../../src/deliver/loop.ts";
import { accepted, answers, DeliverBench, hour, minute } from "../lib/deliver-bench.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { type Answer, each } from "../lib/scripted-target.ts";

describe("delivery loop", () => {
  it("delivers everything once, oldest first", async () => {
    await using bench = new DeliverBench();
    const ids = await bench.append(20, ["a"]);
    const target = bench.target(
      "a",
      each(() => accepted),
    );
    const loop = bench.loop(target);
    await bench.clock.run(minute);
    assert.deepEqual(target.accepted, ids);
    assert.equal((await bench.backlog("a"))?.pending, 0);
    assert.equal(loop.health().accepted, 20);
    assert.equal(loop.health().acceptedBytes, 20 * 200);
    assert.equal(loop.health().state, "up");
  });

  it("uses no more lanes than the target has, and all of them", async () => {
    await using bench = new DeliverBench();
    await bench.append(20, ["a"]);
    const slow: Answer = async (deliveries, signal) => {
      await bench.clock.sleep(100, signal);
      return each(() => accepted)(deliveries, signal);
    };
    const target = bench.target("a", slow, { callsInFlightMax: 4 });
    bench.loop(target);
    await bench.clock.run(minute, () => target.accepted.length === 20);
    assert.equal(target.accepted.length, 20);
    assert.equal(target.inFlightMax, 4);
  });

  it("leaves a target alone for as long as it asks", async () => {
    await using bench = new DeliverBench();
    await bench.append(3, ["a"]);
    let asked = false;
    const target = bench.target(
      "a",
      each(() => {
        if (asked) return accepted;
        asked = true;
        return answers("HTTP_429", 10 * minute);
      }),
      { callsInFlightMax: 1 },
    );
    bench.loop(target);
    await bench.clock.run(hour);
    const waitedMs = (target.calls[1]?.atMs ?? 0) - (target.calls[0]?.atMs ?? 0);
    assert.ok(waitedMs >= 10 * minute && waitedMs <= 11 * minute + 1_000, `${waitedMs} ms`);
    assert.equal(target.accepted.length, 3);
  });

  it("keeps delivering to one target while another is frozen", async () => {
    await using bench = new DeliverBench();
    await bench.append(50, ["frozen", "works"]);
    const frozen = bench.target("frozen", () => new Promise(() => undefined), { callsInFlightMax: 2 });
    const works = bench.target(
      "works",
      each(() => accepted),
    );
    bench.loop(frozen);
    bench.loop(works);
    assert.ok(await bench.clock.run(1_000, () => works.accepted.length === 50));
    assert.equal(frozen.inFlight, 2);
    await bench.clock.run(hour);
    assert.equal((await bench.backlog("frozen"))?.pending, 50);
    assert.ok(frozen.calls.length > 2, "a frozen call is given up and tried again");
  });

  it("aborts a hanging call at its deadline, which depends on its bytes", async () => {
    await using bench = new DeliverBench();
    await bench.spool.append(draftOf(), imageOf(600 * 1024), ["a"]);
    let abortedAtMs = 0;
    const hang: Answer = (_deliveries, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          abortedAtMs = bench.clock.monotonicMs();
          reject(new DOMException("aborted", "AbortError"));
        });
      });
    const loop = bench.loop(bench.target("a", hang));
    await bench.clock.run(200_000, () => abortedAtMs > 0);
    assert.equal(abortedAtMs, 30_000 + 100_000);
    await bench.clock.settle();
    assert.equal(loop.health().lastError?.code, "NET_TIMEOUT");
    assert.deepEqual(await bench.attempts("a"), { 1: 0 });
  });

  it("gives a call the time that the calls before it need on the same line", async () => {
    await using bench = new DeliverBench();
    for (const size of [600, 300, 60]) await bench.spool.append(draftOf(), imageOf(size * 1024), ["a"]);
    const abortedAtMs: number[] = [];
    const hang: Answer = (_deliveries, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          abortedAtMs.push(bench.clock.monotonicMs());
          reject(new DOMException("aborted", "AbortError"));
        });
      });
    bench.loop(bench.target("a", hang, { callsInFlightMax: 3 }));
    await bench.clock.run(300_000, () => abortedAtMs.length === 3);
    assert.deepEqual(abortedAtMs, [130_000, 180_000, 190_000]);
  });

  it("puts a record back whose failure cannot be settled, after a pause, and settles an accepted one later", async () => {
    await using bench = new DeliverBench();
    await bench.append(2, ["a"]);
    const target = bench.target(
      "a",
      each(({ record }) => (record.sequence === 1 ? accepted : answers("MQTT_REFUSED"))),
    );
    let failing = true;
    const readOnly = bench.spoolWith({
      settle: async (targetId, recordId, settlement) => {
        if (failing && settlement.kind !== "release") {
          throw new AgentError("DISK_FULL", "settle: no space", { disposition: "retry" });
        }
        await bench.spool.settle(targetId, recordId, settlement);
      },
    });
    const loop = bench.loop(target, readOnly);
    await bench.clock.run(hour);
    assert.ok(target.calls.length > 10 && target.calls.length < 130, `${target.calls.length} calls`);
    assert.equal(target.accepted.length, 1, "nothing is accepted twice");
    assert.deepEqual(Object.keys(await bench.attempts("a")), ["1", "2"]);
    failing = false;
    await bench.clock.run(5 * minute);
    assert.deepEqual(Object.keys(await bench.attempts("a")), ["2"], "the accepted one is done with");
    assert.ok((Object.values(await bench.attempts("a")).at(-1) ?? 0) > 2);
    assert.equal(target.accepted.length, 1);
    assert.ok(loop.health().unsettled > 10);
  });

  it("sends a bounded number of records while the spool takes no outcome, and none of them twice", async () => {
    await using bench = new DeliverBench();
    const count = deliverLimits.unsettledMax + 20;
    await bench.append(count, ["a"]);
    const target = bench.target(
      "a",
      each(() => accepted),
    );
    let failing = true;
    const full = bench.spoolWith({
      settle: async (...args) => {
        if (failing) throw new AgentError("DISK_FULL", "settle: no space", { disposition: "retry" });
        await bench.spool.settle(...args);
      },
    });
    bench.loop(target, full);
    await bench.clock.run(12 * hour);
    assert.equal(target.accepted.length, deliverLimits.unsettledMax + 1);
    failing = false;
    await bench.clock.run(5 * minute);
    assert.equal(target.accepted.length, count);
    assert.deepEqual(await bench.attempts("a"), {});
  });

  it("tells what is unsettled once more when it is stopped", async () => {
    await using bench = new DeliverBench();
    await bench.append(2, ["a"]);
    const target = bench.target(
      "a",
      each(() => accepted),
    );
    let failing = true;
    const full = bench.spoolWith({
      settle: async (...args) => {
        if (failing) throw new AgentError("DISK_FULL", "settle: no space", { disposition: "retry" });
        await bench.spool.settle(...args);
      },
    });
    const loop = bench.loop(target, full);
    await bench.clock.run(3 * minute, () => loop.health().unsettled > 0);
    failing = false;
    const stopping = loop.stop();
    await bench.clock.run(minute);
    await stopping;
    assert.equal((await bench.backlog("a"))?.leased, 0);
    assert.equal(target.accepted.length + ((await bench.backlog("a"))?.pending ?? 0), 2);
  });

  it("delivers twice and loses nothing when it dies between send and settle", async () => {
    await using bench = new DeliverBench();
    const ids = await bench.append(3, ["a"]);
    const target = bench.target(
      "a",
      each(() => accepted),
    );
    // The process that dies: what it settles never arrives.
    const dying = bench.spoolWith({
      settle: () => new Promise(() => undefined),
    });
    new DeliveryLoop(target, dying, { clock: bench.clock, random: () => 0.5, log: bench.log }).start();
    await bench.clock.run(1_000);
    assert.deepEqual(target.accepted, ids.slice(0, 1));
    await bench.spool.stop();
    bench.loop(target);
    await bench.clock.run(minute);
    assert.deepEqual(target.accepted, [ids[0], ...ids]);
    assert.equal((await bench.backlog("a"))?.pending, 0);
  });

  it("tries to settle again when the spool fails, and meanwhile sends nothing more", async () => {
    await using bench = new DeliverBench();
    const ids = await bench.append(3, ["a"]);
    const target = bench.target(
      "a",
      each(() => accepted),
    );
    let failing = true;
    const limping = bench.spoolWith({
      settle: async (...args) => {
        if (failing) throw new AgentError("SPOOL_FAILED", "settle: disk error", { disposition: "retry" });
        await bench.spool.settle(...args);
      },
    });
    const loop = bench.loop(target, limping);
    await bench.clock.run(2_000);
    assert.equal(target.calls.length, 1);
    failing = false;
    await bench.clock.run(minute);
    assert.deepEqual(target.accepted, ids);
    assert.equal(loop.health().unsettled, 0);
  });

  it("says so when an outcome cannot be settled at all, and goes on", async () => {
    await using bench = new DeliverBench();
    await bench.append(2, ["a"]);
    const target = bench.target(
      "a",
      each(() => accepted),
    );
    const broken = bench.spoolWith({
      settle: async (_target, id) => {
        throw new AgentError("SPOOL_NOT_LEASED", `settle ${id}: gone`, { disposition: "reject" });
      },
    });
    const loop = bench.loop(target, broken);
    await bench.clock.run(minute);
    assert.equal(loop.health().unsettled, 2);
    assert.deepEqual(bench.events("delivery.unsettled"), ["delivery.unsettled", "delivery.unsettled"]);
  });

  it("waits, with back-off, for a spool that cannot lease", async () => {
    await using bench = new DeliverBench();
    await bench.append(1, ["a"]);
    let leases = 0;
    const broken = bench.spoolWith({
      lease: async () => {
        leases += 1;
        throw new AgentError("SPOOL_FAILED", "lease: disk error", { disposition: "retry" });
      },
    });
    bench.loop(
      bench.target(
        "a",
        each(() => accepted),
      ),
      broken,
    );
    await bench.clock.run(hour);
    assert.ok(leases > 60 && leases < 600, `${leases} leases`);
    assert.ok(bench.events("delivery.spool-failed").length <= 61);
  });

  it("retries what the target gave no answer for", async () => {
    await using bench = new DeliverBench();
    await bench.append(4, ["a"]);
    let forgetful = true;
    const answer: Answer = async (deliveries) => {
      const answered = forgetful ? deliveries.slice(1) : deliveries;
      forgetful = false;
      return new Map(answered.map(({ record }) => [record.id, accepted]));
    };
    const target = bench.target("a", answer, { recordsPerCallMax: 4 });
    bench.loop(target);
    await bench.clock.run(minute);
    assert.equal(target.accepted.length, 4);
  });

  it("keeps a cursor beside the delivery, and charges no step forward", async () => {
    await using bench = new DeliverBench();
    await bench.append(1, ["a"]);
    const seen: (string | undefined)[] = [];
    const stepped = (delivery: Delivery): Outcome => {
      seen.push(delivery.cursor);
      const step = Number(delivery.cursor ?? "0") + 1;
      const error = new AgentError("NOT_YET", "the job runs", { disposition: "retry" });
      return step === 20 ? accepted : { kind: "retry", scope: "record", error, cursor: String(step), afterMs: 5_000 };
    };
    const target = bench.target("a", each(stepped));
    bench.loop(target);
    await bench.clock.run(hour);
    assert.equal(seen.length, 20);
    assert.equal(seen.at(-1), "19");
    assert.equal(target.accepted.length, 1);
  });

  it("gives a record up after eight charged tries, with growing pauses", async () => {
    await using bench = new DeliverBench();
    await bench.append(1, ["a"]);
    const target = bench.target(
      "a",
      each(() => answers("MQTT_REFUSED")),
    );
    bench.loop(target);
    await bench.clock.run(hour);
    assert.equal(target.calls.length, 8);
    assert.equal((await bench.backlog("a"))?.quarantined, 1);
  });

  it("lets calls in flight end when it stops, and leases nothing more", async () => {
    await using bench = new DeliverBench();
    await bench.append(10, ["a"]);
    const slow: Answer = async (deliveries, signal) => {
      await bench.clock.sleep(3_000, signal);
      return each(() => accepted)(deliveries, signal);
    };
    const target = bench.target("a", slow, { callsInFlightMax: 2 });
    const loop = bench.loop(target);
    await bench.clock.run(1_000);
    const stopping = loop.stop();
    await bench.clock.run(4_000);
    await stopping;
    assert.equal(target.accepted.length, 2);
    assert.equal(target.calls.length, 2);
    assert.deepEqual(await bench.backlog("a"), { targetId: "a", pending: 8, leased: 0, quarantined: 0, accepted: 2 });
    assert.equal(loop.health().state, "stopped");
  });

  it("releases what a call holds that does not end within the grace, even one that ignores its signal", async () => {
    await using bench = new DeliverBench();
    await bench.append(3, ["a"]);
    const target = bench.target("a", () => new Promise(() => undefined), { callsInFlightMax: 2 });
    const loop = bench.loop(target);
    await bench.clock.run(1_000);
    let stopped = false;
    const stopping = loop.stop().then(() => (stopped = true));
    await bench.clock.run(5_900);
    assert.equal(stopped, false);
    await bench.clock.run(200);
    await stopping;
    assert.deepEqual(await bench.backlog("a"), { targetId: "a", pending: 3, leased: 0, quarantined: 0, accepted: 0 });
    assert.deepEqual(bench.events("target.away"), []);
  });

  it("works again after a stop and a start", async () => {
    await using bench = new DeliverBench();
    await bench.append(2, ["a"]);
    const target = bench.target(
      "a",
      each(() => accepted),
    );
    const loop = bench.loop(target);
    await bench.clock.run(1_000);
    await loop.stop();
    await bench.append(2, ["a"]);
    await bench.clock.run(1_000);
    assert.equal(target.accepted.length, 2);
    loop.start();
    await bench.clock.run(1_000);
    assert.equal(target.accepted.length, 4);
  });
});
