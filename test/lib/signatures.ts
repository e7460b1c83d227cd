import type { Signature, TensorFacts } from "../../src/vision/process/families/family.ts";

/** What files of each family say of themselves, and ways in which other exports of the same models differ. */

type Shape = readonly (number | string)[];

interface Facts {
  readonly outputs: Readonly<Record<string, Shape>>;
  /** Of the square input, or width and height. */
  readonly side?: number | readonly [number, number];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly labels?: number;
}

export function signature({ outputs, side = 640, metadata = {}, labels }: Facts): Signature {
  const [width, height] = typeof side === "number" ? [side, side] : side;
  return {
    inputs: [tensor("images", [1, 3, height, width])],
    outputs: Object.entries(outputs).map(([name, shape]) => tensor(name, shape)),
    metadata: new Map(Object.entries(metadata)),
    labels: names(labels),
    input: { width, height },
  };
}

export function tensor(name: string, shape: Shape, type = "float32"): TensorFacts {
  return { name, type, shape };
}

/** With so many labels, or none. */
export function labelled(from: Signature, labels: number | undefined): Signature {
  return { ...from, labels: names(labels) };
}

/** As a converter leaves a file that drops what it does not know: labels and metadata are gone. */
export function stripped(from: Signature): Signature {
  return { ...from, labels: undefined, metadata: new Map() };
}

export function withMetadata(from: Signature, metadata: Readonly<Record<string, string>>): Signature {
  return { ...from, metadata: new Map(Object.entries(metadata)) };
}

/** Outputs as a converter numbers them. */
export function renamed(from: Signature): Signature {
  return { ...from, outputs: from.outputs.map((output, index) => ({ ...output, name: `t${900 + index}` })) };
}

export function reversed(from: Signature): Signature {
  return { ...from, outputs: from.outputs.toReversed() };
}

/** The last two dimensions of every output change places. */
export function transposed(from: Signature): Signature {
  return reshaped(from, (shape) => [...shape.slice(0, -2), ...shape.slice(-2).toReversed()]);
}

/** Exported for any number of pictures at once. */
export function batchOpen(from: Signature): Signature {
  const open = (tensors: readonly TensorFacts[]) =>
    tensors.map((facts) => (facts.shape[0] === 1 ? { ...facts, shape: ["batch", ...facts.shape.slice(1)] } : facts));
  return { ...from, inputs: open(from.inputs), outputs: open(from.outputs) };
}

/** For pictures of any size; the size itself is given by a manifest. */
export function sizesOpen(from: Signature): Signature {
  const open = reshaped(from, (shape) => shape.map((size) => (Number(size) > 150 ? "any" : size)));
  const inputs = from.inputs.map((input) =>
    input.shape.length === 4 ? { ...input, shape: ["batch", 3, "height", "width"] } : input,
  );
  return { ...open, inputs };
}

export function withOutput(from: Signature, name: string, shape: Shape): Signature {
  return { ...from, outputs: [...from.outputs, tensor(name, shape)] };
}

export function withoutOutput(from: Signature, index: number): Signature {
  return { ...from, outputs: from.outputs.toSpliced(index, 1) };
}

export function reshaped(from: Signature, change: (shape: Shape) => Shape): Signature {
  return { ...from, outputs: from.outputs.map((output) => ({ ...output, shape: change(output.shape) })) };
}

function names(count: number | undefined): readonly string[] | undefined {
  return count === undefined ? undefined : Array.from({ length: count }, (_, index) => `label${index}`);
}

const detect = { task: "detect", stride: "32" };
const tables = (rows: readonly number[], ...columns: readonly number[]) =>
  Object.fromEntries(columns.flatMap((width) => rows.map((count) => [`t${width}_${count}`, [1, count, width]])));
const detrInputs = [tensor("images", ["batch", 3, 320, 320]), tensor("orig_target_sizes", ["batch", 2], "int64")];

/** One of each family, as its own exporter writes it. */
export const exported: Readonly<Record<string, Signature>> = {
  yolo8: signature({ outputs: { output0: [1, 84, 8400] }, metadata: detect, labels: 80 }),
  "yolo8-seg": signature({
    outputs: { output0: [1, 116, 8400], output1: [1, 32, 160, 160] },
    metadata: { task: "segment" },
    labels: 80,
  }),
  "end-to-end": signature({ outputs: { output0: [1, 300, 6] }, metadata: { ...detect, end2end: "True" }, labels: 80 }),
  yolo5: signature({ outputs: { output: [1, 25200, 85] }, labels: 80 }),
  yolox: signature({ outputs: { output: [1, 3549, 85] }, side: 416, labels: 80 }),
  "yolo-fastestv2": signature({ outputs: { "845": [605, 95] }, side: 352, labels: 80 }),
  nanodet: signature({ outputs: tables([2704, 676, 169], 80, 32), side: 416, labels: 80 }),
  fastestdet: signature({ outputs: { "758": [1, 85, 22, 22] }, side: 352, labels: 80 }),
  yunet: signature({
    outputs: Object.fromEntries(
      [8, 16, 32].flatMap((stride) =>
        Object.entries({ cls: 1, obj: 1, bbox: 4, kps: 10 }).map(([kind, columns]) => [
          `${kind}_${stride}`,
          [1, (640 / stride) ** 2, columns],
        ]),
      ),
    ),
  }),
  scrfd: signature({ outputs: tables([12800, 3200, 800], 1, 4, 10) }),
  ssd: signature({ outputs: { scores: [1, 4420, 2], boxes: [1, 4420, 4] }, side: [320, 240], labels: 1 }),
  "tf-ssd": {
    ...signature({
      outputs: {
        "num_detections:0": [1],
        "detection_boxes:0": [1, 100, 4],
        "detection_scores:0": [1, 100],
        "detection_classes:0": [1, 100],
      },
      side: 300,
    }),
    inputs: [tensor("image_tensor:0", [1, 300, 300, 3], "uint8")],
  },
  detr: {
    ...signature({ outputs: { boxes: [1, 300, 4], scores: [1, 300] }, side: 320, labels: 80 }),
    inputs: detrInputs,
    outputs: [tensor("labels", [1, 300], "int64"), tensor("boxes", [1, 300, 4]), tensor("scores", [1, 300])],
  },
};
