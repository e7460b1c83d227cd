import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import type { Signature } from "../../src/vision/process/families/family.ts";
import { families } from "../../src/vision/process/families/registry.ts";
import { recogniseFamily } from "../../src/vision/process/recognise.ts";
import { signatureOf } from "../lib/onnx-file.ts";
import { needsShared } from "../lib/shared.ts";
import {
  batchOpen,
  exported,
  labelled,
  renamed,
  reshaped,
  reversed,
  signature,
  sizesOpen,
  stripped,
  transposed,
  withMetadata,
  withOutput,
  withoutOutput,
} from "../lib/signatures.ts";
import { tinyModelsFolder } from "../lib/vision.ts";

/** A family; `likely` and a family, to be proved by its outputs; or what the refusal says. */
type Expectation = string | RegExp;

function outcome(facts: Signature, wanted?: string): string {
  try {
    const { family, certainty } = recogniseFamily(facts, wanted, "m.onnx");
    return certainty === "likely" ? `likely ${family.name}` : family.name;
  } catch (error) {
    assert.ok(error instanceof AgentError && error.code === "MODEL_UNKNOWN_FAMILY", String(error));
    return error.message;
  }
}

function assertOutcome(facts: Signature, expected: Expectation): void {
  const came = outcome(facts);
  if (typeof expected === "string") assert.equal(came, expected);
  else assert.match(came, expected);
}

function of(family: string): Signature {
  const known = exported[family];
  assert.ok(known !== undefined, family);
  return known;
}

const unknown =
  /is unknown: .* fit none.*write "family": "…" into a manifest \(<file>\.json\); this version reads "yolo8"/;
const tooMany = (classes: number, labels: number) => new RegExp(`${classes} classes, but ${labels} labels are given`);

