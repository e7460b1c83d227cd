import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Reading } from "../../src/vision/config.ts";
import type { DecodeContext, Family, OutputTensor } from "../../src/vision/process/families/family.ts";
import { fastestdet } from "../../src/vision/process/families/fastestdet.ts";
import { nanodet } from "../../src/vision/process/families/nanodet.ts";
import { scrfd } from "../../src/vision/process/families/scrfd.ts";
import { yoloFastestV2 } from "../../src/vision/process/families/yolo-fastestv2.ts";
import { yunet } from "../../src/vision/process/families/yunet.ts";
import { Candidates } from "../../src/vision/process/nms.ts";

/** An input that is no square, so that a swap of width and height shows. */
const WIDTH = 96;
const HEIGHT = 64;
const cellsAt = (stride: number) => (WIDTH / stride) * (HEIGHT / stride);

function tensor(dims: readonly number[]): OutputTensor {
  return { data: new Float32Array(dims.reduce((product, size) => product * size, 1)), dims };
}

function put({ data, dims }: OutputTensor, row: number, ...values: readonly number[]): void {
  data.set(values, row * (dims.at(-1) ?? 0));
}

/** Tables of every kind for the strides 8, 16 and 32, by name: `<kind><stride>`. */
function tables(kinds: Readonly<Record<string, number>>, perCell = 1, batched = true): Map<string, OutputTensor> {
  const outputs = new Map<string, OutputTensor>();
  for (const [kind, columns] of Object.entries(kinds)) {
    for (const stride of [8, 16, 32]) {
      const shape = [cellsAt(stride) * perCell, columns];
      outputs.set(`${kind}${stride}`, tensor(batched ? [1, ...shape] : shape));
    }
  }
  return outputs;
}

function table(outputs: ReadonlyMap<string, OutputTensor>, name: string): OutputTensor {
  const found = outputs.get(name);
  assert.ok(found !== undefined);
  return found;
}

function context(classes: number, reading: Reading = {}): DecodeContext {
  return { classes, inputWidth: WIDTH, inputHeight: HEIGHT, scoreMin: 0.05, reading };
}

/** Rounded to thousandths: left, top, right, bottom, score, class. */
function decoded(
  family: Family,
  outputs: ReadonlyMap<string, OutputTensor>,
  classes: number,
  reading: Reading = {},
): readonly (readonly number[])[] {
  const found = new Candidates();
  family.decode(outputs, context(classes, reading), found);
  return Array.from({ length: found.count }, (_, at) =>
    [found.left, found.top, found.right, found.bottom, found.score, found.classIndex].map(
      (values) => Math.round((values[at] ?? 0) * 1_000) / 1_000,
    ),
  );
}

const reversed = (outputs: ReadonlyMap<string, OutputTensor>) => new Map([...outputs].reverse());

const wrongOutputs = { code: "MODEL_OUTPUT" };

describe("decoding SCRFD", () => {
  function example(batched: boolean): Map<string, OutputTensor> {
    const outputs = tables({ score: 1, box: 4, point: 10 }, 2, batched);
    // The second of the two rows of the cell at 3, 2.
    const row = (2 * 12 + 3) * 2 + 1;
    put(table(outputs, "score8"), row, 0.9);
    put(table(outputs, "box8"), row, 1, 2, 3, 4);
    put(table(outputs, "score32"), 5 * 2, 0.5);
    put(table(outputs, "box32"), 5 * 2, 0.25, 0.5, 0.125, 0.75);
    return outputs;
  }
  const expected = [
    [16, 0, 48, 48, 0.9, 0],
    [56, 16, 68, 56, 0.5, 0],
  ];

  it("takes distances in strides from the cell's corner, two rows a cell", () => {
    assert.deepEqual(decoded(scrfd, example(true), 1), expected);
  });

  it("finds the tables in any order, with or without a batch dimension", () => {
    assert.deepEqual(decoded(scrfd, reversed(example(true)), 1), expected);
    assert.deepEqual(decoded(scrfd, example(false), 1), expected);
  });

  it("refuses outputs of one row a cell", () => {
    assert.throws(() => decoded(scrfd, tables({ score: 1, box: 4 }), 1), wrongOutputs);
  });

  it("doubts scores that are not between 0 and 1", () => {
    const outputs = example(true);
    assert.equal(scrfd.doubt?.(outputs, context(1)), undefined);
    put(table(outputs, "score16"), 0, -4);
    assert.match(scrfd.doubt?.(outputs, context(1)) ?? "", /not between 0 and 1/);
  });
});

