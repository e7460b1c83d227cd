import assert from "node:assert/strict";
import { beatEventLoop } from "../../agent/service/event-loop.ts";
import { beginPulse, Pulses } from "../../src/core/pulse.ts";
import { settle, SteppedClock } from "../lib/stepped-clock.ts";

const periodMs = 1_000;

describe("pulses", () => {
  let clock: SteppedClock;
  let pulses: Pulses;
  const never = new AbortController().signal;
  const late = () => pulses.late().map(({ name }) => name);

  beforeEach(() => {
    clock = new SteppedClock();
    pulses = new Pulses(clock, periodMs);
  });

  it("names a loop that says nothing for a period, until it does", async () => {
    const pulse = pulses.begin("one");
    pulses.begin("other").beat(periodMs);
    await clock.advance(periodMs);
    assert.deepEqual(late(), []);
    await clock.advance(1);
    assert.deepEqual(pulses.late(), [{ name: "one", byMs: 1 }]);
    pulse.beat();
    assert.deepEqual(late(), []);
  });

  it("asks nothing more of a loop that has ended", async () => {
    pulses.begin("one").end();
    await clock.advance(10 * periodMs);
    assert.deepEqual(late(), []);
  });

  it("gives what is announced its time", async () => {
    const pulse = pulses.begin("one");
    pulse.beat(5_000);
    await clock.advance(5_000 + periodMs);
    assert.deepEqual(late(), []);
    await clock.advance(1);
    assert.deepEqual(late(), ["one"]);
  });

  it("beats through a sleep of hours, and wakes up only twice a period", async () => {
    const pulse = pulses.begin("one");
    let slept = false;
    void pulse.sleep(3_600_000, never).then(() => (slept = true));
    for (let step = 0; step < 100; step += 1) {
      await clock.advance(periodMs / 2);
      assert.deepEqual(late(), []);
      assert.equal(clock.sleeping, 1);
    }
    await clock.advance(3_600_000);
    assert.equal(slept, true);
  });

  it("ends a sleep when it is aborted, and is late when nobody goes on after it", async () => {
    const pulse = pulses.begin("one");
    const ending = new AbortController();
    const sleeping = pulse.sleep(3_600_000, ending.signal);
    ending.abort();
    await assert.rejects(sleeping);
    await clock.advance(periodMs + 1);
    assert.deepEqual(late(), ["one"]);
  });

  it("waits for ever for one that hears that its wait begins anew", async () => {
    const pulse = pulses.begin("one");
    let waits = 0;
    let give: (value: string) => void = () => undefined;
    const waiting = pulse.wait(never, async (signal) => {
      waits += 1;
      return new Promise<string>((resolve, reject) => {
        give = resolve;
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    });
    for (let step = 0; step < 20; step += 1) {
      await clock.advance(periodMs / 2);
      assert.deepEqual(late(), []);
    }
    assert.equal(waits, 21);
    give("it");
    assert.equal(await waiting, "it");
    await settle();
    assert.equal(clock.sleeping, 0);
  });

  it("is late when a wait hears nothing any more", async () => {
    const pulse = pulses.begin("one");
    void pulse.wait(never, async () => new Promise<never>(() => undefined));
    await clock.advance(periodMs + 1);
    assert.deepEqual(late(), ["one"]);
  });

  it("hands on the failure and the abort of a wait", async () => {
    const pulse = pulses.begin("one");
    await assert.rejects(
      pulse.wait(never, () => Promise.reject(new Error("broken"))),
      /broken/,
    );
    const ending = new AbortController();
    const waiting = pulse.wait(ending.signal, async (signal) => clock.sleep(Infinity, signal));
    ending.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
  });

  it("costs no timer where nobody watches", async () => {
    const pulse = beginPulse({ clock }, "one");
    void pulse.wait(never, async () => new Promise<never>(() => undefined));
    void pulse.sleep(3_600_000, never);
    await settle();
    assert.equal(clock.sleeping, 1);
  });

  describe("of the event loop", () => {
    it("beats while timers come in time", async () => {
      const ending = new AbortController();
      const beating = beatEventLoop(pulses, clock, ending.signal);
      for (let step = 0; step < 20; step += 1) {
        await clock.advance(periodMs / 2);
        assert.deepEqual(late(), []);
      }
      ending.abort();
      await beating;
    });

    it("is late when timers come late again and again", async () => {
      const lagging = new LaggingClock(clock, 0.3 * periodMs);
      const ending = new AbortController();
      const beating = beatEventLoop(pulses, lagging, ending.signal);
      await clock.advance(periodMs + 1);
      assert.deepEqual(late(), ["event-loop"]);
      lagging.lagMs = 0;
      await clock.advance(periodMs);
      assert.deepEqual(late(), []);
      ending.abort();
      await beating;
    });
  });
});

class LaggingClock {
  readonly #clock: SteppedClock;
  lagMs: number;

  constructor(clock: SteppedClock, lagMs: number) {
    this.#clock = clock;
    this.lagMs = lagMs;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms + this.lagMs, signal);
  }
}
