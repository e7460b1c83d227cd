import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { type Outcome, outcomeOf } from "../../src/core/outcome.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { HeldCameras } from "../../src/deliver/held-cameras.ts";
import { ruleOn } from "../../src/deliver/ruling.ts";
import { Suspects } from "../../src/deliver/suspects.ts";
import { draftOf } from "../lib/drafts.ts";
import { SimulatedClock } from "../lib/seams.ts";

const delivery = (change: Partial<Delivery> = {}): Delivery => ({
  record: { ...draftOf(), id: "r", name: "r.jpg", device: "d", sequence: 1, imageBytes: 1, imageSha256: "" },
  attempts: 0,
  image: () => Promise.resolve(Buffer.alloc(0)),
  ...change,
});
const error = (code: string, afterMs?: number) =>
  new AgentError(code, "text", { disposition: "retry", ...(afterMs === undefined ? {} : { afterMs }) });
const retry = (
  scope: "record" | "target",
  code: string,
  change: { afterMs?: number; cursor?: string } = {},
): Outcome => ({
  kind: "retry",
  scope,
  error: error(code),
  ...change,
});
const half = () => 0.5;
const rule = (outcome: Outcome, change: Partial<Delivery> = {}) =>
  ruleOn(delivery(change), outcome, true, new Suspects(), new HeldCameras(new SimulatedClock(), half), half);

describe("ruling on an outcome", () => {
  it("accepts with the remote id, cut to what the spool keeps", () => {
    assert.deepEqual(rule({ kind: "accepted" }), { settlement: { kind: "accepted" }, target: "up" });
    const { settlement } = rule({ kind: "accepted", remoteId: "x".repeat(1_000) });
    assert.equal(settlement.kind === "accepted" && settlement.remoteId?.length, 256);
  });

  it("sets aside what the platform refuses, and does not take that for the target being up or away", () => {
    assert.deepEqual(rule(outcomeOf(error("HTTP_413"))), {
      settlement: { kind: "rejected", code: "HTTP_413", message: "text" },
      target: "unknown",
    });
  });

  for (const code of ["NET_REFUSED", "HTTP_401", "HTTP_404", "HTTP_429", "HTTP_500", "MQTT_OFFLINE", "DISK_FULL"]) {
    it(`puts the record back unchanged after ${code}`, () => {
      assert.deepEqual(rule(outcomeOf(error(code)), { attempts: 4 }), {
        settlement: { kind: "release" },
        target: "away",
      });
    });
  }

  it("lets a record wait for what is ours, uncharged, and holds nobody else up", () => {
    const held = new HeldCameras(new SimulatedClock(), half);
    const outcome = outcomeOf(error("VISION_UNAVAILABLE"));
    const { settlement } = ruleOn(delivery({ attempts: 4 }), outcome, true, new Suspects(), held, half);
    const waits = { kind: "retry", charged: false, afterMs: 5_000, code: "VISION_UNAVAILABLE", message: "text" };
    assert.deepEqual(settlement, waits);
    assert.equal(held.waiting(delivery()), undefined);
  });

  const charged = (attempts: number, afterMs: number) => ({
    settlement: { kind: "retry", charged: true, afterMs, code: "MQTT_REFUSED", message: "text" },
    target: "unknown",
    attempts,
  });
  for (const [attempts, afterMs] of [
    [0, 2_500],
    [1, 5_000],
    [3, 20_000],
  ] as const) {
    it(`charges a record's own failure after ${attempts} earlier ones, and waits ${afterMs} ms on average`, () => {
      const expected = charged(attempts, afterMs);
      assert.deepEqual({ ...rule(retry("record", "MQTT_REFUSED"), { attempts }), attempts }, expected);
    });
  }

  for (const [code, afterMs] of [
    ["MQTT_NO_SUBSCRIBER", 1_000],
    ["MQTT_NOT_AUTHORISED", 450_000],
  ] as const) {
    it(`has a record wait for its camera after ${code}, charges it nothing, and does not blame the target`, () => {
      assert.deepEqual(rule(outcomeOf(error(code)), { attempts: 4 }), {
        settlement: { kind: "retry", charged: false, afterMs, code, message: "text" },
        target: "unknown",
      });
    });
  }

  it("gives up at the eighth charged failure, and keeps the last reason", () => {
    assert.deepEqual(rule(retry("record", "MQTT_REFUSED"), { attempts: 7 }).settlement, {
      kind: "rejected",
      code: "ATTEMPTS_EXHAUSTED",
      message: "gave up after 8 tries, the last: MQTT_REFUSED: text",
    });
  });

  it("never brings a record back at once, nor later than an hour", () => {
    const after = (outcome: Outcome) => {
      const { settlement } = ruleOn(
        delivery(),
        outcome,
        true,
        new Suspects(),
        new HeldCameras(new SimulatedClock(), half),
        () => 0,
      );
      return settlement.kind === "retry" ? settlement.afterMs : undefined;
    };
    assert.equal(after(retry("record", "X")), 1_000);
    assert.equal(after(retry("record", "X", { cursor: "1", afterMs: 0 })), 1_000);
    assert.equal(after(retry("record", "X", { afterMs: 30_000 })), 30_000);
    assert.equal(after(retry("record", "X", { afterMs: 1e12 })), 3_600_000);
  });

  it("charges a cursor that stands still or starts over, and none that moves", () => {
    const isCharged = (before: string | undefined, cursor: string) => {
      const change = before === undefined ? {} : { cursor: before };
      const { settlement } = rule(retry("record", "X", { cursor }), change);
      return settlement.kind === "retry" && settlement.charged;
    };
    assert.deepEqual(
      [isCharged(undefined, "1"), isCharged("1", "2"), isCharged("1", "1"), isCharged("1", "")],
      [false, false, true, true],
    );
  });

  it("keeps the cursor of a record whose target went away half-way", () => {
    const { settlement, target } = rule(retry("target", "NET_RESET", { cursor: "part-2" }));
    assert.equal(target, "away");
    assert.equal(settlement.kind === "retry" && !settlement.charged && settlement.cursor, "part-2");
  });

  it("cuts a long message", () => {
    const long = new AgentError("HTTP_400", "y".repeat(5_000), { disposition: "reject" });
    const { settlement } = rule({ kind: "rejected", error: long });
    assert.equal(settlement.kind === "rejected" && settlement.message.length, 300);
  });
});
