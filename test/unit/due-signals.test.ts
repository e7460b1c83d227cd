import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "mocha";
import { DueSignals } from "../../src/spool/due.ts";
import { SimulatedClock } from "../lib/seams.ts";

describe("due signals", () => {
  it("leave nothing behind in a signal that outlives many waits", async () => {
    const due = new DueSignals(new SimulatedClock());
    const { signal } = new AbortController();
    for (let count = 0; count < 50; count += 1) {
      due.leasing("a");
      const waiting = due.wait("a", signal);
      due.wake("a");
      await waiting;
    }
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  it("keep the earliest of several delays, also one that comes while a lease is under way", async () => {
    const clock = new SimulatedClock();
    const due = new DueSignals(clock);
    due.leasing("a");
    due.wakeAt("a", 5_000);
    due.wakeAt("a", 9_000);
    await due.wait("a", new AbortController().signal);
    assert.equal(clock.monotonicMs(), 5_000);
  });

  it("end every wait when the spool stops", async () => {
    const due = new DueSignals(new SimulatedClock());
    due.leasing("a");
    const waiting = due.wait("a", new AbortController().signal);
    due.close();
    await assert.rejects(waiting, { code: "SPOOL_STOPPED" });
    await assert.rejects(due.wait("b", new AbortController().signal), { code: "SPOOL_STOPPED" });
  });
});
