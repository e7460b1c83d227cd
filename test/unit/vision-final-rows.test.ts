import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Reading } from "../../src/vision/config.ts";
import { detr } from "../../src/vision/process/families/detr.ts";
import { endToEnd } from "../../src/vision/process/families/end-to-end.ts";
import type { DecodeContext, Family, OutputTensor, Outputs } from "../../src/vision/process/families/family.ts";
import { ssd } from "../../src/vision/process/families/ssd.ts";
import { tfSsd } from "../../src/vision/process/families/tf-ssd.ts";
import { Candidates } from "../../src/vision/process/nms.ts";

interface Found {
  readonly edges: readonly [number, number, number, number];
  readonly score: number;
  readonly classIndex: number;
}

function context(classes: number, reading: Reading = {}): DecodeContext {
  return { classes, inputWidth: 200, inputHeight: 100, scoreMin: 0.25, reading };
}

function tensor(dims: readonly number[], ...data: readonly number[]): OutputTensor {
  return { dims, data: Float32Array.from(data) };
}

function outputs(tensors: Readonly<Record<string, OutputTensor>>): Outputs {
  return new Map(Object.entries(tensors));
}

function decoded(family: Family, tensors: Readonly<Record<string, OutputTensor>>, how = context(3)): readonly Found[] {
  const into = new Candidates();
  family.decode(outputs(tensors), how, into);
  return Array.from({ length: into.count }, (_, index) => {
    const { left, top, right, bottom } = into.at(index);
    return {
      edges: [left, top, right, bottom],
      score: into.score[index] ?? 0,
      classIndex: into.classIndex[index] ?? 0,
    };
  });
}

describe("decoding tf-ssd", () => {
  const rows = {
    "num_detections:0": tensor([1], 3),
    "detection_boxes:0": tensor([1, 4, 4], 0.25, 0.5, 0.75, 1, 0, 0, 1, 0.125, 0.5, 0.5, 0.75, 0.75, 0, 0, 1, 1),
    "detection_scores:0": tensor([1, 4], 0.875, 0.125, 0.5, 0.75),
    "detection_classes:0": tensor([1, 4], 1, 2, 3, 1),
  };

  it("reads top, left, bottom, right of the input's size, classes from 1, and no row beyond the number", () => {
    assert.deepEqual(decoded(tfSsd, rows), [
      { edges: [100, 25, 200, 75], score: 0.875, classIndex: 0 },
      { edges: [100, 50, 150, 75], score: 0.5, classIndex: 2 },
    ]);
  });

  it("reads all rows where no number is given, and names without an ending", () => {
    const plain = Object.fromEntries(Object.entries(rows).map(([name, value]) => [name.replace(":0", ""), value]));
    delete plain["num_detections"];
    assert.deepEqual(
      decoded(tfSsd, plain).map(({ score }) => score),
      [0.875, 0.5, 0.75],
    );
  });

  it("counts classes from where the manifest says, and takes none before the first", () => {
    const classes = (firstClass: number) =>
      decoded(tfSsd, rows, context(3, { firstClass })).map(({ classIndex }) => classIndex);
    assert.deepEqual(classes(0), [1, 3]);
    assert.deepEqual(classes(2), [1]);
  });

  it("refuses outputs that do not belong together", () => {
    for (const [name, odd] of [
      ["detection_scores:0", tensor([1, 3], 1, 1, 1)],
      ["detection_classes:0", tensor([1, 3], 1, 1, 1)],
      ["detection_scores:0", tensor([2, 2], 1, 1, 1, 1)],
    ] as const) {
      assert.throws(() => decoded(tfSsd, { ...rows, [name]: odd }), { code: "MODEL_OUTPUT" });
    }
    const without = new Map(Object.entries(rows));
    without.delete("detection_boxes:0");
    assert.throws(() => decoded(tfSsd, Object.fromEntries(without)), {
      code: "MODEL_OUTPUT",
      message: /detection_boxes is missing/,
    });
  });
});

