import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Detection } from "../../src/core/types.ts";
import { decide, initialKeepState, type Candidate, type KeepRules, type KeepState } from "../../src/keep/decide.ts";

const rules: KeepRules = {
  labels: [],
  minScore: 0,
  minIntervalMs: 0,
  negativesEvery: 0,
  whenAway: "keep-unlabelled",
};
const seen = (label: string, score: number): Detection => ({
  label,
  score,
  box: { left: 0, top: 0, width: 10, height: 10 },
});
const frame = (change: Partial<Candidate> = {}): Candidate => ({
  monotonicMs: 0,
  requested: false,
  labelled: true,
  detections: [],
  ...change,
});
const verdict = (rule: Partial<KeepRules>, candidate: Partial<Candidate>, state: KeepState = initialKeepState) => {
  const decision = decide({ ...rules, ...rule }, state, frame(candidate));
  return decision.keep ? `${decision.reason.rule} ${decision.reason.priority}` : decision.why;
};
const person = seen("person", 0.8);
const cat = seen("cat", 0.9);

describe("keep rules", () => {
  const table: readonly [string, Partial<KeepRules>, Partial<Candidate>, string][] = [
    ["any detection when no label is named", {}, { detections: [cat] }, "any-detection 1"],
    ["a named label", { labels: ["person"] }, { detections: [cat, person] }, "label:person 1"],
    ["no other label", { labels: ["person"] }, { detections: [cat] }, "label"],
    ["the best of several named labels", { labels: ["person", "cat"] }, { detections: [cat, person] }, "label:cat 1"],
    ["a score at the minimum", { minScore: 0.8 }, { detections: [person] }, "any-detection 1"],
    ["no lower score", { minScore: 0.81 }, { detections: [person] }, "score"],
    ["no other label's score", { labels: ["person"], minScore: 0.85 }, { detections: [cat, person] }, "score"],
    ["no empty frame", {}, {}, "empty"],
    ["a requested empty frame", {}, { requested: true }, "requested 2"],
    ["a requested frame although its label is not named", { labels: ["x"] }, { requested: true }, "requested 2"],
    ["a requested unlabelled frame", { whenAway: "drop" }, { requested: true, labelled: false }, "requested 2"],
    ["an unlabelled frame", { labels: ["person"] }, { labelled: false }, "unlabelled 0"],
    ["no unlabelled frame when set so", { whenAway: "drop" }, { labelled: false }, "vision-away"],
    ["every frame as a negative at 1", { negativesEvery: 1 }, {}, "negative:every-1 0"],
  ];
  for (const [title, rule, candidate, expected] of table) {
    it(`keep ${title}`, () => assert.equal(verdict(rule, candidate), expected));
  }

  it("keep every fiftieth empty frame, however many with detections lie between", () => {
    let state = initialKeepState;
    const kept: number[] = [];
    let empty = 0;
    for (let at = 1; at <= 450; at += 1) {
      const detections = at % 3 === 0 ? [cat] : [];
      if (detections.length === 0) empty += 1;
      const decision = decide({ ...rules, negativesEvery: 50 }, state, frame({ detections, monotonicMs: at }));
      state = decision.state;
      if (decision.keep && decision.reason.rule === "negative:every-50") kept.push(empty);
    }
    assert.deepEqual(kept, [50, 100, 150, 200, 250, 300]);
  });

  it("keep no more than one detection an interval, counted from the last one kept", () => {
    let state = initialKeepState;
    const kept: number[] = [];
    for (let at = 0; at <= 10_000; at += 700) {
      const decision = decide({ ...rules, minIntervalMs: 3_000 }, state, frame({ detections: [cat], monotonicMs: at }));
      state = decision.state;
      if (decision.keep) kept.push(at);
    }
    assert.deepEqual(kept, [0, 3_500, 7_000]);
  });

  it("hold unlabelled frames to the interval too", () => {
    const state: KeepState = { keptAtMs: 1_000, empty: 0 };
    assert.equal(verdict({ minIntervalMs: 500 }, { labelled: false, monotonicMs: 1_499 }, state), "interval");
    assert.equal(verdict({ minIntervalMs: 500 }, { labelled: false, monotonicMs: 1_500 }, state), "unlabelled 0");
  });

  it("neither delay a request nor let it delay a detection", () => {
    const state: KeepState = { keptAtMs: 1_000, empty: 7 };
    const decision = decide({ ...rules, minIntervalMs: 500 }, state, frame({ requested: true, monotonicMs: 1_001 }));
    assert.equal(decision.keep, true);
    assert.deepEqual(decision.state, state);
  });
});
