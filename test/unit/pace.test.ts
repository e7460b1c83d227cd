import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { Pace } from "../../src/capture/pace.ts";

/**
 * Shots that were taken in a minute, where each takes `shotMs` and each wait ends `lateMs` late, as timers do.
 * A stream of `frameMs` is asked for the first frame that completes after the call.
 */
function shotsInAMinute(
  intervalMs: number,
  { shotMs = () => 0, lateMs = () => 0, frameMs }: { shotMs?: () => number; lateMs?: () => number; frameMs?: number },
): number {
  const pace = new Pace(intervalMs, 0);
  let nowMs = 0;
  let shots = 0;
  while (nowMs < 60_000) {
    nowMs = frameMs === undefined ? nowMs + shotMs() : (Math.floor(nowMs / frameMs) + 1) * frameMs;
    shots += 1;
    const waitMs = pace.waitMs(nowMs);
    // Timers count whole milliseconds.
    if (waitMs > 0) nowMs += Math.max(1, Math.round(waitMs)) + lateMs();
  }
  return shots;
}

describe("the pace of a camera", () => {
  it("makes up for late timers and slow shots: no frame a minute is lost by them", () => {
    for (const framesPerSecond of [1, 2, 15, 30]) {
      const wanted = 60 * framesPerSecond;
      const intervalMs = 1_000 / framesPerSecond;
      for (const lateMs of [0, 1.5, 8]) {
        const shots = shotsInAMinute(intervalMs, { shotMs: () => 0.6 * intervalMs, lateMs: () => lateMs });
        assert.ok(Math.abs(shots - wanted) <= 1, `${framesPerSecond} fps, ${lateMs} ms late: ${shots}`);
      }
    }
  });

  it("takes every frame of a stream whose rate it is asked for, and the wanted part of a faster one", () => {
    for (const [wanted, stream] of [
      [25, 25],
      [30, 30],
      [10, 25],
      [2, 30],
      [12.5, 25],
    ] as const) {
      for (const lateMs of [0, 1.2, 3]) {
        const shots = shotsInAMinute(1_000 / wanted, { frameMs: 1_000 / stream, lateMs: () => lateMs });
        assert.ok(shots >= 0.98 * 60 * wanted && shots <= 60 * wanted + 1, `${wanted} of ${stream} fps: ${shots}`);
      }
    }
  });

  it("loses nothing by a single shot that takes longer than the interval", () => {
    let shot = 0;
    const shots = shotsInAMinute(500, { shotMs: () => ((shot += 1) % 5 === 0 ? 700 : 100) });
    assert.ok(shots >= 119, `${shots}`);
  });

  it("takes no burst of pictures after a long pause", () => {
    const pace = new Pace(1_000, 0);
    assert.equal(pace.waitMs(60_000), 0);
    assert.equal(pace.waitMs(60_001), 999);
  });

  it("counts from the moment of the request where pictures are asked for", () => {
    const pace = new Pace(10_000, 0);
    pace.begin(100_000);
    assert.equal(pace.waitMs(100_200), 9_800);
  });
});
