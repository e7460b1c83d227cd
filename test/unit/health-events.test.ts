import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { type DeviceEvent, eventData, type EventKind } from "../../src/remote/event.ts";
import { healthEvents, type HealthLook, keptEvent, stateKey } from "../../src/remote/health-events.ts";
import { StatusWatch } from "../../src/remote/status-watch.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

const quiet: HealthLook = {
  state: "ok",
  troubles: [],
  cameras: [{ id: "gate", state: "running" }],
  targets: [{ targetId: "yard", state: "up", rejected: 0 }],
  detector: { state: "ready", model: "yard@1" },
  ...{ spoolFull: false, paused: [], keptByRule: {}, revision: 1 },
};
const camera = (state: HealthLook["cameras"][number]["state"], errorAtMs?: number): Partial<HealthLook> => ({
  cameras: [
    {
      ...{ id: "gate", state },
      ...(errorAtMs === undefined ? {} : { lastError: { code: "CAMERA_GONE", message: "", atMs: errorAtMs } }),
      ...(errorAtMs !== undefined && errorAtMs > 5 && state !== "running" ? { failing: true } : {}),
    },
  ],
});
const target = (change: Partial<HealthLook["targets"][number]>): Partial<HealthLook> => ({
  targets: [{ targetId: "yard", state: "up", rejected: 0, ...change }],
});
const refused = { code: "HTTP_400", message: "", atMs: 0 };

interface Case {
  readonly what: string;
  readonly before?: Partial<HealthLook>;
  readonly after: Partial<HealthLook>;
  readonly events: readonly DeviceEvent[];
}

const cases: readonly Case[] = [
  { what: "nothing", after: {}, events: [] },
  {
    what: "a camera that is lost",
    after: camera("backoff", 9),
    events: [{ kind: "camera-lost", data: { camera: "gate", state: "backoff", error: "CAMERA_GONE" } }],
  },
  { what: "one that is tried again", before: camera("backoff", 9), after: camera("starting", 9), events: [] },
  {
    what: "one that is back",
    before: camera("starting", 9),
    after: camera("running", 9),
    events: [{ kind: "camera-back", data: { camera: "gate" } }],
  },
  { what: "one that its schedule stops", after: camera("stopped"), events: [] },
  {
    what: "one that opens again after an old error",
    before: camera("stopped", 2),
    after: camera("starting", 2),
    events: [],
  },
  {
    what: "a target that is away",
    after: target({ state: "away", lastError: refused }),
    events: [{ kind: "target-away", data: { target: "yard", error: "HTTP_400" } }],
  },
  {
    what: "one that is back",
    before: target({ state: "away" }),
    after: target({}),
    events: [{ kind: "target-back", data: { target: "yard" } }],
  },
  {
    what: "records set aside",
    before: target({ rejected: 2 }),
    after: target({ rejected: 5, lastError: refused }),
    events: [{ kind: "quarantined", data: { target: "yard", deliveries: 3, error: "HTTP_400" } }],
  },
  {
    what: "a full spool",
    after: { spoolFull: true, paused: ["gate"] },
    events: [{ kind: "spool-full", data: { paused: ["gate"] } }],
  },
  { what: "room again", before: { spoolFull: true }, after: {}, events: [{ kind: "spool-free", data: {} }] },
  {
    what: "another model",
    after: { detector: { state: "ready", model: "yard@2" } },
    events: [{ kind: "model-switched", data: { from: "yard@1", to: "yard@2" } }],
  },
  {
    what: "a model that went back",
    after: { lastRollback: "yard@2 went back to yard@1: dead" },
    events: [{ kind: "model-rolled-back", data: { what: "yard@2 went back to yard@1: dead" } }],
  },
];

describe("events", () => {
  for (const { what, before, after, events } of cases) {
    it(`of ${what}`, () => {
      const told = healthEvents({ ...quiet, ...before }, { ...quiet, ...after });
      assert.deepEqual(told, events);
      for (const { kind, data } of told) eventData[kind].parse(data);
    });
  }

  it("count kept records by rule, together", () => {
    const after = { ...quiet, keptByRule: { person: 5, requested: 1 } };
    const kept = keptEvent({ ...quiet, keptByRule: { person: 3 } }, after);
    assert.deepEqual(kept, { kind: "kept", data: { records: 3, byRule: { person: 2, requested: 1 } } });
    assert.equal(keptEvent(after, after), undefined);
  });

  it("have a state that changes with what an operator wants to know, and not with counters", () => {
    const key = stateKey(quiet);
    assert.equal(stateKey({ ...quiet, keptByRule: { person: 7 }, ...target({ rejected: 4 }) }), key);
    const [lost, again] = [camera("backoff", 9), camera("starting", 9)].map((after) =>
      stateKey({ ...quiet, ...after }),
    );
    assert.equal(lost, again);
    for (const after of [camera("backoff"), target({ state: "away" }), { spoolFull: true }, { revision: 2 }]) {
      assert.notEqual(stateKey({ ...quiet, ...after }), key);
    }
  });
});

