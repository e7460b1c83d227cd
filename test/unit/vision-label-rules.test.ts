import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { withDetectorRules } from "../../agent/models/detector-rules.ts";
import { shownDetections, thresholdFor } from "../../src/core/detections.ts";
import { LabelBook } from "../../src/vision/process/label-rules.ts";
import { placePicture } from "../../src/vision/process/letterbox.ts";
import { Candidates, suppress } from "../../src/vision/process/nms.ts";

const labels = ["person", "car", "truck", "bird"];
/** A picture twice the size of the input. */
const placement = placePicture(200, 200, 100, 100, "letterbox");

/** One row each: left, top, side, score, class. */
function candidates(...rows: readonly (readonly [number, number, number, number, number])[]): Candidates {
  const into = new Candidates();
  for (const [left, top, side, score, classIndex] of rows) {
    into.add(left, top, left + side, top + side, score, classIndex, 7 * classIndex);
  }
  return into;
}

function left(book: LabelBook, from: Candidates): readonly string[] {
  book.apply(from, placement);
  return Array.from({ length: from.count }, (_, index) => book.nameOf(from.classIndex[index] ?? 0));
}

const oneOfEach = () => candidates([0, 0, 9, 0.9, 0], [20, 0, 9, 0.8, 1], [40, 0, 9, 0.7, 2], [60, 0, 9, 0.6, 3]);

describe("label rules", () => {
  it("leave everything as it is when there are none", () => {
    const book = new LabelBook(labels, {});
    assert.deepEqual(left(book, oneOfEach()), labels);
    assert.deepEqual([book.names(4), book.thresholds, book.warnings], [labels, undefined, []]);
    assert.deepEqual(left(new LabelBook(undefined, {}), oneOfEach()), ["class0", "class1", "class2", "class3"]);
  });

  it("forget what is denied, and with a list of allowed ones everything else", () => {
    assert.deepEqual(left(new LabelBook(labels, { deny: ["bird"] }), oneOfEach()), ["person", "car", "truck"]);
    const both = new LabelBook(labels, { allow: ["car", "bird"], deny: ["bird"] });
    assert.deepEqual(left(both, oneOfEach()), ["car"]);
    assert.deepEqual(both.names(4), ["car"]);
  });

  it("keep a candidate's edges, score and row together when one before it goes", () => {
    const from = oneOfEach();
    new LabelBook(labels, { allow: ["truck"] }).apply(from, placement);
    assert.deepEqual(from.at(0), { row: 14, left: 40, top: 0, right: 49, bottom: 9 });
    assert.ok(Math.abs((from.score[0] ?? 0) - 0.7) < 1e-6);
  });

  it("rename first: everything else speaks of the new names", () => {
    const book = new LabelBook(labels, { rename: { truck: "vehicle", car: "vehicle" }, allow: ["vehicle"] });
    assert.deepEqual(left(book, oneOfEach()), ["vehicle", "vehicle"]);
    assert.deepEqual(book.names(4), ["vehicle"]);
    assert.deepEqual(left(new LabelBook(labels, { rename: { car: "truck" }, deny: ["car"] }), oneOfEach()), [
      "person",
      "truck",
      "truck",
      "bird",
    ]);
  });

  it("make classes of one name one to suppression", () => {
    const same = () => candidates([0, 0, 50, 0.8, 1], [1, 0, 50, 0.7, 2]);
    const options = { iouMax: 0.45, classAgnostic: false, candidatesMax: 100, detectionsMax: 100 };
    const kept = (book: LabelBook) => {
      const from = same();
      book.apply(from, placement);
      return suppress(from, options).length;
    };
    assert.equal(kept(new LabelBook(labels, {})), 2);
    assert.equal(kept(new LabelBook(labels, { rename: { truck: "car" } })), 1);
  });

  it("let what is forgotten take nobody's place", () => {
    const birds = Array.from({ length: 200 }, (_, index) => [index % 90, 0, 5, 0.9, 3] as const);
    const from = candidates(...birds, [0, 50, 30, 0.5, 0]);
    const book = new LabelBook(labels, { deny: ["bird"] });
    book.apply(from, placement);
    const [best] = suppress(from, { iouMax: 1, classAgnostic: false, candidatesMax: 100, detectionsMax: 100 });
    assert.equal(book.nameOf(from.classIndex[best ?? -1] ?? -1), "person");
  });

  it("measure the shorter side in pixels of the picture, and only the part that lies in it", () => {
    const boxes = () => {
      const into = candidates([10, 10, 8, 0.9, 0], [30, 10, 7.9, 0.9, 1], [96, 10, 40, 0.9, 2]);
      into.add(50, 50, 90, 55, 0.9, 3);
      return into;
    };
    assert.deepEqual(left(new LabelBook(labels, { minBox: 16 }), boxes()), ["person"]);
    assert.deepEqual(left(new LabelBook(labels, { minBox: 8 }), boxes()), ["person", "car", "truck", "bird"]);
    assert.deepEqual(left(new LabelBook(labels, { minBox: 16 }, { minBox: 0 }), boxes()).length, 4);
  });

  it("put the config above the manifest, which speaks first", () => {
    const manifest = {
      rename: { truck: "lorry" },
      allow: ["person", "lorry"],
      deny: ["car"],
      thresholds: { lorry: 0.5, person: 0.4 },
    };
    const renamed = new LabelBook(labels, manifest, { rename: { lorry: "vehicle" } });
    assert.deepEqual(left(renamed, oneOfEach()), ["person", "vehicle"]);
    assert.deepEqual(renamed.thresholds, { vehicle: 0.5, person: 0.4 });
    const replaced = new LabelBook(labels, manifest, { allow: ["bird", "car"], thresholds: { person: 0.7 } });
    assert.deepEqual(left(replaced, oneOfEach()), ["bird"]);
    assert.deepEqual(replaced.thresholds, { lorry: 0.5, person: 0.7 });
    assert.deepEqual([renamed.warnings, replaced.warnings], [[], []]);
  });

  it("warn of names that no label answers to, with the one that may be meant", () => {
    const book = new LabelBook(
      labels,
      { rename: { truk: "lorry" }, deny: ["zeppelin"] },
      { allow: ["persn"], thresholds: { lorry: 0.5, constructor: 0.5 } },
    );
    assert.deepEqual(book.warnings, [
      `the manifest's rename names "truk", which the model does not know; did you mean "truck"?`,
      `the manifest's deny names "zeppelin", which the model does not know; it has person, car, truck, bird`,
      `detector.allow names "persn", which the model does not know; did you mean "person"?`,
      `detector.thresholds names "lorry", which the model does not know; it has person, car, truck, bird`,
      `detector.thresholds names "constructor", which the model does not know; it has person, car, truck, bird`,
    ]);
  });
});

