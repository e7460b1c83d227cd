import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { describe, it } from "mocha";
import { SystemClock } from "../../src/core/clock.ts";

describe("the system's clock", () => {
  it("sleeps longer than one timer can", async () => {
    const dayMs = 24 * 60 * 60_000;
    for (const ms of [2 ** 31, 30 * dayMs, 5 * 365 * dayMs, Infinity]) {
      const stop = new AbortController();
      const slept = new SystemClock().sleep(ms, stop.signal).then(
        () => "woke",
        () => "aborted",
      );
      const untilMs = performance.now() + 15;
      while (performance.now() < untilMs) await turn();
      stop.abort();
      assert.equal(await slept, "aborted", `${ms} ms`);
    }
  });

  it("sleeps as long as it is told, in however many pieces", async () => {
    for (const ms of [0, 9, 10, 25]) {
      const begunMs = performance.now();
      await new SystemClock(10).sleep(ms, new AbortController().signal);
      const tookMs = performance.now() - begunMs;
      // A timer may be a millisecond early.
      assert.ok(tookMs >= ms - 2, `${tookMs} ms instead of ${ms}`);
    }
  });
});
