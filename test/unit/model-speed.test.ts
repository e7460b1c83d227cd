import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { type Advice, advise, type SpeedRow, speedRow, type Visit } from "../../agent/models/model-speed.ts";

const visit: Visit = {
  runsMs: [10, 12, 11],
  roundsMs: [20, 24, 22],
  cpuMs: 60,
  rssPeakBytes: 1_000,
  precision: "float32",
  parameters: 3_000_000,
  inputWidth: 320,
  inputHeight: 320,
};

function row(reference: string, threads: number, roundMs: number, more: Partial<SpeedRow> = {}): SpeedRow {
  const made = speedRow(reference, threads, [{ ...visit, runsMs: [roundMs - 5], roundsMs: [roundMs] }]);
  assert.ok(made !== undefined);
  return { ...made, ...more };
}

function saidOf(advice: Advice | undefined): string {
  assert.ok(advice !== undefined);
  return advice.reasons.join("\n");
}

describe("the speed of models", () => {
  it("is the median over all visits, with the processor time of one detection", () => {
    const slower = { ...visit, runsMs: [30, 31, 32], roundsMs: [40, 41, 42], cpuMs: 120, rssPeakBytes: 3_000 };
    const made = speedRow("a", 1, [visit, slower]);
    assert.deepEqual(
      [made?.runMs, made?.runMsP95, made?.roundMs, made?.detections, made?.cpuMs, made?.rssPeakBytes],
      [30, 32, 40, 6, 30, 3_000],
    );
    assert.equal(speedRow("a", 1, []), undefined);
    assert.equal(advise([]), undefined);
  });

  it("takes another thread only for what it really brings", () => {
    const little = advise([row("a", 1, 20), row("a", 2, 18), row("a", 3, 17.5)]);
    assert.deepEqual([little?.threads, little?.perSecond], [1, 50]);
    const much = advise([row("a", 1, 60), row("a", 2, 36), row("a", 3, 33)]);
    assert.equal(much?.threads, 2);
    // One picture that took long to decode is no reason for a thread.
    const noisy = advise([row("a", 1, 60, { runMs: 10 }), row("a", 2, 30, { runMs: 10 })]);
    assert.equal(noisy?.threads, 1);
    assert.match(much.reasons.join("\n"), /^28 detections a second on 2 threads\n2 threads are 1\.7 times/);
  });

  it("takes the fastest model, and says how far the others are behind", () => {
    const advice = advise([row("slow", 1, 100), row("quick", 1, 20), row("equal", 1, 20.5)]);
    assert.equal(advice?.reference, "quick");
    const said = advice.reasons.join("\n");
    assert.match(said, /equal is as fast/);
    assert.match(said, /quick is 5\.0 times as fast as slow here/);
    assert.doesNotMatch(said, /same model/);
  });

  it("compares the precisions of one model, whichever is faster", () => {
    const int8 = { precision: "int8 dynamic", parameters: 3_000_128 } as const;
    const bad = advise([row("model", 1, 25), row("model-int8", 1, 85, int8), row("other", 1, 50, { parameters: 9 })]);
    assert.match(
      saidOf(bad),
      /model-int8 seems to be the same model as model, and its int8 dynamic takes 4\.0 times as long as float32/,
    );
    const good = advise([row("model", 1, 85), row("model-int8", 1, 25, int8)]);
    assert.equal(good?.reference, "model-int8");
    assert.match(saidOf(good), /and its float32 takes 4\.0 times as long as int8 dynamic/);
    const larger = advise([row("model", 1, 85), row("model-int8", 1, 25, { ...int8, inputWidth: 640 })]);
    assert.doesNotMatch(saidOf(larger), /same model/);
  });
});
