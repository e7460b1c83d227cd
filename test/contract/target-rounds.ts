import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { SystemClock } from "../../src/core/clock.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery, Settlement, Target } from "../../src/core/ports.ts";
import { callTarget } from "../../src/deliver/call.ts";
import { HeldCameras } from "../../src/deliver/held-cameras.ts";
import { ruleOn } from "../../src/deliver/ruling.ts";
import { Suspects } from "../../src/deliver/suspects.ts";

/** How a record ended for good. */
export type Ending = Extract<Settlement, { kind: "accepted" | "rejected" }>;

const roundsMax = 60;
const callTimeoutMs = 2_000;
const waitMaxMs = 20;
const never = new AbortController().signal;

/**
 * Delivers records to their end by the delivery loop's own rules, without its waits: in batches as large as the target
 * takes, alone where one is suspected, with cursors and attempts carried on. Fails when a record comes to no end.
 */
export async function settleAll(target: Target, deliveries: readonly Delivery[]): Promise<ReadonlyMap<string, Ending>> {
  const clock = new SystemClock();
  const suspects = new Suspects();
  const held = new HeldCameras(clock, Math.random);
  const endings = new Map<string, Ending>();
  let pending = deliveries;
  let isProbing = false;
  for (let round = 0; pending.length > 0; round += 1) {
    assert.ok(round < roundsMax, `${pending.length} records are tried for ever`);
    const called = nextCall(target, pending, suspects, isProbing);
    const outcomes = await callTarget(target, called, callTimeoutMs, clock, never);
    let waitMs = 0;
    // As the loop does: what was accepted tells whether a failure beside it is the target's.
    for (const [delivery, outcome] of [...outcomes].sort(acceptedFirst)) {
      const ruling = ruleOn(delivery, outcome, called.length === 1, suspects, held, Math.random);
      const { settlement } = ruling;
      if (ruling.target !== "unknown") isProbing = ruling.target === "away";
      if (settlement.kind === "accepted" || settlement.kind === "rejected") {
        endings.set(delivery.record.id, settlement);
        pending = pending.filter(({ record }) => record.id !== delivery.record.id);
      } else {
        waitMs = Math.max(waitMs, outcome.kind === "retry" ? (outcome.afterMs ?? 0) : 0);
        pending = pending.map((other) => (other === delivery ? carriedOn(delivery, settlement) : other));
      }
    }
    await delay(Math.min(waitMs, waitMaxMs));
  }
  return endings;
}

function nextCall(
  target: Target,
  pending: readonly Delivery[],
  suspects: Suspects,
  isProbing: boolean,
): readonly Delivery[] {
  const innocent = pending.filter((delivery) => !suspects.has(delivery));
  if (!isProbing && innocent.length > 0) return innocent.slice(0, target.capacity().recordsPerCallMax);
  const chosen = isProbing ? suspects.leastSuspected(pending) : pending[0];
  return chosen === undefined ? [] : [chosen];
}

function acceptedFirst([, a]: readonly [Delivery, Outcome], [, b]: readonly [Delivery, Outcome]): number {
  return Number(b.kind === "accepted") - Number(a.kind === "accepted");
}

function carriedOn(delivery: Delivery, settlement: Settlement): Delivery {
  if (settlement.kind !== "retry") return delivery;
  const { cursor: before, ...rest } = delivery;
  const cursor = settlement.cursor ?? before ?? "";
  return {
    ...rest,
    attempts: delivery.attempts + (settlement.charged ? 1 : 0),
    ...(cursor === "" ? {} : { cursor }),
  };
}