describe("decoding YuNet", () => {
  function example(classes: number): Map<string, OutputTensor> {
    const outputs = tables({ cls_: classes, obj_: 1, bbox_: 4 });
    // The cell at 4, 1.
    put(table(outputs, "obj_16"), 1 * 6 + 4, 0.81);
    put(table(outputs, "cls_16"), 1 * 6 + 4, ...[0.64, 0.2, 0.1].slice(0, classes));
    put(table(outputs, "bbox_16"), 1 * 6 + 4, 0.5, 0.25, Math.log(2), 0);
    return outputs;
  }

  it("takes a centre from the cell's corner and sides as exponentials, and the root of both scores", () => {
    assert.deepEqual(decoded(yunet, example(1), 1), [[56, 12, 88, 28, 0.72, 0]]);
    assert.deepEqual(decoded(yunet, reversed(example(1)), 1), [[56, 12, 88, 28, 0.72, 0]]);
  });

  it("takes the best of several classes, and the rule that a manifest names", () => {
    const outputs = example(3);
    put(table(outputs, "cls_16"), 1 * 6 + 4, 0.1, 0.2, 0.64);
    assert.deepEqual(decoded(yunet, outputs, 3, { score: "object*class" }), [[56, 12, 88, 28, 0.518, 2]]);
  });

  it("refuses a table of another size, and one that is missing", () => {
    const outputs = example(1);
    outputs.set("bbox_8", tensor([1, 95, 4]));
    assert.throws(() => decoded(yunet, outputs, 1), wrongOutputs);
    outputs.delete("bbox_8");
    assert.throws(() => decoded(yunet, outputs, 1), wrongOutputs);
  });

  it("doubts scores that are not between 0 and 1", () => {
    const outputs = example(1);
    assert.equal(yunet.doubt?.(outputs, context(1)), undefined);
    put(table(outputs, "obj_8"), 0, 7);
    assert.match(yunet.doubt?.(outputs, context(1)) ?? "", /not between 0 and 1/);
  });
});

describe("decoding NanoDet", () => {
  const BINS = 8;
  /** All the weight on one bin, or half on each of two. */
  const side = (...bins: readonly number[]) =>
    Array.from({ length: BINS }, (_, bin) => (bins.includes(bin) ? 1_000 : -1_000));

  function example(classes: number): Map<string, OutputTensor> {
    const outputs = tables({ cls: classes, dis: 4 * BINS });
    // The cell at 2, 1: its centre is 40, 24.
    put(table(outputs, "cls16"), 1 * 6 + 2, 0.1, 0.7);
    put(table(outputs, "dis16"), 1 * 6 + 2, ...side(2), ...side(0, 1), ...side(3), ...side(1, 2));
    return outputs;
  }
  const expected = [[8, 16, 88, 48, 0.7, 1]];

  it("takes each side's distance from the cell's centre as the mean of its distribution", () => {
    assert.deepEqual(decoded(nanodet, example(3), 3), expected);
  });

  it("pairs the tables by their rows, in whatever order they come", () => {
    assert.deepEqual(decoded(nanodet, reversed(example(3)), 3), expected);
    const mixed = new Map([...example(80)].sort(([a], [b]) => a.slice(3).localeCompare(b.slice(3))));
    assert.deepEqual(decoded(nanodet, mixed, 80), expected);
  });

  it("takes the first of two tables of the same size for the scores", () => {
    assert.deepEqual(decoded(nanodet, example(32), 32), expected);
  });

  it("refuses tables that fit no stride, and doubts scores that are not between 0 and 1", () => {
    const outputs = example(3);
    put(table(outputs, "cls8"), 5, 0, -6);
    assert.match(nanodet.doubt?.(outputs, context(3)) ?? "", /not between 0 and 1/);
    outputs.set("dis8", tensor([1, 95, 32]));
    assert.throws(() => decoded(nanodet, outputs, 3), wrongOutputs);
  });
});

