import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { DecodeContext, Family, Outputs } from "../../src/vision/process/families/family.ts";
import { yolo5Raw } from "../../src/vision/process/families/yolo5-raw.ts";
import { yolo5, yolo5Relative } from "../../src/vision/process/families/yolo5.ts";
import { yolox, yoloxDecoded } from "../../src/vision/process/families/yolox.ts";
import { Candidates } from "../../src/vision/process/nms.ts";
import { seededRandom } from "../lib/seams.ts";

/** An input of 64 × 32: 32 cells of stride 8, 8 of stride 16, 2 of stride 32. */
const width = 64;
const height = 32;
const CELLS = 32 + 8 + 2;
const CLASSES = 2;
const COLUMNS = 5 + CLASSES;

const context: DecodeContext = {
  classes: CLASSES,
  inputWidth: width,
  inputHeight: height,
  scoreMin: 0.05,
  reading: {},
};

type Row = readonly number[];

/** Zeros but for the rows that are given by their number. */
function outputs(rows: number, given: Readonly<Record<number, Row>>): Outputs {
  const data = new Float32Array(rows * COLUMNS);
  for (const [row, values] of Object.entries(given)) data.set(values, Number(row) * COLUMNS);
  return new Map([["output", { data, dims: [1, rows, COLUMNS] }]]);
}

/** Edges, score and class of everything that was found, to a thousandth. */
function decoded(family: Family, read: Outputs, changes: Partial<DecodeContext> = {}): readonly Row[] {
  const into = new Candidates();
  family.decode(read, { ...context, ...changes }, into);
  const { left, top, right, bottom, score, classIndex } = into;
  return Array.from({ length: into.count }, (_, index) =>
    [left, top, right, bottom, score, classIndex].map((values) => Math.round((values[index] ?? 0) * 1_000) / 1_000),
  );
}

describe("rows of boxes with an objectness", () => {
  it("are centre and size in input pixels in yolo5, and parts of the input in yolo5-relative", () => {
    const pixels = outputs(3 * CELLS, { 5: [20, 10, 8, 4, 0.5, 0.2, 0.8] });
    assert.deepEqual(decoded(yolo5, pixels), [[16, 8, 24, 12, 0.4, 1]]);
    const parts = outputs(3 * CELLS, { 5: [0.5, 0.5, 0.25, 0.5, 0.5, 0.8, 0.2] });
    assert.deepEqual(decoded(yolo5Relative, parts), [[24, 8, 40, 24, 0.4, 0]]);
  });

  it("are cells by stride, then by anchor, in yolo5-raw", () => {
    const read = outputs(3 * CELLS, {
      // Stride 8, second anchor 16 × 30, cell 3 across and 2 down: row 32 + 2 * 8 + 3.
      51: [0.5, 0.75, 0.5, 0.25, 0.9, 0.5, 1],
      // Stride 32, third anchor 373 × 326, second cell: row 3 * 40 + 2 * 2 + 1.
      125: [0.25, 0.5, 0.1, 0.05, 1, 0.6, 0.5],
    });
    assert.deepEqual(decoded(yolo5Raw, read), [
      [28 - 8, 24 - 3.75, 28 + 8, 24 + 3.75, 0.9, 1],
      [24.54, 14.37, 39.46, 17.63, 0.6, 0],
    ]);
  });

  it("go by the manifest's anchors and strides in yolo5-raw, which must be one list of three for each stride", () => {
    const reading = {
      anchors: [
        [4, 4, 8, 8, 16, 16],
        [10, 20, 30, 40, 50, 60],
      ],
      strides: [16, 32],
    };
    const read = outputs(3 * 10, { 24: [0.5, 0.5, 0.5, 0.5, 1, 1, 0] });
    assert.deepEqual(decoded(yolo5Raw, read, { reading }), [[11, 6, 21, 26, 1, 0]]);
    const wrong = { ...reading, anchors: [[4, 4]] };
    assert.throws(() => decoded(yolo5Raw, read, { reading: wrong }), { code: "MODEL_OUTPUT", message: /anchors/ });
    assert.throws(() => decoded(yolo5Raw, read, { reading: { strides: [8, 16] } }), { code: "MODEL_OUTPUT" });
  });

  it("are offsets and logarithms in cells in yolox, and pixels in yolox-decoded", () => {
    const read = outputs(CELLS, {
      // Stride 16, cell 2 across and 1 down: row 32 + 4 + 2.
      38: [0.5, 0.25, Math.log(2), 0, 0.8, 0.5, 0.1],
    });
    assert.deepEqual(decoded(yolox, read), [[40 - 16, 20 - 8, 40 + 16, 20 + 8, 0.4, 0]]);
    const pixels = outputs(CELLS, { 38: [40, 20, 32, 16, 0.8, 0.5, 0.1] });
    assert.deepEqual(decoded(yoloxDecoded, pixels), [[24, 12, 56, 28, 0.4, 0]]);
  });

  it("are scored as the manifest says, and passed over where nothing can reach the minimum", () => {
    const read = outputs(3 * CELLS, {
      0: [20, 10, 8, 4, 0.04, 1, 0],
      1: [20, 10, 8, 4, 0.25, 0.16, 0],
      2: [20, 10, 8, 4, Number.NaN, 1, 0],
    });
    const scores = (score?: DecodeContext["reading"]["score"]) =>
      decoded(yolo5, read, { reading: score === undefined ? {} : { score }, scoreMin: 0.039 }).map((row) => row[4]);
    assert.deepEqual(scores(), [0.04, 0.04]);
    assert.deepEqual(scores("sqrt(object*class)"), [0.2, 0.2]);
    assert.deepEqual(scores("class").slice(0, 2), [1, 0.16]);
  });

  it("are refused where the output has other columns or rows", () => {
    const other = new Map([["output", { data: new Float32Array(6 * CELLS), dims: [1, CELLS, 6] }]]);
    for (const family of [yolo5, yolo5Raw, yolox, yoloxDecoded]) {
      assert.throws(() => decoded(family, other), { code: "MODEL_OUTPUT" });
    }
    assert.throws(() => decoded(yolox, outputs(CELLS + 1, {})), { code: "MODEL_OUTPUT", message: /43 rows/ });
  });
});

