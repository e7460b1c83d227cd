import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Detection } from "../../src/core/types.ts";
import { compareOpinions, disagreementPhrase, type Opinion } from "../../src/keep/disagreement.ts";

const seen = (label: string, left = 0, score = 0.8): Detection => ({
  label,
  score,
  box: { left, top: 0, width: 100, height: 100 },
});
const opinion = (shown: readonly Detection[], faint: readonly Detection[] = []): Opinion => ({
  shown,
  faint,
  labels: ["person", "car", "dog"],
});
const phrase = (first: Opinion, second: Opinion) => disagreementPhrase(compareOpinions(first, second, 0.5));

describe("two models' opinions", () => {
  it("agree on objects of one label that overlap, whatever their scores and order", () => {
    assert.equal(phrase(opinion([]), opinion([])), undefined);
    assert.equal(
      phrase(opinion([seen("person"), seen("car", 300)]), opinion([seen("car", 310, 0.3), seen("person", 20)])),
      undefined,
    );
  });

  it("differ on what only one of them sees, by label or place", () => {
    assert.equal(phrase(opinion([seen("car")]), opinion([seen("person")])), "+person -car");
    assert.equal(phrase(opinion([seen("person")]), opinion([seen("person", 60)])), "+person -person");
    assert.deepEqual(compareOpinions(opinion([]), opinion([seen("dog"), seen("dog", 300)]), 0.5), {
      added: ["dog", "dog"],
      missing: [],
    });
  });

  it("take each object once: two for one is one too many", () => {
    assert.equal(phrase(opinion([seen("person")]), opinion([seen("person", 5), seen("person", 10)])), "+person");
  });

  it("match those that share most", () => {
    const [first, second] = [
      opinion([seen("person"), seen("person", 40)]),
      opinion([seen("person", 30), seen("person", 70)]),
    ];
    // The nearest pair takes each other: 40 with 30, which leaves 0 and 70.
    assert.equal(phrase(first, second), "+person -person");
    assert.equal(phrase(first, opinion([seen("person", 3), seen("person", 37)])), undefined);
  });

  it("do not differ on what the other one sees just below its threshold", () => {
    assert.equal(phrase(opinion([seen("person")]), opinion([], [seen("person", 5, 0.2)])), undefined);
    assert.equal(phrase(opinion([], [seen("person", 5, 0.2)]), opinion([seen("person")])), undefined);
    assert.equal(phrase(opinion([seen("person")]), opinion([], [seen("person", 90, 0.2)])), "-person");
    assert.equal(
      phrase(opinion([seen("person"), seen("person", 10)]), opinion([], [seen("person", 5, 0.2)])),
      "-person",
    );
  });

  it("do not differ on what one of them does not know", () => {
    const people: Opinion = { shown: [], faint: [], labels: ["person"] };
    assert.equal(phrase(opinion([seen("car")]), people), undefined);
    assert.equal(phrase(people, opinion([seen("car"), seen("person")])), "+person");
  });

  it("are told in a bounded phrase", () => {
    const labels = Array.from({ length: 20 }, (_, at) => `label-${at}`);
    const many: Opinion = { shown: labels.map((label) => seen(label)), faint: [], labels };
    assert.equal(phrase(many, { ...many, shown: [] }), "-label-0 -label-1 -label-2 -label-3 …");
    const four = { ...many, shown: many.shown.slice(0, 4) };
    assert.equal(phrase(four, { ...many, shown: [] }), "-label-0 -label-1 -label-2 -label-3");
  });
});