describe("decoding detr", () => {
  const rows = {
    labels: tensor([1, 3], 2, 0, 1),
    boxes: tensor([1, 3, 4], 10, 20, 60, 90, 0, 0, 200, 100, 5, 5, 6, 7),
    scores: tensor([1, 3], 0.75, 0.5, 0.125),
  };

  it("reads rows in input pixels", () => {
    const wanted = [
      { edges: [10, 20, 60, 90], score: 0.75, classIndex: 2 },
      { edges: [0, 0, 200, 100], score: 0.5, classIndex: 0 },
    ];
    assert.deepEqual(decoded(detr, rows), wanted);
    const squeezed = Object.entries(rows).map(([name, { data, dims }]) => [name, { data, dims: dims.slice(1) }]);
    assert.deepEqual(decoded(detr, Object.fromEntries(squeezed) as typeof rows), wanted);
    assert.deepEqual(
      decoded(detr, rows, context(3, { firstClass: 1 })).map(({ classIndex }) => classIndex),
      [1],
    );
  });

  it("tells the model the size of its own input, width first, in the type it asks for", () => {
    const asking = (type: string) => {
      const sizes = { name: "orig_target_sizes", type, shape: ["batch", 2] };
      const signature = { inputs: [sizes], outputs: [], metadata: new Map(), labels: undefined, input: undefined };
      return detr.constants?.(signature, { width: 640, height: 360 });
    };
    assert.deepEqual(asking("int64"), [
      { name: "orig_target_sizes", data: BigInt64Array.of(640n, 360n), dims: [1, 2] },
    ]);
    assert.deepEqual(asking("float32")?.[0]?.data, Float32Array.of(640, 360));
  });

  it("refuses outputs that do not belong together", () => {
    assert.throws(() => decoded(detr, { ...rows, labels: tensor([1, 2], 0, 1) }), { code: "MODEL_OUTPUT" });
    assert.throws(() => decoded(detr, { ...rows, boxes: tensor([1, 4, 3], ...rows.boxes.data) }), {
      code: "MODEL_OUTPUT",
    });
  });
});

describe("decoding ssd", () => {
  const boxes = tensor([1, 2, 4], 0.25, 0.5, 0.75, 1, 0, 0, 0.5, 0.25);
  const scores = (...rows: readonly number[]) => ({ scores: tensor([1, 2, rows.length / 2], ...rows), boxes });
  const first: Found["edges"] = [50, 50, 150, 100];
  const second: Found["edges"] = [0, 0, 100, 25];

  it("leaves out a background that comes first, last, or not at all, as the manifest says", () => {
    const rows = scores(0.75, 0.5, 0.125, 0.25, 0.375, 0.875);
    assert.deepEqual(decoded(ssd, rows, context(2)), [
      { edges: first, score: 0.5, classIndex: 0 },
      { edges: second, score: 0.875, classIndex: 1 },
    ]);
    assert.deepEqual(decoded(ssd, rows, context(2, { background: "last" })), [
      { edges: first, score: 0.75, classIndex: 0 },
      { edges: second, score: 0.375, classIndex: 1 },
    ]);
    assert.deepEqual(decoded(ssd, rows, context(3, { background: "none" })), [
      { edges: first, score: 0.75, classIndex: 0 },
      { edges: second, score: 0.875, classIndex: 2 },
    ]);
    assert.deepEqual(decoded(ssd, rows, context(1, { firstClass: 2 })), [
      { edges: second, score: 0.875, classIndex: 0 },
    ]);
  });

  it("counts its classes by the same rule, and refuses labels of another number", () => {
    const facts = (name: string, columns: number) => ({ name, type: "float32", shape: [1, 2, columns] });
    const sign = (reading: Reading, labels?: readonly string[]) =>
      ssd.sign({
        inputs: [],
        outputs: [facts("scores", 3), facts("boxes", 4)],
        metadata: new Map(),
        labels,
        input: undefined,
        reading,
      })?.classes;
    assert.deepEqual([sign({}), sign({ background: "none" }), sign({ firstClass: 2 })], [2, 3, 1]);
    assert.equal(sign({}, ["a", "b", "c"]), undefined);
    assert.equal(sign({ background: "none" }, ["a", "b", "c"]), 3);
    assert.equal(sign({ firstClass: 3 }), undefined);
  });
});

describe("what end-to-end rows of an empty picture prove", () => {
  const said = (certainty: "sure" | "likely", ...rows: readonly number[]) =>
    endToEnd.doubt?.(outputs({ o: tensor([1, rows.length / 6, 6], ...rows) }), context(2), certainty);

  it("is enough with boxes in pixels and whole class numbers", () => {
    assert.equal(said("likely", 10, 20, 60, 90, 0.001, 0, 1, 1, 50, 9, 0, 1), undefined);
  });

  it("speaks against two scores where score and class should be", () => {
    const relative = [0.5, 0.5, 0.25, 0.25, 0.001, 0.002];
    assert.match(said("likely", ...relative) ?? "", /no class number/);
    assert.match(said("sure", ...relative) ?? "", /no class number/);
    assert.match(said("likely", 0, 0.9, 20, 30, 60, 90) ?? "", /no score/);
  });

  it("is nothing with rows of zeros: enough where the file itself says what it is", () => {
    const zeros = new Array<number>(12).fill(0);
    assert.match(said("likely", ...zeros) ?? "", /no boxes in input pixels/);
    assert.equal(said("sure", ...zeros), undefined);
  });
});
