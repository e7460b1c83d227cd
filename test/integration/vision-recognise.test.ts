import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, after, describe, it } from "mocha";
import { GraphWriter, type TensorType } from "../../models/tiny/onnx.ts";
import { AgentError } from "../../src/core/errors.ts";
import { resolveModel } from "../../src/vision/model.ts";
import type { ModelManifest } from "../../src/vision/config.ts";
import { loadDetector } from "../../src/vision/process/detector.ts";
import { withoutMetadata } from "../lib/onnx-file.ts";
import { needsShared } from "../lib/shared.ts";
import { tempFolder } from "../lib/temp.ts";
import { tinyModelsFolder } from "../lib/vision.ts";

/** Files that look alike and are not: what they give for an empty picture tells. */

interface Given {
  readonly name: string;
  readonly shape: readonly number[];
  /** By place in the output. */
  readonly value: (index: number) => number;
}

const picture: TensorType = { name: "images", shape: [1, 3, 64, 64] };

/** Gives the same whatever it is shown. */
function constantModel(
  given: readonly Given[],
  metadata: Readonly<Record<string, string>> = {},
  more: readonly TensorType[] = [],
): Buffer {
  const graph = new GraphWriter();
  const zero = graph.node("Mul", [graph.node("GlobalAveragePool", ["images"]), graph.floats([0])]);
  const nothing = graph.node("ReduceSum", [zero, graph.ints([0, 1, 2, 3])], { keepdims: 0 });
  for (const { name, shape, value } of given) {
    const size = shape.reduce((product, length) => product * length, 1);
    const values = Array.from({ length: size }, (_, index) => value(index));
    graph.output(graph.node("Add", [graph.floats(values, shape), nothing]), name);
  }
  return graph.model("constant", [picture, ...more], given, metadata);
}

/** Rows of six: a box, then two numbers more. */
const rows = (...columns: readonly number[]): Given => ({
  name: "output0",
  shape: [1, 300, 6],
  value: (index) => columns[index % 6] ?? 0,
});
const ssdScores = (first: number, second: number): Given => ({
  name: "scores",
  shape: [1, 50, 2],
  value: (index) => (index % 2 === 0 ? first : second),
});
const ssdBoxes: Given = { name: "boxes", shape: [1, 50, 4], value: (index) => 0.2 * (1 + (index % 4)) };
const relative = [0.5, 0.5, 0.25, 0.25, 0.0625, 0.03125];
const labels = (count: number) => ({
  names: `{${Array.from({ length: count }, (_, index) => `${index}: 'label${index}'`).join(", ")}}`,
});

