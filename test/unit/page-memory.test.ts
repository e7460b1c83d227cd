import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pageLimits } from "../../src/core/page-limits.ts";
import { MB } from "../../src/core/units.ts";
import { LogRing } from "../../src/log/ring.ts";
import type { Answer } from "../../src/remote/reply.ts";
import { LatestFrames } from "../../src/web/page/frames.ts";
import type { SeenPicture } from "../../src/web/page/ports.ts";
import { MinuteSeries } from "../../src/web/page/series.ts";
import { Sightings } from "../../src/web/page/sightings.ts";
import { PageMemory } from "../../agent/web/page-memory.ts";

function picture(camera: string, { atMs = 0, bytes = 1_000 } = {}): SeenPicture {
  return { camera, atMs, jpeg: Buffer.alloc(bytes), width: 4, height: 3, labelled: true, detections: [] };
}

describe("the newest frames", () => {
  it("holds those that pages were told of for a while, and the newest of each camera always", () => {
    const frames = new LatestFrames();
    const told = Array.from({ length: pageLimits.heldFramesPerCamera + 2 }, () => {
      frames.add(picture("yard"));
      return frames.announce()[0]?.id ?? 0;
    });
    const there = told.filter((id) => frames.picture(id) !== undefined);
    assert.deepEqual(there, told.slice(-pageLimits.heldFramesPerCamera));
    frames.quiet();
    assert.equal(frames.picture(told.at(-1) ?? 0), undefined);
    assert.equal(frames.announce().length, 1);
  });

  it("hands out no frame that no page was told of", () => {
    const frames = new LatestFrames();
    assert.equal(frames.picture(frames.add(picture("yard")).id), undefined);
  });

  it("holds no more bytes than it may, whatever cameras send", () => {
    const frames = new LatestFrames();
    const told: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      frames.add(picture("yard", { bytes: 12 * MB }));
      frames.add(picture("door", { bytes: 1 * MB }));
      told.push(...frames.announce().map(({ id }) => id));
    }
    const held = told.reduce((sum, id) => sum + (frames.picture(id)?.length ?? 0), 0);
    assert.ok(held <= pageLimits.heldBytesMax && held >= 13 * MB, `${held} bytes`);
  });

  it("forgets cameras that the config has no more", () => {
    const frames = new LatestFrames();
    frames.add(picture("yard"));
    frames.add(picture("door"));
    frames.keepOnly(["door"]);
    assert.deepEqual(
      frames.announce().map(({ camera }) => camera),
      ["door"],
    );
  });
});

describe("the last detections", () => {
  const known = (id: number, atMs: number, bytes = 1_000, camera = "yard") => ({
    ...picture(camera, { atMs, bytes }),
    id,
  });

  it("takes one a second of each camera, and keeps the newest", () => {
    const sightings = new Sightings();
    for (let id = 0; id < 100; id += 1) sightings.add(known(id, id * 500));
    sightings.add(known(100, 49_600, 1_000, "door"));
    const ids = sightings.list().map(({ id }) => id);
    assert.equal(ids.length, pageLimits.sightingsMax);
    assert.deepEqual(ids.slice(0, 3), [100, 98, 96]);
  });

  it("lets the oldest pictures go where they are too large", async () => {
    const sightings = new Sightings();
    for (let id = 1; id <= 5; id += 1) sightings.add(known(id, id * 10_000, 3 * MB));
    assert.deepEqual(
      sightings.list().map(({ hasPicture }) => hasPicture),
      [true, true, false, false, false],
    );
    assert.equal(await sightings.thumbnail(1, async (jpeg) => jpeg), undefined);
  });

  it("makes a thumbnail once, and again after a failure", async () => {
    const sightings = new Sightings();
    sightings.add(known(1, 0));
    let made = 0;
    await assert.rejects(
      sightings.thumbnail(1, async () => {
        throw new Error("away");
      }),
      /away/,
    );
    const make = async () => {
      made += 1;
      return Buffer.from("small");
    };
    const both = await Promise.all([sightings.thumbnail(1, make), sightings.thumbnail(1, make)]);
    assert.deepEqual(both.map(String), ["small", "small"]);
    assert.equal(String(await sightings.thumbnail(1, make)), "small");
    assert.equal(made, 1);
    assert.equal(await sightings.thumbnail(2, make), undefined);
  });
});

describe("the series of the charts", () => {
  it("counts what came in each minute, also where the counters began anew", () => {
    const series = new MinuteSeries();
    series.add({ frames: 10, detections: 4, uploads: 2, queue: 7 }, 60_000);
    series.add({ frames: 25, detections: 4, uploads: 3, queue: 5 }, 120_000);
    series.add({ frames: 5, detections: 1, uploads: 0, queue: 0 }, 180_000);
    const { frames, detections, uploads, queue, endMs } = series.view();
    assert.deepEqual(
      { frames, detections, uploads, queue, endMs },
      {
        ...{ frames: [10, 15, 5], detections: [4, 0, 1], uploads: [2, 1, 0], queue: [7, 5, 0], endMs: 180_000 },
      },
    );
  });

  it("keeps the last hours", () => {
    const series = new MinuteSeries();
    for (let minute = 1; minute <= 500; minute += 1) {
      series.add({ frames: minute, detections: 0, uploads: 0, queue: minute }, minute * 60_000);
    }
    assert.equal(series.view().queue.length, pageLimits.minutesMax);
    assert.equal(series.view().queue.at(-1), 500);
  });
});

describe("answers to the page", () => {
  const done: Answer = { state: "done", code: "ok" };

  it("are given again to the same request, which is not run again", async () => {
    const memory = new PageMemory();
    let runs = 0;
    const run = async () => {
      runs += 1;
      return done;
    };
    await Promise.all([memory.answerOf("a", run), memory.answerOf("a", run)]);
    await memory.answerOf("b", run);
    assert.equal(runs, 2);
  });

  it("are bounded", async () => {
    const memory = new PageMemory();
    let runs = 0;
    const run = async () => {
      runs += 1;
      return done;
    };
    for (let id = 0; id <= pageLimits.answersMax; id += 1) await memory.answerOf(String(id), run);
    await memory.answerOf("0", run);
    assert.equal(runs, pageLimits.answersMax + 2);
  });
});

describe("what the page remembers of cameras", () => {
  it("goes with a camera, also when it comes back with a mask", () => {
    const memory = new PageMemory();
    const cameras = () => memory.sightings.list().map(({ camera }) => camera);
    memory.keepOnly(
      new Map([
        ["yard", undefined],
        ["door", "1"],
      ]),
    );
    for (const camera of ["yard", "door"]) memory.sightings.add(memory.frames.add(picture(camera)));
    memory.keepOnly(new Map([["door", "1"]]));
    memory.keepOnly(
      new Map([
        ["yard", "2"],
        ["door", "1"],
      ]),
    );
    assert.deepEqual(cameras(), ["door"]);
    assert.deepEqual(
      memory.frames.announce().map(({ camera }) => camera),
      ["door"],
    );
  });
});

describe("the last lines of a log", () => {
  it("are told from where somebody stopped reading", () => {
    const ring = new LogRing();
    for (const line of ["one", "two", "three"]) ring.add(line);
    assert.deepEqual(ring.after(0, 2), ["two", "three"]);
    const { added } = ring;
    assert.deepEqual(ring.after(added, 10), []);
    ring.add("four");
    assert.deepEqual(ring.after(added, 10), ["four"]);
  });
});
