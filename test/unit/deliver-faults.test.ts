import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { deliverLimits } from "../../src/core/deliver-limits.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { accepted, answers, DeliverBench, hour, minute } from "../lib/deliver-bench.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { type Answer, each } from "../lib/scripted-target.ts";

const sequenceOf = ({ record }: Delivery) => record.sequence;

describe("delivery loop and targets that fail", () => {
  for (const bad of [[5], [1], [1, 2, 3, 4, 5, 6, 7, 8]]) {
    for (const callsInFlightMax of [1, 4]) {
      it(`lets good records flow past records ${bad.join()} answered 500 for ever, over ${callsInFlightMax} lanes`, async () => {
        await using bench = new DeliverBench();
        await bench.append(40, ["a"]);
        const target = bench.target(
          "a",
          each((delivery) => (bad.includes(sequenceOf(delivery)) ? answers("HTTP_500") : accepted)),
          { callsInFlightMax },
        );
        const loop = bench.loop(target);
        await bench.clock.run(2 * hour, () => target.accepted.length === 40 - bad.length);
        assert.equal(target.accepted.length, 40 - bad.length);
        // Proof of a bad record's guilt takes others being accepted, so it needs more of them.
        const feed = async () => bench.append(1, ["a"]);
        for (let at = 0; at < 400; at += 1) {
          await feed();
          await bench.clock.run(minute);
        }
        assert.deepEqual((await bench.backlog("a"))?.quarantined, bad.length);
        assert.equal((await bench.backlog("a"))?.pending, 0);
        assert.equal(target.accepted.length, 440 - bad.length);
        assert.equal(loop.health().rejected, bad.length);
        const [listed] = await bench.spool.list({ afterSequence: (bad[0] ?? 0) - 1, recordsMax: 1 });
        assert.match(
          listed?.deliveries[0]?.error ?? "",
          /^ATTEMPTS_EXHAUSTED: gave up after 8 tries, the last: HTTP_500/,
        );
      });
    }
  }

  it("charges nothing to a good record that always shares its call with a bad one", async () => {
    await using bench = new DeliverBench();
    await bench.append(32, ["a"]);
    // The whole call fails when the bad record is in it, as when it makes the broker hang up.
    const answer: Answer = async (deliveries) => {
      if (deliveries.some((delivery) => sequenceOf(delivery) === 3))
        throw new AgentError("NET_RESET", "reset", { disposition: "retry" });
      return new Map(deliveries.map(({ record }) => [record.id, accepted]));
    };
    const target = bench.target("a", answer, { recordsPerCallMax: 8, callsInFlightMax: 2 });
    bench.loop(target);
    for (let at = 0; at < 200; at += 1) {
      await bench.append(1, ["a"]);
      await bench.clock.run(minute);
    }
    assert.equal(target.accepted.length, 231);
    assert.equal((await bench.backlog("a"))?.quarantined, 1);
    assert.equal(new Set(target.accepted).size, 231);
  });

  it("charges nothing to good records in flight beside one that makes the target drop every call", async () => {
    await using bench = new DeliverBench();
    await bench.append(16, ["a"]);
    const dropped = new Set<() => void>();
    const answer: Answer = async (deliveries, signal) => {
      if (deliveries.some((delivery) => sequenceOf(delivery) === 2)) {
        await bench.clock.sleep(10, signal);
        for (const drop of dropped) drop();
        throw new AgentError("NET_RESET", "reset", { disposition: "retry" });
      }
      await new Promise<void>((resolve, reject) => {
        const drop = () => reject(new AgentError("NET_RESET", "reset", { disposition: "retry" }));
        dropped.add(drop);
        void bench.clock.sleep(50, signal).then(() => {
          dropped.delete(drop);
          resolve();
        }, reject);
      });
      return new Map(deliveries.map(({ record }) => [record.id, accepted]));
    };
    const target = bench.target("a", answer, { callsInFlightMax: 4 });
    const charged = new Set<number>();
    bench.loop(
      target,
      bench.spoolWith({
        settle: async (targetId, recordId, settlement) => {
          const guilty = (settlement.kind === "retry" && settlement.charged) || settlement.kind === "rejected";
          const listed = await bench.spool.list({ afterSequence: 0, recordsMax: 10_000 });
          if (guilty) charged.add(listed.find(({ record }) => record.id === recordId)?.record.sequence ?? 0);
          await bench.spool.settle(targetId, recordId, settlement);
        },
      }),
    );
    for (let at = 0; at < 200; at += 1) {
      await bench.append(4, ["a"]);
      await bench.clock.run(minute);
    }
    assert.equal(target.accepted.length, 815);
    assert.equal((await bench.backlog("a"))?.quarantined, 1);
    assert.deepEqual([...charged], [2]);
  });

  for (const code of ["NET_REFUSED", "HTTP_503", "NET_TIMEOUT", "UNEXPECTED"]) {
    it(`burns no attempt while a target is down for a week with ${code}, and calls it seldom`, async () => {
      await using bench = new DeliverBench();
      await bench.append(30, ["a"]);
      let up = false;
      const target = bench.target(
        "a",
        each(() => (up ? accepted : answers(code))),
        { callsInFlightMax: 2 },
      );
      bench.loop(target);
      await bench.clock.run(7 * 24 * hour);
      const { calls } = target;
      assert.ok(calls.length > 672 && calls.length < 2_500, `${calls.length} calls`);
      assert.deepEqual(new Set(Object.values(await bench.attempts("a"))), new Set([0]));
      assert.equal(bench.events("target.away", "target.needs-a-person", "target.back").length, 1);
      up = true;
      assert.ok(await bench.clock.run(20 * minute, () => target.accepted.length === 30));
      assert.deepEqual(bench.events("target.away", "target.back"), ["target.away", "target.back"]);
      assert.equal(bench.log.lines.filter(({ level }) => level === "warn" || level === "error").length, 1);
    });
  }

  it("notices within seconds that a link which paces itself is back, and burns no attempt meanwhile", async () => {
    await using bench = new DeliverBench();
    await bench.append(30, ["a"]);
    let up = false;
    const target = bench.target(
      "a",
      each(() => (up ? accepted : answers("MQTT_OFFLINE"))),
    );
    bench.loop(target);
    await bench.clock.run(hour);
    assert.deepEqual(new Set(Object.values(await bench.attempts("a"))), new Set([0]));
    assert.equal(bench.events("target.away", "target.needs-a-person", "target.back").length, 1);
    up = true;
    assert.ok(await bench.clock.run(deliverLimits.linkAwayBackoffMs + 1_000, () => target.accepted.length === 30));
  });

  it("asks a target that refuses its credentials a few times an hour, and says once what is wrong", async () => {
    await using bench = new DeliverBench();
    await bench.append(5, ["a"]);
    const target = bench.target(
      "a",
      each(() => answers("HTTP_401")),
      { callsInFlightMax: 4 },
    );
    const loop = bench.loop(target);
    await bench.clock.run(6 * hour);
    assert.ok(target.calls.length >= 24 && target.calls.length <= 6 * 12 + 4, `${target.calls.length} calls`);
    const told = bench.log.lines.filter(({ level }) => level !== "debug");
    assert.deepEqual(
      told.map(({ event, fields }) => [event, fields["target"], fields["code"]]),
      [["target.needs-a-person", "a", "HTTP_401"]],
    );
    assert.equal(loop.health().state, "away");
    assert.equal(loop.health().lastError?.code, "HTTP_401");
    assert.ok((loop.health().retryInMs ?? 0) > 0);
    assert.deepEqual(Object.values(await bench.attempts("a")), [0, 0, 0, 0, 0]);
  });

  for (const code of ["MQTT_NOT_AUTHORISED", "MQTT_NO_SUBSCRIBER"]) {
    it(`lets other cameras' records flow while one camera's meet ${code}, and sends few of those in vain`, async () => {
      await using bench = new DeliverBench();
      let mended = false;
      const target = bench.target(
        "a",
        each(({ record }) => (mended || record.cameraId === "good" ? accepted : answers(code))),
        { callsInFlightMax: 4 },
      );
      bench.loop(target);
      for (let at = 0; at < 3 * 60; at += 1) {
        await bench.spool.append(draftOf({ cameraId: "bad" }), imageOf(200), ["a"]);
        await bench.spool.append(draftOf({ cameraId: "good" }), imageOf(200), ["a"]);
        await bench.clock.run(minute);
      }
      assert.equal(target.accepted.length, 180);
      assert.ok(target.calls.length < 180 + 100, `${target.calls.length - 180} sent in vain in three hours`);
      const held = bench.log.lines.filter(({ event }) => event === "delivery.camera-held");
      assert.equal(held[0]?.fields["cameraId"], "bad");
      assert.deepEqual(new Set(Object.values(await bench.attempts("a"))), new Set([0]));
      mended = true;
      await bench.clock.run(20 * minute);
      assert.equal(target.accepted.length, 360);
    });
  }

  for (const code of ["HTTP_400", "HTTP_413", "HTTP_422", "RECORD_UNREADABLE", "MQTT_TOO_LARGE"]) {
    it(`sets a record refused with ${code} aside and goes on`, async () => {
      await using bench = new DeliverBench();
      await bench.append(5, ["a"]);
      const target = bench.target(
        "a",
        each((delivery) => (sequenceOf(delivery) % 2 === 0 ? answers(code) : accepted)),
      );
      bench.loop(target);
      assert.ok(await bench.clock.run(1_000, () => target.calls.length === 5));
      assert.equal(target.accepted.length, 3);
      assert.equal((await bench.backlog("a"))?.quarantined, 2);
    });
  }

  it("sets a record aside whose envelope cannot be read", async () => {
    await using bench = new DeliverBench();
    await bench.append(2, ["a"]);
    const damaged = bench.spoolWith({
      lease: async (targetId, limit) => {
        const leased = await bench.spool.lease(targetId, limit);
        const unreadable = async () => {
          throw new AgentError("RECORD_UNREADABLE", "reading 1.jpg: its checksum is wrong", { disposition: "reject" });
        };
        return leased.map((delivery) => (sequenceOf(delivery) === 1 ? { ...delivery, image: unreadable } : delivery));
      },
    });
    const answer: Answer = async (deliveries) => {
      for (const delivery of deliveries) await delivery.image();
      return new Map(deliveries.map(({ record }) => [record.id, accepted]));
    };
    const target = bench.target("a", answer);
    bench.loop(target, damaged);
    assert.ok(await bench.clock.run(minute, () => target.accepted.length === 1));
    await bench.clock.settle();
    assert.equal((await bench.backlog("a"))?.quarantined, 1);
  });
});
