import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import type { Signature, TensorFacts } from "../../src/vision/process/families/family.ts";
import { recogniseFamily } from "../../src/vision/process/recognise.ts";

type Shape = readonly (number | string)[];

interface Facts {
  readonly outputs: Readonly<Record<string, Shape>>;
  readonly side?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly labels?: number;
}

function signature({ outputs, side = 640, metadata = {}, labels }: Facts): Signature {
  const tensor = (name: string, shape: Shape): TensorFacts => ({ name, type: "float32", shape });
  return {
    inputs: [tensor("images", [1, 3, side, side])],
    outputs: Object.entries(outputs).map(([name, shape]) => tensor(name, shape)),
    metadata: new Map(Object.entries(metadata)),
    labels: labels === undefined ? undefined : Array.from({ length: labels }, (_, index) => `label${index}`),
    input: { width: side, height: side },
  };
}

function refused(facts: Facts, wanted?: string): string {
  let message = "";
  assert.throws(
    () => recogniseFamily(signature(facts), wanted, "m.onnx"),
    (error: unknown) => {
      assert.ok(error instanceof AgentError);
      assert.equal(error.code, "MODEL_UNKNOWN_FAMILY");
      message = error.message;
      return true;
    },
  );
  return message;
}

describe("recognising a model's family", () => {
  const recognised: readonly (readonly [string, string, number, Facts])[] = [
    [
      "YOLOv8 with its metadata",
      "yolo8",
      80,
      { outputs: { o: [1, 84, 8400] }, metadata: { task: "detect" }, labels: 80 },
    ],
    ["YOLOv8 stripped of metadata", "yolo8", 80, { outputs: { o: [1, 84, 2100] }, side: 320 }],
    ["YOLOv8 of three classes", "yolo8", 3, { outputs: { o: [1, 7, 8400] }, labels: 3 }],
    [
      "a dynamic YOLOv8",
      "yolo8",
      80,
      { outputs: { o: ["batch", 84, "cells"] }, metadata: { task: "detect" }, labels: 80 },
    ],
    ["YOLO26", "end-to-end", 80, { outputs: { o: [1, 300, 6] }, metadata: { end2end: "True" }, labels: 80 }],
    [
      "YOLO26 of two classes",
      "end-to-end",
      2,
      { outputs: { o: [1, 300, 6] }, metadata: { end2end: "True" }, labels: 2 },
    ],
    [
      "YOLO11 of two classes exported with suppression",
      "end-to-end",
      2,
      { outputs: { o: [1, 300, 6] }, metadata: { end2end: "False", args: "{'batch': 1, 'nms': True}" }, labels: 2 },
    ],
    ["YOLOv10 of three classes", "end-to-end", 3, { outputs: { o: [1, 300, 6] }, labels: 3 }],
    ["YOLOv10 without metadata", "end-to-end", 0, { outputs: { o: [1, 300, 6] } }],
    ["an EdgeEye model", "ssd", 1, { outputs: { scores: [1, 4420, 2], boxes: [1, 4420, 4] } }],
    ["YOLOv5", "yolo5", 80, { outputs: { o: [1, 25200, 85] } }],
    ["YOLOv5 of three classes", "yolo5", 3, { outputs: { o: [1, 6300, 8] }, side: 320, labels: 3 }],
    ["YOLOX", "yolox", 80, { outputs: { o: [1, 3549, 85] }, side: 416 }],
    ["YOLOv8 with outlines", "yolo8-seg", 80, { outputs: { o: [1, 116, 8400], p: [1, 32, 160, 160] }, labels: 80 }],
    [
      "YOLOv8 with outlines, stripped of metadata",
      "yolo8-seg",
      5,
      { outputs: { o: [1, 41, 2100], p: [1, 32, 80, 80] }, side: 320 },
    ],
    [
      "a dynamic YOLO11 with outlines",
      "yolo8-seg",
      80,
      { outputs: { o: ["b", 116, "n"], p: ["b", 32, "h", "w"] }, metadata: { task: "segment" }, labels: 80 },
    ],
    ["SSD with three classes, boxes first", "ssd", 3, { outputs: { boxes: [1, 99, 4], scores: [1, 99, 4] } }],
  ];
  for (const [what, family, classes, facts] of recognised) {
    it(`takes ${what} for ${family}`, () => {
      const found = recogniseFamily(signature(facts), undefined, "m.onnx");
      assert.deepEqual([found.family.name, found.classes], [family, classes]);
    });
  }

  const notYet: readonly (readonly [string, Facts])[] = [
    ["yolo5-seg", { outputs: { o: [1, 25200, 117], p: [1, 32, 160, 160] }, labels: 80 }],
    [
      "end-to-end-seg",
      { outputs: { o: [1, 300, 38], p: [1, 32, 160, 160] }, metadata: { task: "segment" }, labels: 80 },
    ],
    ["yolo8-pose", { outputs: { o: [1, 56, 8400] }, metadata: { task: "pose" }, labels: 1 }],
    ["yolo8-obb", { outputs: { o: [1, 20, 8400] }, metadata: { task: "obb" }, labels: 15 }],
    ["nanodet-plus", { outputs: { o: [1, 3598, 112] }, side: 416, labels: 80 }],
    [
      "picodet",
      {
        outputs: {
          a: [1, 1600, 80],
          b: [1, 400, 80],
          c: [1, 100, 80],
          d: [1, 25, 80],
          e: [1, 1600, 32],
          f: [1, 400, 32],
          g: [1, 100, 32],
          h: [1, 25, 32],
        },
        side: 320,
      },
    ],
    ["yolo8-turned", { outputs: { o: [1, 8400, 84] }, labels: 80 }],
    ["rtdetr", { outputs: { o: [1, 300, 84] }, metadata: { task: "detect", end2end: "False" }, labels: 80 }],
    ["detr-raw", { outputs: { pred_logits: [1, 100, 92], pred_boxes: [1, 100, 4] } }],
  ];
  for (const [family, facts] of notYet) {
    it(`refuses ${family} ${JSON.stringify(facts.outputs)} by its name`, () => {
      assert.match(refused(facts), new RegExp(`looks like ${family} .*does not read yet`));
    });
  }

  const uncertain: readonly (readonly [string, RegExp, Facts])[] = [
    ["pose or detection", /could be yolo8 or yolo8-pose/, { outputs: { o: [1, 56, 8400] } }],
    ["rotated boxes or detection", /could be yolo8 or yolo8-obb/, { outputs: { o: [1, 20, 8400] } }],
    ["one class in six columns", /could be yolox or yolox-decoded or yolo8-turned/, { outputs: { o: [1, 8400, 6] } }],
    [
      "open rows of six columns",
      /could be end-to-end or yolo5 or yolo5-relative or yolo5-raw or yolox/,
      { outputs: { o: [1, "rows", 6] } },
    ],
    [
      "RT-DETR of two classes by its own account",
      /could be end-to-end or rtdetr/,
      {
        outputs: { o: [1, 300, 6] },
        metadata: { task: "detect", end2end: "False", args: "{'nms': False}" },
        labels: 2,
      },
    ],
    [
      "a head that says it is not final",
      /could be end-to-end/,
      { outputs: { o: [1, 300, 6] }, metadata: { end2end: "False" }, labels: 80 },
    ],
    ["two unnamed outputs", /could be ssd or detr-raw/, { outputs: { a: [1, 900, 21], b: [1, 900, 4] } }],
  ];
  for (const [what, candidates, facts] of uncertain) {
    it(`refuses what could be ${what}, naming the candidates and the line to add`, () => {
      const message = refused(facts);
      assert.match(message, candidates);
      assert.match(message, /write "family": "(yolo8|yolox|end-to-end|ssd)" into a manifest/);
    });
  }

  it("refuses outputs that fit nothing", () => {
    assert.match(refused({ outputs: { logits: [1, 1000] } }), /unknown: its outputs logits float32\[1,1000\] fit none/);
  });

  it("says so when only the number of labels is in the way", () => {
    assert.match(refused({ outputs: { o: [1, 84, 8400] }, labels: 79 }), /80 classes, but 79 labels are given/);
    assert.match(refused({ outputs: { o: [1, 25200, 85] }, labels: 79 }), /80 classes, but 79 labels are given/);
  });

  it("takes an encoding that shapes do not tell only on the manifest's word", () => {
    const rows = { outputs: { o: [1, 6300, 85] }, side: 320 };
    for (const name of ["yolo5", "yolo5-relative", "yolo5-raw"]) {
      assert.equal(recogniseFamily(signature(rows), name, "m.onnx").family.name, name);
    }
    const oneClass = { outputs: { o: [1, 8400, 6] } };
    assert.equal(recogniseFamily(signature(oneClass), "yolox-decoded", "m.onnx").classes, 1);
    assert.match(refused(rows, "yolox"), /do not fit it/);
  });

  it("obeys the manifest where the form fits, and never where it does not", () => {
    const pose = { outputs: { o: [1, 56, 8400] } };
    assert.equal(recogniseFamily(signature(pose), "yolo8", "m.onnx").classes, 52);
    assert.match(refused(pose, "ssd"), /do not fit it/);
    assert.match(refused(pose, "yolo8-pose"), /does not read yet/);
    assert.match(refused(pose, "yolo99"), /does not exist/);
  });
});