describe("decoding FastestDet", () => {
  const logit = (part: number) => Math.log(part / (1 - part));

  function example(): OutputTensor {
    const output = tensor([1, 7, 4, 6]);
    const cell = 2 * 6 + 3;
    const planes = [0.8, Math.atanh(0.5), Math.atanh(-0.25), logit(0.5), logit(0.25), 0.3, 0.6];
    for (const [plane, value] of planes.entries()) output.data[plane * 24 + cell] = value;
    return output;
  }

  it("takes offsets as tanh and sides as sigmoid of the input, and a score of both by powers", () => {
    const score = Math.round(0.8 ** 0.6 * 0.6 ** 0.4 * 1_000) / 1_000;
    assert.deepEqual(decoded(fastestdet, new Map([["o", example()]]), 2), [[32, 20, 80, 36, score, 1]]);
    assert.deepEqual(decoded(fastestdet, new Map([["o", example()]]), 2, { score: "object*class" }), [
      [32, 20, 80, 36, 0.48, 1],
    ]);
  });

  it("refuses another number of classes, and doubts scores that are not between 0 and 1", () => {
    const outputs = new Map([["o", example()]]);
    assert.throws(() => decoded(fastestdet, outputs, 3), wrongOutputs);
    assert.equal(fastestdet.doubt?.(outputs, context(2)), undefined);
    put(table(outputs, "o"), 0, -3);
    assert.match(fastestdet.doubt?.(outputs, context(2)) ?? "", /not between 0 and 1/);
  });
});

describe("decoding Yolo-FastestV2", () => {
  const COLUMNS = 15 + 2;
  const same = (value: number) => value;
  const logit = (part: number) => Math.log(part / (1 - part));
  /** One object in the second anchor of the cell at 5, 1 of stride 16, one in the third of the cell at 0, 1 of stride 32. */
  const rows: readonly (readonly [number, readonly number[]])[] = [
    [1 * 6 + 5, [...Array<number>(4).fill(0.5), 0.5, 0.75, 0.5, 0.25, ...Array<number>(4).fill(0.5), 0.001, 0.9, 0.01]],
    [24 + 1 * 3 + 0, [...Array<number>(8).fill(0.5), 0.25, 0.5, 0.25, 0.25, 0.01, 0.02, 0.6]],
  ];
  const shares = [
    [0.2, 0.8],
    [0.75, 0.25],
  ];
  /** Side of the anchor × (2 × value)²; the centre is 2 × value - 0.5 cells from the corner. */
  const expected = [
    [69.06, 25.565, 106.94, 38.435, 0.72, 1],
    [-34.99, 15.641, 34.99, 80.359, 0.45, 0],
  ];

  function flat(encode: (value: number) => number, share: (value: number) => number): OutputTensor {
    const output = tensor([24 + 6, COLUMNS]);
    for (let row = 0; row < 30; row += 1) put(output, row, ...Array<number>(15).fill(encode(0.001)), 0, 0);
    for (const [index, [row, values]] of rows.entries()) {
      put(output, row, ...values.map(encode), ...(shares[index] ?? []).map(share));
    }
    return output;
  }

  function grids({ data }: OutputTensor): Map<string, OutputTensor> {
    return new Map([
      ["coarse", { data: data.subarray(24 * COLUMNS), dims: [1, 2, 3, COLUMNS] }],
      ["fine", { data: data.subarray(0, 24 * COLUMNS), dims: [1, 4, 6, COLUMNS] }],
    ]);
  }

  it("takes three anchors a cell and one list of classes, strides below each other", () => {
    assert.deepEqual(decoded(yoloFastestV2, new Map([["o", flat(same, same)]]), 2), expected);
  });

  it("takes two outputs as well, in any order", () => {
    assert.deepEqual(decoded(yoloFastestV2, grids(flat(same, same)), 2), expected);
  });

  it("applies sigmoid and softmax itself where the model gives logits", () => {
    const logits = flat(logit, Math.log);
    assert.deepEqual(decoded(yoloFastestV2, new Map([["o", logits]]), 2), expected);
    assert.deepEqual(decoded(yoloFastestV2, grids(logits), 2), expected);
  });

  it("takes anchors and strides from the manifest, and refuses those that do not fit", () => {
    const outputs = new Map([["o", flat(same, same)]]);
    const anchors = [
      [1, 1, 10, 40, 1, 1],
      [1, 1, 1, 1, 20, 40],
    ];
    assert.deepEqual(decoded(yoloFastestV2, outputs, 2, { anchors, strides: [16, 32] }), [
      [83, 27, 93, 37, 0.72, 1],
      [-2.5, 43, 2.5, 53, 0.45, 0],
    ]);
    for (const wrong of [
      { anchors: [[1, 1, 1, 1, 1, 1]] },
      {
        anchors: [
          [9, 9],
          [9, 9],
        ],
      },
      { strides: [8, 16] },
    ]) {
      assert.throws(() => decoded(yoloFastestV2, outputs, 2, wrong), wrongOutputs);
    }
  });
});
