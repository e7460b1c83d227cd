import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pageLimits } from "../../src/core/page-limits.ts";
import type { PagePort, Section } from "../../src/web/page/ports.ts";
import { PageUpdates } from "../../src/web/page/updates.ts";
import { settle, SteppedClock } from "../lib/stepped-clock.ts";

class Reader {
  readonly events: [string, object][] = [];
  readonly #gone = new AbortController();
  readonly signal = this.#gone.signal;

  send(event: string, data: object): void {
    this.events.push([event, data]);
  }

  leave(): void {
    this.#gone.abort();
  }

  /** Since the last time. */
  told(): readonly string[] {
    return this.events.splice(0).map(([event]) => event);
  }
}

function bench() {
  const clock = new SteppedClock();
  const state = { looks: 0, quiet: 0, frame: 1, count: 1, lines: ["started"], fails: false, onQuiet: () => {} };
  const section = (event: string, value: object): Section => ({ key: event, event, value });
  const port: PagePort = {
    async sections() {
      state.looks += 1;
      if (state.fails) throw new Error("the spool is stuck");
      return [section("counters", { count: state.count }), section("model", { name: "wasps" })];
    },
    frames: () => [section("frame", { id: state.frame })],
    log: (after) => ({ lines: state.lines.slice(after), last: state.lines.length }),
    quiet: () => {
      state.quiet += 1;
      state.onQuiet();
    },
    picture: () => undefined,
    thumbnail: async () => undefined,
    run: async () => ({ kind: "unknown" }),
  };
  return { clock, state, updates: new PageUpdates(port, clock) };
}

describe("what open pages are told", () => {
  it("is everything at first, and then what has changed, once a second", async () => {
    const { clock, state, updates } = bench();
    const reader = new Reader();
    updates.add(reader);
    await settle();
    assert.deepEqual(reader.told(), ["frame", "counters", "model", "log", "tick"]);
    state.frame = 2;
    state.count = 2;
    await clock.advance(pageLimits.tickMs - 1);
    assert.deepEqual(reader.told(), []);
    await clock.advance(1);
    assert.deepEqual(reader.told(), ["frame", "counters", "tick"]);
    reader.leave();
  });

  it("is looked at once for all, and not at all while no page is open", async () => {
    const { clock, state, updates } = bench();
    assert.equal(state.looks, 0);
    const [one, other] = [new Reader(), new Reader()];
    updates.add(one);
    await settle();
    updates.add(other);
    await settle();
    // The second one waits for nobody's second.
    assert.deepEqual(other.told(), ["frame", "counters", "model", "log", "tick"]);
    const before = state.looks;
    await clock.advance(pageLimits.tickMs);
    assert.equal(state.looks, before + 1);
    one.leave();
    other.leave();
    await settle();
    assert.equal(state.quiet, 1);
    await clock.advance(10 * pageLimits.tickMs);
    assert.equal(state.looks, before + 1);
    assert.equal(clock.sleeping, 0);
  });

  it("goes on when a part does not answer, and begins anew for who comes back", async () => {
    const { clock, state, updates } = bench();
    const reader = new Reader();
    state.fails = true;
    updates.add(reader);
    await settle();
    assert.deepEqual(reader.told(), ["frame", "log", "tick"]);
    state.fails = false;
    await clock.advance(pageLimits.tickMs);
    assert.deepEqual(reader.told(), ["counters", "model", "tick"]);
    reader.leave();
    await settle();
    const again = new Reader();
    updates.add(again);
    await settle();
    assert.deepEqual(again.told(), ["frame", "counters", "model", "log", "tick"]);
    again.leave();
  });

  it("begins anew for who comes in the moment in which the last one leaves, and for those after", async () => {
    const { clock, state, updates } = bench();
    const late = new Reader();
    state.onQuiet = () => {
      state.onQuiet = () => undefined;
      updates.add(late);
    };
    const first = new Reader();
    updates.add(first);
    await settle();
    first.leave();
    await settle();
    assert.deepEqual(late.told(), ["frame", "counters", "model", "log", "tick"]);
    late.leave();
    await settle();
    const next = new Reader();
    updates.add(next);
    await settle();
    assert.deepEqual(next.told(), ["frame", "counters", "model", "log", "tick"]);
    next.leave();
    await settle();
    assert.equal(clock.sleeping, 0);
  });
});