describe("the section detector of the config", () => {
  it("goes above the manifest with what it says of labels and scores, and with nothing else", () => {
    const spec = { name: "m", file: "/m.onnx", sha256: "", manifest: { threshold: 0.4, deny: ["bird"] } };
    const whenAway = "drop";
    const rest = { exact: true, whenAway, maxMemory: 1 } as const;
    assert.equal(withDetectorRules(spec, rest), spec);
    assert.deepEqual(withDetectorRules(spec, { ...rest, threshold: 0.3, allow: ["car"], minBox: 8 }), {
      ...spec,
      rules: { threshold: 0.3, allow: ["car"], minBox: 8 },
    });
  });
});

describe("thresholds of single labels", () => {
  const detections = [0.3, 0.6].flatMap((score) =>
    ["person", "car", "constructor"].map((label) => ({ label, score, box: { left: 0, top: 0, width: 1, height: 1 } })),
  );
  const shown = (thresholds: Record<string, number>, minScore?: number) =>
    shownDetections({ detections, model: { threshold: 0.5, thresholds } }, minScore).map(
      ({ label, score }) => `${label} ${score}`,
    );

  it("replace the model's, up or down, for that label alone", () => {
    assert.deepEqual(shown({ person: 0.2, car: 0.7 }), ["person 0.3", "person 0.6", "constructor 0.6"]);
    assert.equal(thresholdFor("bird", { threshold: 0.5, thresholds: { person: 0.2 } }), 0.5);
  });

  it("yield to a stricter score of a target", () => {
    assert.deepEqual(shown({ person: 0.2 }, 0.55), ["person 0.6", "car 0.6", "constructor 0.6"]);
  });
});
