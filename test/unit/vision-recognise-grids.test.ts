import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import type { Signature, TensorFacts } from "../../src/vision/process/families/family.ts";
import { recogniseFamily } from "../../src/vision/process/recognise.ts";

type Shape = readonly (number | string)[];

interface Facts {
  readonly outputs: Readonly<Record<string, Shape>>;
  readonly side?: number;
  /** The file leaves the input's size open; with `side` a manifest says it. */
  readonly open?: true;
  readonly labels?: number;
}

function signature({ outputs, side, open, labels }: Facts): Signature {
  const tensor = (name: string, shape: Shape): TensorFacts => ({ name, type: "float32", shape });
  return {
    inputs: [tensor("images", open ? ["batch", 3, "height", "width"] : [1, 3, side ?? 0, side ?? 0])],
    outputs: Object.entries(outputs).map(([name, shape]) => tensor(name, shape)),
    metadata: new Map(),
    labels: labels === undefined ? undefined : Array.from({ length: labels }, (_, index) => `label${index}`),
    input: side === undefined ? undefined : { width: side, height: side },
  };
}

/** Named by kind and number: tables [1, rows, columns], or without the batch dimension. */
function tables(rows: Shape, kinds: Readonly<Record<string, number>>, batch: Shape = [1]): Record<string, Shape> {
  return Object.fromEntries(
    Object.entries(kinds).flatMap(([kind, columns]) =>
      rows.map((count, index) => [`${kind}${2 ** (index + 3)}`, [...batch, count, columns]] as const),
    ),
  );
}

function reversed(outputs: Readonly<Record<string, Shape>>): Record<string, Shape> {
  return Object.fromEntries(Object.entries(outputs).reverse());
}

function refusal(facts: Facts): string {
  let message = "";
  assert.throws(
    () => recogniseFamily(signature(facts), undefined, "m.onnx"),
    (error: unknown) => {
      assert.ok(error instanceof AgentError);
      assert.equal(error.code, "MODEL_UNKNOWN_FAMILY");
      message = error.message;
      return true;
    },
  );
  return message;
}

const yunetKinds = { cls_: 1, obj_: 1, bbox_: 4, kps_: 10 };
const scrfdTables = tables([12800, 3200, 800], { a: 1, b: 4, c: 10 });
const nanodetTables = tables([2704, 676, 169], { a: 80, b: 32 });

