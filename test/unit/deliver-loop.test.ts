import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { type Outcome, outcomeOf } from "../../src/core/outcome.ts";
import type { Delivery, TargetCapacity } from "../../src/core/ports.ts";
import { DeliveryLoop, type DeliverySpool } from "../../src/deliver/loop.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { MemorySpool } from "../lib/memory-spool.ts";
import { type Answer, each, ScriptedTarget } from "../lib/scripted-target.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

const minute = 60_000;
const hour = 60 * minute;
const accepted: Outcome = { kind: "accepted", remoteId: "r" };
const answers = (code: string, afterMs?: number): Outcome =>
  outcomeOf(
    new AgentError(code, `the platform answered ${code}`, {
      disposition: "retry",
      ...(afterMs === undefined ? {} : { afterMs }),
    }),
  );
const sequenceOf = ({ record }: Delivery) => record.sequence;

class Bench {
  readonly clock = new VirtualClock();
  readonly log = new RecordingLogger();
  readonly spool = new MemorySpool({ clock: this.clock });
  readonly loops: DeliveryLoop[] = [];

  target(id: string, answer: Answer, capacity: Partial<TargetCapacity> = {}): ScriptedTarget {
    return new ScriptedTarget(id, answer, capacity, () => this.clock.monotonicMs());
  }

  loop(target: ScriptedTarget, spool: DeliverySpool = this.spool): DeliveryLoop {
    const loop = new DeliveryLoop(target, spool, { clock: this.clock, random: seededRandom(11), log: this.log });
    this.loops.push(loop);
    loop.start();
    return loop;
  }

  async append(count: number, owedTo: readonly string[]): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let at = 0; at < count; at += 1) ids.push((await this.spool.append(draftOf(), imageOf(200, at), owedTo)).id);
    return ids;
  }

  async backlog(targetId: string) {
    return (await this.spool.stats()).targets.find((target) => target.targetId === targetId);
  }

  /** Attempts charged so far to each record still owed, by sequence. */
  async attempts(targetId: string): Promise<Readonly<Record<number, number>>> {
    const listed = await this.spool.list({ afterSequence: 0, recordsMax: 10_000 });
    const found = listed.flatMap(({ record, deliveries }) =>
      deliveries.filter((one) => one.targetId === targetId).map((one) => [record.sequence, one.attempts] as const),
    );
    return Object.fromEntries(found);
  }

  events(...names: readonly string[]): readonly string[] {
    return this.log.lines.map(({ event }) => event).filter((event) => names.includes(event));
  }

  async [Symbol.asyncDispose]() {
    const stopping = Promise.all(this.loops.map((loop) => loop.stop()));
    await this.clock.run(minute);
    await stopping;
  }
}