/** What a head of random weights would say of an empty picture, in each encoding. */
type Encode = (x: number, y: number, stride: number, random: () => number) => readonly [number, number, number, number];

function emptyPicture(perCell: number, encode: Encode, side = 320): { read: Outputs; context: DecodeContext } {
  const random = seededRandom(11);
  const rows: number[] = [];
  for (const stride of [8, 16, 32]) {
    const across = side / stride;
    for (let index = 0; index < perCell * across ** 2; index += 1) {
      const cell = index % across ** 2;
      rows.push(...encode(cell % across, Math.floor(cell / across), stride, random), 1e-4, 0.1, 0.2);
    }
  }
  const dims = [1, rows.length / COLUMNS, COLUMNS];
  return {
    read: new Map([["output", { data: Float32Array.from(rows), dims }]]),
    context: { ...context, inputWidth: side, inputHeight: side },
  };
}

/** The same rows in an order that nobody knows. */
function shuffled(read: Outputs): Outputs {
  const random = seededRandom(12);
  const { data, dims } = read.get("output") ?? { data: new Float32Array(0), dims: [] };
  const rows = Array.from({ length: data.length / COLUMNS }, (_, row) => ({ row, key: random() }));
  const order = rows.sort((a, b) => a.key - b.key);
  const moved = order.flatMap(({ row }) => [...data.subarray(row * COLUMNS, (row + 1) * COLUMNS)]);
  return new Map([["output", { data: Float32Array.from(moved), dims }]]);
}

describe("the encoding of boxes, told from those of an empty picture", () => {
  const spread = (random: () => number) => random() * 1.6 - 0.8;
  const pixels: Encode = (x, y, stride, random) => [
    (x + 0.5 + spread(random)) * stride,
    (y + 0.5 + spread(random)) * stride,
    stride * (1 + 3 * random()),
    stride * (1 + 3 * random()),
  ];
  const relative: Encode = (x, y, stride, random) => {
    const [cx, cy, w, h] = pixels(x, y, stride, random);
    return [cx / 320, cy / 320, w / 320, h / 320];
  };
  const sigmoids: Encode = (_x, _y, _stride, random) => [
    0.2 + 0.6 * random(),
    0.2 + 0.6 * random(),
    0.3 + 0.6 * random(),
    0.3 + 0.6 * random(),
  ];
  const logits: Encode = (_x, _y, _stride, random) => [
    random() * 5 - 2,
    random() * 5 - 2,
    random() * 4 - 1,
    random() * 4 - 1,
  ];
  const zeros: Encode = () => [0, 0, 0, 0];
  /** Centres as sigmoids, but a height that no sigmoid can be. */
  const tall: Encode = (...at) => {
    const [cx, cy, w] = sigmoids(...at);
    return [cx, cy, w, 1.5];
  };

  const told: readonly (readonly [string, Family, number, Encode, string])[] = [
    ["yolo5 in pixels", yolo5, 3, pixels, "yolo5"],
    ["yolo5 relative to the input", yolo5, 3, relative, "yolo5-relative"],
    ["yolo5 as sigmoids", yolo5, 3, sigmoids, "yolo5-raw"],
    ["yolox as it comes from the head", yolox, 1, logits, "yolox"],
    ["yolox in pixels", yolox, 1, pixels, "yolox-decoded"],
  ];
  for (const [what, family, perCell, encode, expected] of told) {
    it(`is known for ${what}`, () => {
      const { read, context: at } = emptyPicture(perCell, encode);
      assert.equal(family.variant?.(read, at).name, expected);
    });
  }

  const untold: readonly (readonly [string, Family, Outputs, DecodeContext])[] = [
    ...(
      [
        ["relative in an order of its own", relative],
        ["of nothing but zeros", zeros],
        ["of too high boxes", tall],
      ] as const
    ).map(([what, encode]) => {
      const { read, context: at } = emptyPicture(3, encode);
      return [`yolo5 ${what}`, yolo5, encode === relative ? shuffled(read) : read, at] as const;
    }),
    ...[relative].map((encode) => {
      const { read, context: at } = emptyPicture(1, encode);
      return ["yolox relative to the input", yolox, read, at] as const;
    }),
  ];
  for (const [what, family, read, at] of untold) {
    it(`is not guessed for ${what}`, () => {
      assert.throws(() => family.variant?.(read, at), {
        code: "MODEL_UNKNOWN_FAMILY",
        message: /write "family": "yolo/,
      });
    });
  }

  it("is doubted where every objectness is 1, as in YOLOv6", () => {
    const { read, context: at } = emptyPicture(1, pixels);
    const { data = new Float32Array(0) } = read.get("output") ?? {};
    assert.equal(yolox.doubt?.(read, at), undefined);
    for (let row = 4; row < data.length; row += COLUMNS) data[row] = 1;
    assert.match(yolox.doubt?.(read, at) ?? "", /YOLOv6.*yolox-decoded/);
  });
});