describe("recognition by what a model gives for an empty picture", () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  before(async () => {
    folder = await tempFolder();
  });
  after(async () => folder[Symbol.asyncDispose]());

  /** The family, or the error's code and text. */
  async function load(bytes: Buffer, manifest: ModelManifest = {}): Promise<string> {
    const file = join(folder.path, "altered.onnx");
    await writeFile(file, bytes);
    const spec = { ...(await resolveModel(file, { modelsFolders: [] })), manifest };
    try {
      const { info } = await loadDetector(spec, { threads: 1, detectionsMax: 100, candidatesMax: 100 });
      return info.family;
    } catch (error) {
      assert.ok(error instanceof AgentError);
      return `${error.code}: ${error.message}`;
    }
  }

  const refusals: readonly (readonly [string, Buffer, RegExp])[] = [
    [
      "RT-DETR of two classes without metadata",
      constantModel([rows(...relative)]),
      /no class number: it could be end-to-end or rtdetr.*write "family": "end-to-end" into/,
    ],
    ["RT-DETR of two classes with its labels", constantModel([rows(...relative)], labels(2)), /could be .* or rtdetr/],
    ["RT-DETR of two classes with three labels", constantModel([rows(...relative)], labels(3)), /no class number/],
    [
      "rows of zeros without metadata",
      constantModel([rows(0, 0, 0, 0, 0, 0)]),
      /no boxes in input pixels: it could be end-to-end or rtdetr/,
    ],
    [
      "boxes before which class and score stand",
      constantModel([rows(1, 0.25, 10, 20, 40, 60)], labels(3)),
      /fifth column holds 40, which is no score/,
    ],
    [
      "YOLOv8 with boxes between 0 and 1",
      constantModel([{ name: "o", shape: [1, 7, 84], value: (index) => (index % 10) / 20 }], labels(3)),
      /looks like yolo8, but its boxes are between 0 and 1/,
    ],
    [
      "YOLOv8 whose scores went through no sigmoid",
      constantModel([{ name: "o", shape: [1, 7, 84], value: (index) => (index < 4 * 84 ? 20 : -9) }], labels(3)),
      /looks like yolo8, but its scores are not between 0 and 1/,
    ],
    [
      "YOLOv8 with masks whose scores went through no sigmoid",
      constantModel(
        [
          { name: "o", shape: [1, 39, 84], value: (index) => (index < 4 * 84 ? 20 : -9) },
          { name: "masks", shape: [1, 32, 16, 16], value: () => 0 },
        ],
        labels(3),
      ),
      /looks like yolo8-seg, but its scores are not between 0 and 1/,
    ],
    [
      "SSD whose scores went through no softmax",
      constantModel([ssdScores(5, -2), ssdBoxes]),
      /looks like ssd, but its scores are not between 0 and 1/,
    ],
    [
      "SSD without a background",
      constantModel([ssdScores(0.01, 0.02), ssdBoxes]),
      /looks like ssd, but its scores do not add up to 1.*"background": "none"/,
    ],
    [
      "SSD with boxes in pixels",
      constantModel([
        { name: "scores", shape: [1, 50, 2], value: () => 0.5 },
        { name: "boxes", shape: [1, 50, 4], value: (index) => 10 * (1 + (index % 4)) },
      ]),
      /looks like ssd, but its boxes are not between 0 and 1/,
    ],
    [
      "TF-SSD with boxes in pixels",
      constantModel([
        { name: "detection_boxes", shape: [1, 50, 4], value: (index) => 10 * (1 + (index % 4)) },
        { name: "detection_scores", shape: [1, 50], value: () => 0.5 },
        { name: "detection_classes", shape: [1, 50], value: () => 1 },
      ]),
      /looks like tf-ssd, but its boxes are not between 0 and 1/,
    ],
  ];
  for (const [what, bytes, said] of refusals) {
    it(`refuses ${what}`, async () => {
      const came = await load(bytes);
      assert.match(came, /^MODEL_UNKNOWN_FAMILY: /);
      assert.match(came, said);
    });
  }

  it("takes an SSD with a background, and one without where the manifest says so", async () => {
    const none: ModelManifest = { outputs: { background: "none" } };
    assert.equal(await load(constantModel([ssdScores(0.98, 0.02), ssdBoxes])), "ssd");
    assert.equal(await load(constantModel([ssdScores(0.01, 0.02), ssdBoxes]), none), "ssd");
  });

  it("takes rows of final boxes without metadata, and rows of zeros where the file says that they are final", async () => {
    assert.equal(await load(constantModel([rows(10, 20, 40, 60, 0.25, 1)])), "end-to-end");
    assert.equal(await load(constantModel([rows(10, 20, 40, 60, 0.25, 1)], labels(2))), "end-to-end");
    assert.equal(await load(constantModel([rows(0, 0, 0, 0, 0, 0)], { end2end: "True" })), "end-to-end");
    const nms = { ...labels(2), args: "{'batch': 1, 'nms': True}" };
    assert.equal(await load(constantModel([rows(0, 0, 0, 0, 0, 0)], nms)), "end-to-end");
  });

  it("takes a manifest's word over any doubt, but not for outputs that cannot be read so", async () => {
    assert.equal(await load(constantModel([rows(...relative)]), { family: "end-to-end" }), "end-to-end");
    assert.match(
      await load(constantModel([rows(...relative)]), { family: "yolo8" }),
      /^MODEL_UNKNOWN_FAMILY: .*do not fit/,
    );
    const rowsApart = constantModel([
      { name: "detection_boxes", shape: [1, 50, 4], value: () => 0.5 },
      { name: "detection_scores", shape: [1, 40], value: () => 0.5 },
      { name: "detection_classes", shape: [1, 40], value: () => 1 },
    ]);
    assert.match(await load(rowsApart, { family: "tf-ssd" }), /^MODEL_OUTPUT: .*do not belong together/);
  });

  it("takes tiny models without metadata only where nothing else has their form", async () => {
    const came: Record<string, string> = {};
    for (const name of ["end-to-end", "yolo8", "ssd", "tf-ssd", "detr"]) {
      const whole = await readFile(join(tinyModelsFolder, `tiny-${name}.onnx`));
      came[name] = await load(withoutMetadata(whole));
    }
    const { yolo8, ...rest } = came;
    assert.deepEqual(rest, { "end-to-end": "end-to-end", ssd: "ssd", "tf-ssd": "tf-ssd", detr: "detr" });
    assert.match(yolo8 ?? "", /could be yolo8 or yolo8-obb/);
  });

  it("refuses a model that wants more than it is given", async () => {
    const shape: TensorType = { name: "im_shape", shape: [1, 2] };
    const came = await load(constantModel([rows(10, 20, 40, 60, 0.25, 1)], { end2end: "True" }, [shape]));
    assert.match(came, /^MODEL_INPUT: .*beside the picture it wants im_shape float32\[1,2\]/);
  });

  it("proves a real end-to-end file that lost its metadata", async function () {
    this.timeout(20_000);
    const file = join(needsShared(this), "models", "yolo26n-int8.onnx");
    assert.equal(await load(withoutMetadata(await readFile(file))), "end-to-end");
  });
});