describe("delivery loop", () => {
  it("delivers everything once, oldest first", async () => {
    await using bench = new Bench();
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
    await using bench = new Bench();
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

  for (const bad of [[5], [1], [1, 2, 3, 4, 5, 6, 7, 8]]) {
    for (const callsInFlightMax of [1, 4]) {
      it(`lets good records flow past records ${bad.join()} answered 500 for ever, over ${callsInFlightMax} lanes`, async () => {
        await using bench = new Bench();
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
          /^ATTEMPTS_EXHAUSTED: gave up after 5 tries, the last: HTTP_500/,
        );
      });
    }
  }

  it("charges nothing to a good record that always shares its call with a bad one", async () => {
    await using bench = new Bench();
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
    await using bench = new Bench();
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
    bench.loop(target, {
      lease: (...args) => bench.spool.lease(...args),
      settle: async (targetId, recordId, settlement) => {
        const guilty = (settlement.kind === "retry" && settlement.charged) || settlement.kind === "rejected";
        const listed = await bench.spool.list({ afterSequence: 0, recordsMax: 10_000 });
        if (guilty) charged.add(listed.find(({ record }) => record.id === recordId)?.record.sequence ?? 0);
        await bench.spool.settle(targetId, recordId, settlement);
      },
      waitForDue: (...args) => bench.spool.waitForDue(...args),
    });
    for (let at = 0; at < 200; at += 1) {
      await bench.append(4, ["a"]);
      await bench.clock.run(minute);
    }
    assert.equal(target.accepted.length, 815);
    assert.equal((await bench.backlog("a"))?.quarantined, 1);
    assert.deepEqual([...charged], [2]);
  });

  for (const code of ["NET_REFUSED", "HTTP_503", "NET_TIMEOUT", "MQTT_OFFLINE", "UNEXPECTED"]) {
    it(`burns no attempt while a target is down for a week with ${code}, and calls it seldom`, async () => {
      await using bench = new Bench();
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

  it("asks a target that refuses its credentials a few times an hour, and says once what is wrong", async () => {
    await using bench = new Bench();
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

  for (const code of ["HTTP_400", "HTTP_413", "HTTP_422", "RECORD_UNREADABLE", "MQTT_TOO_LARGE"]) {
    it(`sets a record refused with ${code} aside and goes on`, async () => {
      await using bench = new Bench();
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
    await using bench = new Bench();
    await bench.append(2, ["a"]);
    const damaged: DeliverySpool = {
      lease: async (targetId, limit) => {
        const leased = await bench.spool.lease(targetId, limit);
        const unreadable = async () => {
          throw new AgentError("RECORD_UNREADABLE", "reading 1.jpg: its checksum is wrong", { disposition: "reject" });
        };
        return leased.map((delivery) => (sequenceOf(delivery) === 1 ? { ...delivery, image: unreadable } : delivery));
      },
      settle: (...args) => bench.spool.settle(...args),
      waitForDue: (...args) => bench.spool.waitForDue(...args),
    };
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

  it("leaves a target alone for as long as it asks", async () => {
    await using bench = new Bench();
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
    await using bench = new Bench();
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
    await using bench = new Bench();
    await bench.spool.append(draftOf(), imageOf(800 * 1024), ["a"]);
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

  it("delivers twice and loses nothing when it dies between send and settle", async () => {
    await using bench = new Bench();
    const ids = await bench.append(3, ["a"]);
    const target = bench.target(
      "a",
      each(() => accepted),
    );
    // The process that dies: what it settles never arrives.
    const dying: DeliverySpool = {
      lease: (...args) => bench.spool.lease(...args),
      settle: () => new Promise(() => undefined),
      waitForDue: (...args) => bench.spool.waitForDue(...args),
    };
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
    await using bench = new Bench();
    const ids = await bench.append(3, ["a"]);
    const target = bench.target(
      "a",
      each(() => accepted),
    );
    let failing = true;
    const limping: DeliverySpool = {
      lease: (...args) => bench.spool.lease(...args),
      settle: async (...args) => {
        if (failing) throw new AgentError("SPOOL_FAILED", "settle: disk error", { disposition: "retry" });
        await bench.spool.settle(...args);
      },
      waitForDue: (...args) => bench.spool.waitForDue(...args),
    };
    const loop = bench.loop(target, limping);
    await bench.clock.run(2_000);
    assert.equal(target.calls.length, 1);
    failing = false;
    await bench.clock.run(minute);
    assert.deepEqual(target.accepted, ids);
    assert.equal(loop.health().unsettled, 0);
  });

  it("says so when an outcome cannot be settled at all, and goes on", async () => {
    await using bench = new Bench();
    await bench.append(2, ["a"]);
    const target = bench.target(
      "a",
      each(() => accepted),
    );
    const broken: DeliverySpool = {
      lease: (...args) => bench.spool.lease(...args),
      settle: async (_target, id) => {
        throw new AgentError("SPOOL_NOT_LEASED", `settle ${id}: gone`, { disposition: "reject" });
      },
      waitForDue: (...args) => bench.spool.waitForDue(...args),
    };
    const loop = bench.loop(target, broken);
    await bench.clock.run(minute);
    assert.equal(loop.health().unsettled, 2);
    assert.deepEqual(bench.events("delivery.unsettled"), ["delivery.unsettled", "delivery.unsettled"]);
  });

  it("waits, with back-off, for a spool that cannot lease", async () => {
    await using bench = new Bench();
    await bench.append(1, ["a"]);
    let leases = 0;
    const broken: DeliverySpool = {
      lease: async () => {
        leases += 1;
        throw new AgentError("SPOOL_FAILED", "lease: disk error", { disposition: "retry" });
      },
      settle: (...args) => bench.spool.settle(...args),
      waitForDue: (...args) => bench.spool.waitForDue(...args),
    };
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
    await using bench = new Bench();
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
    await using bench = new Bench();
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

  it("gives a record up after five charged tries, with growing pauses", async () => {
    await using bench = new Bench();
    await bench.append(1, ["a"]);
    const target = bench.target(
      "a",
      each(() => answers("MQTT_REFUSED")),
    );
    bench.loop(target);
    await bench.clock.run(hour);
    assert.equal(target.calls.length, 5);
    assert.equal((await bench.backlog("a"))?.quarantined, 1);
  });

  it("lets calls in flight end when it stops, and leases nothing more", async () => {
    await using bench = new Bench();
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
    await using bench = new Bench();
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
    await using bench = new Bench();
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