const oneClass = (rows: number) => signature({ outputs: { o: [1, rows, 6] } });
const alterations: readonly (readonly [string, Signature, Expectation])[] = [
  ["YOLOv8 without metadata", stripped(of("yolo8")), "yolo8"],
  [
    "YOLOv8 of 12 classes without metadata",
    stripped(signature({ outputs: { o: [1, 16, 8400] } })),
    /yolo8 or yolo8-obb/,
  ],
  ["YOLOv8 of one class with its label", signature({ outputs: { o: [1, 5, 8400] }, labels: 1 }), "yolo8"],
  ["YOLOv8 with a label too many", labelled(of("yolo8"), 81), tooMany(80, 81)],
  ["YOLOv8 with a label too few", labelled(of("yolo8"), 79), tooMany(80, 79)],
  ["YOLOv8 turned round", transposed(of("yolo8")), /looks like yolo8-turned/],
  ["YOLOv8 turned round, without metadata", stripped(transposed(of("yolo8"))), /could be yolox .*or yolo8-turned/],
  ["YOLOv8 for any batch", batchOpen(of("yolo8")), "yolo8"],
  ["YOLOv8 for any size", sizesOpen(of("yolo8")), "yolo8"],
  ["YOLOv8 for any size, without metadata", stripped(sizesOpen(of("yolo8"))), /could be yolo8\./],
  ["YOLOv8 with an output of features", withOutput(of("yolo8"), "features", [1, 64, 80, 80]), unknown],
  ["YOLOv8 that says it finds poses", withMetadata(of("yolo8"), { task: "pose" }), /looks like yolo8-pose/],
  ["YOLOv8 that classifies", withMetadata(signature({ outputs: { o: [1, 1000] } }), { task: "classify" }), unknown],
  ["pose of one class with its label", signature({ outputs: { o: [1, 56, 8400] }, labels: 1 }), tooMany(52, 1)],
  ["rotated boxes with their labels", signature({ outputs: { o: [1, 20, 8400] }, labels: 15 }), tooMany(16, 15)],
  ["segments without metadata", stripped(of("yolo8-seg")), "yolo8-seg"],
  ["segments whose outputs changed places", reversed(of("yolo8-seg")), unknown],
  ["segments without their masks", withoutOutput(of("yolo8-seg"), 1), /is unknown/],
  ["segments without masks or metadata", stripped(withoutOutput(of("yolo8-seg"), 1)), /could be yolo8 or yolo8-obb/],
  ["end-to-end without metadata", stripped(of("end-to-end")), "likely end-to-end"],
  ["end-to-end of two classes without metadata", labelled(stripped(of("end-to-end")), 2), "likely end-to-end"],
  ["end-to-end that says it is not final", withMetadata(of("end-to-end"), { end2end: "False" }), /could be end-to-end/],
  ["end-to-end for any number of rows", stripped(sizesOpen(of("end-to-end"))), /could be end-to-end or yolo5/],
  ["end-to-end turned round", transposed(of("end-to-end")), unknown],
  ["RT-DETR of two classes", labelled(oneClass(300), 2), "likely end-to-end"],
  ["RT-DETR with its labels", signature({ outputs: { o: [1, 300, 84] }, labels: 80 }), /looks like rtdetr/],
  ["RT-DETR without labels", signature({ outputs: { o: [1, 300, 84] } }), /could be rtdetr/],
  ["YOLOv5 without metadata", stripped(of("yolo5")), "yolo5"],
  ["YOLOv5 of one class", oneClass(25_200), "yolo5"],
  [
    "YOLOv5 of one class for a small input",
    signature({ outputs: { o: [1, 567, 6] }, side: 96 }),
    /could be end-to-end or yolo5/,
  ],
  ["YOLOv5 for any size", sizesOpen(of("yolo5")), /could be yolo5 .*or yolox/],
  ["YOLOv5 turned round", transposed(of("yolo5")), unknown],
  ["YOLOv5 with the outputs of its training", withOutput(of("yolo5"), "339", [1, 3, 80, 80, 85]), unknown],
  ["YOLOX without labels", stripped(of("yolox")), "yolox"],
  ["YOLOX of one class with its label", labelled(oneClass(8_400), 1), "yolox"],
  ["YOLOX of one class, or YOLOv8 of two turned round", oneClass(8_400), /could be yolox .*or yolo8-turned/],
  ["YOLOX of another input", { ...of("yolox"), input: { width: 640, height: 640 } }, unknown],
  ["Yolo-FastestV2 renamed", renamed(of("yolo-fastestv2")), "yolo-fastestv2"],
  ["Yolo-FastestV2 with a label too few", labelled(of("yolo-fastestv2"), 79), tooMany(80, 79)],
  ["NanoDet renamed and turned about", reversed(renamed(stripped(of("nanodet")))), "nanodet"],
  ["NanoDet without one of its outputs", withoutOutput(of("nanodet"), 5), unknown],
  ["FastestDet without labels", stripped(of("fastestdet")), "fastestdet"],
  [
    "FastestDet of three classes without labels",
    signature({ outputs: { o: [1, 8, 22, 22] }, side: 352 }),
    /fastestdet/,
  ],
  ["YuNet whose names are gone", renamed(of("yunet")), unknown],
  ["SCRFD whose names are gone", renamed(of("scrfd")), "scrfd"],
  ["SCRFD with two labels", labelled(of("scrfd"), 2), tooMany(1, 2)],
  ["SSD whose names are gone", renamed(of("ssd")), /could be ssd or detr-raw/],
  ["SSD of another number of boxes", reshaped(of("ssd"), ([, n = 0, c = 0]) => [1, c === 4 ? 99 : n, c]), unknown],
  ["TF-SSD whose names are gone", renamed(of("tf-ssd")), unknown],
  ["TF-SSD with TensorFlow 2's other outputs", withOutput(of("tf-ssd"), "raw_detection_boxes", [1, 1917, 4]), "tf-ssd"],
  ["TF-SSD without its number", withoutOutput(of("tf-ssd"), 0), "tf-ssd"],
  ["TF-SSD without its classes", withoutOutput(of("tf-ssd"), 3), unknown],
  ["DETR without labels", stripped(of("detr")), "detr"],
  ["DETR without its second input", { ...of("detr"), inputs: of("detr").inputs.slice(0, 1) }, /could be torchvision/],
  ["DETR without its last step", signature({ outputs: { logits: [1, 300, 80], pred_boxes: [1, 300, 4] } }), /detr-raw/],
  ["DETR turned round", transposed(of("detr")), unknown],
];

