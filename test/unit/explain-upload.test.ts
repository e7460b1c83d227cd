import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { explainUpload, type UploadFacts } from "../../src/remote/commands/explain-upload.ts";

describe("why nothing is uploaded", () => {
  const facts = (change: Partial<UploadFacts["delivery"]>, more: Partial<UploadFacts> = {}): UploadFacts => ({
    delivery: { targetId: "a", state: "up", inFlight: 0, ...change },
    ...{ pending: 3, quarantined: 0, limitWaitMs: 0, ...more },
  });
  const because = { code: "NET_REFUSED", message: "connect", needsPerson: false };
  const cases: readonly (readonly [string, UploadFacts])[] = [
    ["stopped", facts({ state: "stopped" })],
    ["disabled", facts({ state: "disabled", awayBecause: because })],
    ["paused", facts({ state: "paused", pausedForMs: 5 }, { pending: 0 })],
    ["budget", facts({ state: "budget", opensInMs: 5 }, { budget: { monthBytesLeft: 0 } })],
    ["window", facts({ state: "window", opensInMs: 5 }, { pending: 0 })],
    ["empty", facts({ state: "away", awayBecause: because }, { pending: 0 })],
    ["credentials", facts({ state: "away", awayBecause: { ...because, needsPerson: true } })],
    ["breaker", facts({ state: "away", awayBecause: because, inFlight: 1 }, { limitWaitMs: 4 })],
    ["sending", facts({ inFlight: 1 }, { limitWaitMs: 4, dueInMs: 4 })],
    ["limit", facts({}, { limitWaitMs: 4, dueInMs: 4 })],
    ["backoff", facts({}, { dueInMs: 4 })],
    ["sending", facts({}, { dueInMs: 0 })],
  ];
  for (const [reason, given] of cases) {
    const { delivery, pending, limitWaitMs, dueInMs = "unknown" } = given;
    const words = [delivery.state, `${pending} pending`, `limit ${limitWaitMs}`, `due ${dueInMs}`];
    it(`is ${reason} with ${words.join(", ")}`, () => {
      const { message, target, ...explained } = explainUpload(given);
      assert.deepEqual([explained.reason, target], [reason, "a"]);
      assert.match(message, /^[A-Z].*\.$/);
    });
  }
});
