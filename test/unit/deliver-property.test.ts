import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { type Outcome, outcomeOf } from "../../src/core/outcome.ts";
import type { Delivery, Random } from "../../src/core/ports.ts";
import { DeliveryLoop } from "../../src/deliver/loop.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { MemorySpool } from "../lib/memory-spool.ts";
import { type Answer, ScriptedTarget } from "../lib/scripted-target.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

const hour = 3_600_000;
const codes = [
  "HTTP_500",
  "HTTP_401",
  "HTTP_429",
  "HTTP_400",
  "NET_REFUSED",
  "NET_TIMEOUT",
  "MQTT_REFUSED",
  "UNEXPECTED",
];

function pick<T>(random: Random, from: readonly T[]): T {
  const picked = from[Math.floor(random() * from.length)];
  assert.ok(picked !== undefined);
  return picked;
}

function failure(random: Random): AgentError {
  const afterMs = random() < 0.2 ? Math.floor(random() * 100_000) : undefined;
  return new AgentError(pick(random, codes), "scripted", {
    disposition: "retry",
    ...(afterMs === undefined ? {} : { afterMs }),
  });
}

/** Anything a target can do: answer each way, forget records, throw, hang until aborted, hang for ever. */
function anyAnswer(clock: VirtualClock, random: Random, trouble: () => number): Answer {
  const one = (delivery: Delivery): readonly (readonly [string, Outcome])[] => {
    const drawn = random();
    if (drawn > trouble()) return [[delivery.record.id, { kind: "accepted" }]];
    if (random() < 0.1) return [];
    const outcome = outcomeOf(failure(random));
    const cursor = random() < 0.2 ? { cursor: String(Math.floor(random() * 3)) } : {};
    return [[delivery.record.id, outcome.kind === "retry" ? { ...outcome, ...cursor } : outcome]];
  };
  return async (deliveries, signal) => {
    if (random() < trouble()) {
      const kind = Math.floor(random() * 5);
      if (kind === 0) throw failure(random);
      if (kind === 1) throw new TypeError("a bug");
      if (kind === 2) await clock.sleep(10 * hour, signal);
      if (kind === 3) await new Promise(() => undefined);
    }
    await clock.sleep(Math.floor(random() * 2_000), signal);
    return new Map(deliveries.flatMap(one));
  };
}

async function play(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const clock = new VirtualClock();
  const spool = new MemorySpool({ clock });
  let trouble = random();
  const capacity = { recordsPerCallMax: 1 + Math.floor(random() * 8), callsInFlightMax: 1 + Math.floor(random() * 4) };
  const target = new ScriptedTarget(
    "a",
    anyAnswer(clock, random, () => trouble),
    capacity,
  );
  const seams = { clock, random, log: new RecordingLogger() };
  const ids: string[] = [];
  let loop = new DeliveryLoop(target, spool, seams);
  loop.start();
  for (let step = 0; step < 8; step += 1) {
    for (let at = 0; at < 5; at += 1) {
      const priority = Math.floor(random() * 3);
      ids.push((await spool.append(draftOf({ reason: { rule: "r", priority } }), imageOf(64), ["a"])).id);
    }
    await clock.run(random() * 2 * hour);
    trouble = random() < 0.3 ? 0 : random();
    if (random() < 0.3) {
      const stopping = loop.stop();
      await clock.run(10_000);
      await stopping;
      loop = new DeliveryLoop(target, spool, seams);
      loop.start();
    }
  }

  const states = async () => {
    const listed = await spool.list({ afterSequence: 0, recordsMax: 1_000 });
    return new Map(listed.map(({ record, deliveries }) => [record.id, deliveries[0]?.state]));
  };
  const saidAccepted = new Set(target.accepted);
  const owed = await states();
  for (const id of ids) {
    const settled = owed.get(id);
    if (!saidAccepted.has(id)) assert.ok(settled !== undefined, `record ${id} is gone though nobody accepted it`);
  }
  // An answer that came while everything waits is settled; only calls in flight may still hold one.
  trouble = 0;
  await clock.run(24 * hour);
  const final = await states();
  assert.deepEqual(
    [...final.values()].filter((state) => state !== "quarantined"),
    [],
    "all that was pending is delivered",
  );
  const quarantined = new Set(final.keys());
  assert.deepEqual(
    new Set(target.accepted),
    new Set(ids.filter((id) => !quarantined.has(id))),
    "accepted exactly when the target said so",
  );
  assert.equal(target.accepted.length, new Set(target.accepted).size, "nothing is sent twice without a crash");
  assert.equal(loop.health().inFlight, 0);
  const stopping = loop.stop();
  await clock.run(10_000);
  await stopping;
}

describe("delivery loop under any sequence of answers", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    it(`ends every record accepted or quarantined, seed ${seed}`, () => play(seed));
  }
});
