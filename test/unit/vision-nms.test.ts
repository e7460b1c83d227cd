import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { iouOf } from "../../src/core/detections.ts";
import { Candidates, suppress, type SuppressOptions } from "../../src/vision/process/nms.ts";
import { seededRandom } from "../lib/seams.ts";

const options: SuppressOptions = { iouMax: 0.45, classAgnostic: false, candidatesMax: 1_000, detectionsMax: 100 };

function scattered(count: number, seed: number): Candidates {
  const random = seededRandom(seed);
  const candidates = new Candidates();
  for (let index = 0; index < count; index += 1) {
    const left = random() * 500;
    const top = random() * 500;
    const score = Math.round(random() * 50) / 50;
    candidates.add(left, top, left + 20 + random() * 80, top + 20 + random() * 80, score, Math.floor(random() * 3));
  }
  return candidates;
}

function boxAt(candidates: Candidates, index: number) {
  const left = candidates.left[index] ?? 0;
  const top = candidates.top[index] ?? 0;
  return { left, top, width: (candidates.right[index] ?? 0) - left, height: (candidates.bottom[index] ?? 0) - top };
}

/** The textbook form: sort, take, strike out. */
function plainSuppress(candidates: Candidates, { iouMax, classAgnostic, detectionsMax }: SuppressOptions): number[] {
  const indices = Array.from({ length: candidates.count }, (_, index) => index);
  indices.sort((a, b) => (candidates.score[b] ?? 0) - (candidates.score[a] ?? 0) || a - b);
  const kept: number[] = [];
  for (const index of indices) {
    const struck = kept.some(
      (other) =>
        (classAgnostic || candidates.classIndex[other] === candidates.classIndex[index]) &&
        iouOf(boxAt(candidates, other), boxAt(candidates, index)) > iouMax,
    );
    if (!struck && kept.length < detectionsMax) kept.push(index);
  }
  return kept;
}

describe("non-maximum suppression", () => {
  it("keeps what the textbook keeps, in the same order, over random boxes", () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const candidates = scattered(300, seed);
      for (const classAgnostic of [false, true]) {
        const wanted = plainSuppress(candidates, { ...options, classAgnostic });
        assert.deepEqual(suppress(candidates, { ...options, classAgnostic }), wanted);
      }
    }
  });

  it("looks at no more candidates than its limit and returns no more detections than theirs", () => {
    const candidates = scattered(5_000, 1);
    const kept = suppress(candidates, { ...options, iouMax: 1, candidatesMax: 50, detectionsMax: 1_000 });
    assert.equal(kept.length, 50);
    assert.equal(suppress(candidates, options).length <= 100, true);
  });

  it("ignores boxes without area and edges that are not finite", () => {
    const candidates = new Candidates();
    candidates.add(5, 5, 5, 9, 0.9, 0);
    candidates.add(Number.NaN, 5, 8, 9, 0.9, 0);
    candidates.add(-Infinity, 5, 8, 9, 0.9, 0);
    candidates.add(1, 1, 2, 2, 0.9, 0);
    assert.equal(candidates.count, 1);
  });

  it("ignores what is no score or no class", () => {
    const candidates = new Candidates();
    for (const score of [Number.NaN, 0, -0.9, Infinity]) candidates.add(1, 1, 2, 2, score, 0);
    for (const classIndex of [Number.NaN, -1, Infinity, 3e9]) candidates.add(1, 1, 2, 2, 0.9, classIndex);
    assert.equal(candidates.count, 0);
    candidates.add(1, 1, 2, 2, 0.9, 79);
    assert.equal(candidates.count, 1);
  });
});