describe("recognising families whose rows are cells of a grid", () => {
  const recognised: readonly (readonly [string, string, number, Facts])[] = [
    ["its flat export", "yolo-fastestv2", 80, { outputs: { o: [605, 95] }, side: 352 }],
    ["a flat export of one class", "yolo-fastestv2", 1, { outputs: { o: [605, 16] }, side: 352 }],
    ["its two outputs", "yolo-fastestv2", 80, { outputs: { a: [1, 22, 22, 95], b: [1, 11, 11, 95] }, side: 352 }],
    [
      "two outputs of one class, coarse first",
      "yolo-fastestv2",
      1,
      { outputs: { a: ["n", 10, 10, 16], b: ["n", 20, 20, 16] }, side: 320, labels: 1 },
    ],
    ["its six outputs", "nanodet", 80, { outputs: nanodetTables, side: 416 }],
    ["distances first", "nanodet", 80, { outputs: reversed(nanodetTables), side: 416 }],
    ["eleven bins", "nanodet", 1, { outputs: tables([1600, 400, 100], { a: 1, b: 44 }), side: 320 }],
    [
      "as many classes as columns of distances, by its labels",
      "nanodet",
      32,
      { outputs: tables([1600, 400, 100], { a: 32, b: 32 }), side: 320, labels: 32 },
    ],
    [
      "an open batch",
      "nanodet",
      80,
      { outputs: tables(["n8", "n16", "n32"], { a: 80, b: 32 }, ["batch"]), side: 320, open: true },
    ],
    [
      "sizes that contradict the names",
      "nanodet",
      80,
      {
        outputs: { c0: [1600, 80], b0: [400, 80], c1: [100, 80], b1: [1600, 32], c2: [400, 32], b2: [100, 32] },
        side: 320,
      },
    ],
    ["its export", "fastestdet", 80, { outputs: { o: [1, 85, 22, 22] }, side: 352 }],
    ["one class, by its label", "fastestdet", 1, { outputs: { o: [1, 6, 32, 32] }, side: 512, labels: 1 }],
    ["its export", "yunet", 1, { outputs: tables([6400, 1600, 400], yunetKinds), side: 640 }],
    [
      "an open size that a manifest says",
      "yunet",
      1,
      { outputs: tables(["dim", "dim", "dim"], yunetKinds, ["batch"]), side: 480, open: true },
    ],
    ["an open size", "yunet", 1, { outputs: tables(["dim", "dim", "dim"], yunetKinds, ["batch"]), open: true }],
    ["no key points", "yunet", 1, { outputs: tables([1600, 400, 100], { cls_: 1, obj_: 1, bbox_: 4 }), side: 320 }],
    ["key points", "scrfd", 1, { outputs: scrfdTables, side: 640 }],
    ["key points first", "scrfd", 1, { outputs: reversed(scrfdTables), side: 640, labels: 1 }],
    [
      "no batch dimension and an open size",
      "scrfd",
      1,
      { outputs: tables([12800, 3200, 800], { a: 1, b: 4 }, []), side: 320, open: true },
    ],
  ];
  for (const [what, family, classes, facts] of recognised) {
    it(`takes ${family} with ${what}`, () => {
      const found = recogniseFamily(signature(facts), undefined, "m.onnx");
      assert.deepEqual([found.family.name, found.classes], [family, classes]);
    });
  }

  const refused: readonly (readonly [string, RegExp, Facts])[] = [
    ["a grid with planes of unknown meaning", /could be fastestdet/, { outputs: { o: [1, 6, 22, 22] }, side: 352 }],
    ["YOLOv2", /fit none/, { outputs: { o: [1, 425, 13, 13] }, side: 416 }],
    [
      "YOLOv3-tiny with its channels last",
      /could be yolo-fastestv2/,
      { outputs: { a: [1, 13, 13, 255], b: [1, 26, 26, 255] }, side: 416 },
    ],
    [
      "YOLOv3-tiny with labels",
      /fit none/,
      {
        outputs: { a: [1, 13, 13, 255], b: [1, 26, 26, 255] },
        side: 416,
        labels: 80,
      },
    ],
    ["a flat list for another input", /fit none/, { outputs: { o: [605, 95] }, side: 320 }],
    ["a flat list of open length", /could be yolo-fastestv2/, { outputs: { o: ["rows", 95] }, side: 352 }],
    ["one row a cell", /fit none/, { outputs: tables([6400, 1600, 400], { a: 1, b: 4 }), side: 640 }],
    [
      "32 classes or eleven bins",
      /could be nanodet/,
      { outputs: tables([1600, 400, 100], { a: 32, b: 44 }), side: 320 },
    ],
    [
      "the split head of YOLOv8",
      /fit none/,
      {
        outputs: {
          a: [1, 64, 80, 80],
          b: [1, 80, 80, 80],
          c: [1, 64, 40, 40],
          d: [1, 80, 40, 40],
          e: [1, 64, 20, 20],
          f: [1, 80, 20, 20],
        },
        side: 640,
      },
    ],
    ["NanoDet-Plus", /looks like nanodet-plus/, { outputs: { o: [1, 2125, 112] }, side: 320 }],
    ["NanoDet-Plus with labels", /looks like nanodet-plus/, { outputs: { o: [1, 2125, 112] }, side: 320, labels: 80 }],
    ["PicoDet", /looks like picodet/, { outputs: tables([1600, 400, 100, 25], { a: 80, b: 32 }), side: 320 }],
    [
      "YuNet with boxes of five columns",
      /fit none/,
      { outputs: tables([6400, 1600, 400], { ...yunetKinds, bbox_: 5 }), side: 640 },
    ],
    [
      "YuNet with two numbers for each objectness",
      /fit none/,
      { outputs: tables([6400, 1600, 400], { ...yunetKinds, obj_: 2 }), side: 640 },
    ],
    ["YuNet with a table missing", /fit none/, { outputs: tables([6400, 1600], yunetKinds), side: 640 }],
  ];
  for (const [what, message, facts] of refused) {
    it(`refuses ${what}`, () => {
      assert.match(refusal(facts), message);
    });
  }

  it("says so when only the number of labels is in the way", () => {
    assert.match(refusal({ outputs: nanodetTables, side: 416, labels: 79 }), /80 classes, but 79 labels are given/);
    assert.match(refusal({ outputs: scrfdTables, side: 640, labels: 2 }), /1 classes, but 2 labels are given/);
  });
});