describe("recognising altered files", () => {
  it("has an exported file of every family that files are recognised as", () => {
    // The others are ways of reading a file of the first, told by its outputs.
    const told = families.map(({ name }) => name).filter((name) => !/-(raw|relative|decoded)$/.test(name));
    assert.deepEqual(Object.keys(exported).toSorted(), told.toSorted());
  });

  for (const [family, facts] of Object.entries(exported)) {
    it(`takes ${family} as exported, for any batch, and with outputs in any order that says the same`, () => {
      assertOutcome(facts, family);
      assertOutcome(batchOpen(facts), family);
      if (family !== "yolo8-seg") assertOutcome(reversed(facts), family);
    });
  }

  for (const [what, facts, expected] of alterations) {
    it(`${typeof expected === "string" ? `takes for ${expected}` : "refuses"}: ${what}`, () => {
      assertOutcome(facts, expected);
    });
  }

  it("obeys a manifest that names the family where the outputs allow it", () => {
    for (const [family, facts] of Object.entries(exported)) {
      assert.equal(outcome(stripped(facts), family), family);
      const other = family === "ssd" ? "yolo8" : "ssd";
      assert.match(outcome(facts, other), new RegExp(`names the family "${other}", but .* do not fit it`));
    }
    assert.equal(outcome(renamed(of("ssd")), "ssd"), "ssd");
  });
});

describe("recognising files on disk", () => {
  const ways: readonly (readonly [string, (from: Signature) => Signature])[] = [
    ["as it is", (from) => from],
    ["without metadata", stripped],
    ["without labels", (from) => labelled(from, undefined)],
    ["for any batch", batchOpen],
    ["for any batch, without metadata", (from) => stripped(batchOpen(from))],
    ["for any size", sizesOpen],
    ["with outputs renamed", renamed],
    ["with outputs renamed, without metadata", (from) => stripped(renamed(from))],
    ["turned round", transposed],
    ["turned round, without metadata", (from) => stripped(transposed(from))],
    ["with an output more", (from) => withOutput(from, "more", [1, 7])],
    ["with a label too many", (from) => labelled(from, (from.labels?.length ?? 1) + 1)],
    ["with 17 labels", (from) => labelled(from, 17)],
  ];

  /** Right, to be proved by its outputs, or refused with a way on: never taken for another. */
  function assertNeverWrong(facts: Signature, family: string): void {
    for (const [way, alter] of ways) {
      const came = outcome(alter(facts));
      const isRight = came === family || came === `likely ${family}`;
      const isRefused = /could be .*write "family": "\S+" into|is unknown: .*write "family": "…" into|looks like/.test(
        came,
      );
      assert.ok(isRight || isRefused, `${family} ${way}: ${came}`);
      if (way === "as it is") assert.equal(came, family);
    }
  }

  it("takes every tiny model for what it is named after, and no altered one for another", async () => {
    const files = (await readdir(tinyModelsFolder)).filter((name) => name.endsWith(".onnx"));
    assert.ok(files.length >= 5);
    for (const file of files) {
      const family = file.replace(/^tiny-|\.onnx$|-(raw|relative|decoded)(?=\.onnx$)/g, "");
      assertNeverWrong(signatureOf(await readFile(join(tinyModelsFolder, file))), family);
    }
  });

  const real: Readonly<Record<string, string>> = {
    "deimv2-atto-int8": "detr",
    "edgeeye-sample-person": "ssd",
    fastestdet: "fastestdet",
    "nanodet-m": "nanodet",
    "scrfd-500m-kps": "scrfd",
    "ultraface-rfb-320": "ssd",
    "yolo-fastestv2": "yolo-fastestv2",
    "yolo11n-int8": "yolo8",
    "yolo26n-int8": "end-to-end",
    "yolov5lite-e-320": "yolo5",
    "yolov8n-320-f32": "yolo8",
    "yolov8n-640-f32": "yolo8",
    "yolov8n-int8-c": "yolo8",
    "yolov8n-seg-int8": "yolo8-seg",
    "yolox-nano": "yolox",
    "yunet-2023mar": "yunet",
  };

  it("takes every real file for what it is, and no altered one for another", async function () {
    const folder = join(needsShared(this), "models");
    const files = (await readdir(folder)).filter((name) => name.endsWith(".onnx"));
    assert.deepEqual(files.map((name) => name.replace(".onnx", "")).toSorted(), Object.keys(real).toSorted());
    for (const file of files) {
      assertNeverWrong(signatureOf(await readFile(join(folder, file))), real[file.replace(".onnx", "")] ?? "");
    }
  });
});