describe("the watch over the status", () => {
  const watched = async (work: (bench: Bench) => Promise<void>) => {
    const bench = new Bench();
    const stop = new AbortController();
    const running = bench.watch.run(stop.signal);
    try {
      await work(bench);
    } finally {
      stop.abort();
      await running;
    }
  };

  class Bench {
    readonly clock = new VirtualClock();
    readonly log = new RecordingLogger();
    readonly told: string[] = [];
    readonly events: EventKind[] = [];
    look = quiet;
    info = { model: "yard@1" };
    fails = false;
    isConnected = true;
    readonly watch = new StatusWatch(
      {
        look: () => this.look,
        info: () => this.info,
        status: async () => {
          if (this.fails) throw new Error("broken");
          return {};
        },
        statusEveryMs: 60_000,
        tell: async (report) => void this.told.push(report),
        event: ({ kind }) => void this.events.push(kind),
        isConnected: () => this.isConnected,
      },
      { clock: this.clock, random: () => 0, log: this.log },
    );
  }

  it("tells every now and then, and of a change within one look", async () => {
    await watched(async ({ clock, told, ...rest }) => {
      await clock.settle();
      assert.deepEqual(told, ["info", "status"]);
      await clock.run(59_000);
      assert.equal(told.length, 2, "nothing has changed");
      await clock.run(2_000);
      assert.deepEqual(told, ["info", "status", "status"]);
      assert.deepEqual(rest.events, []);
    });
    await watched(async (bench) => {
      await bench.clock.settle();
      bench.look = { ...quiet, ...camera("stalled") };
      await bench.clock.run(remoteLimits.statusLookMs);
      assert.deepEqual(bench.told, ["info", "status", "status"]);
      assert.deepEqual(bench.events, ["camera-lost"]);
    });
  });

  it("tells what is wrong from the start, and what happened before it", async () => {
    const bench = new Bench();
    bench.look = { ...quiet, ...camera("backoff"), ...target({ state: "away" }), lastRollback: "at the start" };
    const stop = new AbortController();
    const running = bench.watch.run(stop.signal);
    await bench.clock.settle();
    stop.abort();
    await running;
    assert.deepEqual(bench.events, ["camera-lost", "target-away", "model-rolled-back"]);
  });

  it("tells the status anew after an outage", async () => {
    await watched(async (bench) => {
      bench.isConnected = false;
      await bench.clock.run(10_000);
      assert.deepEqual(bench.told, ["info", "status"]);
      bench.isConnected = true;
      await bench.clock.run(10_000);
      assert.deepEqual(bench.told, ["info", "status", "status"]);
    });
  });

  it("tells the info anew when it is another one", async () => {
    await watched(async (bench) => {
      await bench.clock.settle();
      bench.info = { model: "yard@2" };
      bench.look = { ...quiet, detector: { state: "ready", model: "yard@2" } };
      await bench.clock.run(remoteLimits.statusLookMs);
      assert.deepEqual(bench.told, ["info", "status", "info", "status"]);
      assert.deepEqual(bench.events, ["model-switched"]);
    });
  });

  it("takes a detector that comes back with its model for no switch, and one with another for one", async () => {
    await watched(async (bench) => {
      for (const model of [undefined, "yard@1", undefined, "yard@2"]) {
        bench.look = { ...quiet, detector: { state: "ready", ...(model === undefined ? {} : { model }) } };
        await bench.clock.run(remoteLimits.statusLookMs);
      }
      assert.deepEqual(bench.events, ["model-switched"]);
    });
  });

  it("tells of many kept records in few events, and of all of them", async () => {
    await watched(async (bench) => {
      for (let person = 1; person <= 60; person += 1) {
        bench.look = { ...quiet, keptByRule: { person } };
        await bench.clock.run(1_000);
      }
      await bench.clock.run(remoteLimits.keptEventEveryMs);
      assert.ok(bench.events.length >= 5 && bench.events.length <= 8, `${bench.events.length} events`);
      bench.isConnected = false;
      bench.look = { ...quiet, keptByRule: { person: 100 } };
      bench.events.length = 0;
      await bench.clock.run(10 * remoteLimits.keptEventEveryMs);
      assert.deepEqual(bench.events, [], "an outage");
      bench.isConnected = true;
      await bench.clock.run(remoteLimits.statusLookMs);
      assert.deepEqual(bench.events, ["kept"]);
    });
  });

  it("goes on after a status that failed", async () => {
    await watched(async (bench) => {
      bench.fails = true;
      await bench.clock.run(60_000);
      assert.equal(bench.log.lines.filter(({ event }) => event === "remote.status_failed").length > 0, true);
      bench.fails = false;
      bench.told.length = 0;
      await bench.clock.run(61_000);
      assert.ok(bench.told.includes("status"));
    });
  });
});
