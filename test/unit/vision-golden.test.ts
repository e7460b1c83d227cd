import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Detection } from "../../src/core/types.ts";
import {
  type Golden,
  goldenOf,
  goldenOfAnything,
  goldenText,
  type GoldenVerdict,
  judgeGolden,
  parseGolden,
} from "../../src/vision/golden.ts";

const picture = Buffer.from("a picture");
const threshold = 0.25;

function detection(label: string, score: number, left: number, width = 100): Detection {
  return { label, score, box: { left, top: 50, width, height: 200 } };
}

const dog = detection("dog", 0.9, 100);
const cat = detection("cat", 0.5, 400);
const golden = goldenOf(picture, [dog, cat, detection("cat", 0.1, 700)], threshold);

function judge(...found: readonly Detection[]): GoldenVerdict {
  return judgeGolden(golden, found, threshold);
}

describe("judging by a golden picture", () => {
  it("matches what is there, and says how near it is", () => {
    const verdict = judge(detection("cat", 0.45, 400), detection("dog", 0.92, 102));
    assert.equal(verdict.kind, "matched");
    assert.deepEqual([verdict.expected, verdict.found], [2, 2]);
    assert.ok(Math.abs(verdict.iouMin - 98 / 102) < 1e-6, `${verdict.iouMin}`);
    assert.ok(Math.abs(verdict.scoreDifferenceMax - 0.05) < 1e-6, `${verdict.scoreDifferenceMax}`);
  });

  it("misses a detection whose box, score or label is another", () => {
    const others = [detection("cat", 0.5, 420), detection("cat", 0.35, 400), detection("bird", 0.5, 400)];
    for (const other of others) {
      const verdict = judge(dog, other);
      assert.equal(verdict.kind, "different");
      assert.deepEqual(
        verdict.missing.map(({ expected }) => expected.label),
        ["cat"],
      );
    }
  });

  it("says what comes nearest to a missing one", () => {
    const verdict = judge(dog, detection("cat", 0.48, 450));
    assert.ok(verdict.kind === "different");
    assert.deepEqual(verdict.missing[0]?.nearest, { iou: 1 / 3, score: 0.48 });
  });

  it("counts an unexpected one only where it is stronger than the threshold by the tolerance", () => {
    assert.equal(judge(dog, cat, detection("bird", 0.34, 700)).kind, "matched");
    const verdict = judge(dog, cat, detection("bird", 0.36, 700));
    assert.ok(verdict.kind === "different");
    assert.deepEqual([verdict.missing.length, verdict.extra.length], [0, 1]);
  });

  it("takes each found one for one expected one only", () => {
    const pair = goldenOf(picture, [dog, detection("dog", 0.6, 102)], threshold);
    assert.equal(judgeGolden(pair, [dog, detection("dog", 0.6, 102)], threshold).kind, "matched");
    const verdict = judgeGolden(pair, [dog], threshold);
    assert.ok(verdict.kind === "different");
    assert.equal(verdict.missing.length, 1);
  });

  it("calls a model dead that scores nothing anywhere near the threshold", () => {
    assert.deepEqual(judge(), { kind: "dead", expected: 2, scoreMax: 0 });
    assert.deepEqual(judge(detection("dog", 0.1, 100)), { kind: "dead", expected: 2, scoreMax: 0.1 });
    assert.equal(judge(detection("bird", 0.3, 600)).kind, "different");
  });

  it("wants of a picture that nobody has described only that something is found", () => {
    const anything = goldenOfAnything(picture);
    assert.equal(judgeGolden(anything, [dog, cat], threshold).kind, "matched");
    assert.equal(judgeGolden(anything, [detection("dog", 0.2, 100)], threshold).kind, "dead");
  });
});

describe("a golden picture's file", () => {
  it("reads back as it was written", () => {
    const read: Golden = parseGolden(JSON.parse(goldenText(golden)), picture, "golden.json");
    assert.deepEqual(read, golden);
    assert.deepEqual(
      read.expected.map(({ label }) => label),
      ["dog", "cat"],
    );
  });

  it("may be written by hand, with the usual tolerances", () => {
    const { expected } = golden;
    const { iouMin, scoreTolerance, threshold: none } = parseGolden({ expected }, picture, "golden.json");
    assert.deepEqual([iouMin, scoreTolerance, none], [0.9, 0.1, undefined]);
  });

  it("refuses what proves nothing, belongs to another picture, or has a mistake", () => {
    const facts = JSON.parse(goldenText(golden)) as object;
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [{ ...facts, expected: [] }, /expected/],
      [{ ...facts, expcted: [] }, /expcted/],
      [{ ...facts, iouMin: 0 }, /iouMin/],
      [{ ...facts, expected: [{ label: "dog", score: 2, box: dog.box }] }, /expected\.0\.score/],
      [{ ...facts, expected: [{ label: "dog", score: 1, box: { ...dog.box, width: 0 } }] }, /expected\.0\.box\.width/],
      [{ ...facts, sha256: "0".repeat(64) }, /not the one that it was made from/],
      [[], /golden\.json/],
      [null, /golden\.json/],
    ];
    for (const [content, message] of wrong) {
      assert.throws(() => parseGolden(content, picture, "golden.json"), { code: "MODEL_GOLDEN", message });
    }
  });

  it("is not made of a picture without a strong detection, nor of a crowd", () => {
    assert.throws(() => goldenOf(picture, [detection("dog", 0.2, 0)], threshold), { code: "MODEL_GOLDEN" });
    // So weak that it could fall below what is ever told.
    assert.throws(() => goldenOf(picture, [detection("dog", 0.12, 0)], 0.05), { code: "MODEL_GOLDEN" });
    const crowd = Array.from({ length: 51 }, (_, index) => detection("dog", 0.9, index * 10));
    assert.throws(() => goldenOf(picture, crowd, threshold), { code: "MODEL_GOLDEN", message: /51 objects/ });
  });
});
