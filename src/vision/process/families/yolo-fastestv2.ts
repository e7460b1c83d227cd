import type { Reading } from "../../config.ts";
import type { Candidates } from "../nms.ts";
import type { DecodeContext, Family, Outputs, Sign, Signature, TensorFacts } from "./family.ts";
import { cellsAlong, highestAt } from "./levels.ts";
import { objectMin, scoreRule } from "./score-rule.ts";
import { isBatchOfOne, wrongOutput } from "./shapes.ts";

/**
 * Yolo-FastestV2: a row a cell of the strides 16 and 32, in two outputs [1, rows, columns, 15 + classes] or all below each other in
 * one [n, 15 + classes]. A row holds the boxes of three anchors, their objectness, and one list of class scores for all three.
 *
 * Its exporter applies the sigmoids and the softmax inside the model. Where it was left out the values are logits, and
 * told by their sign: a sigmoid is never negative, and the logit of an empty cell's objectness always is.
 */

const USUAL_RULE = "object*class";
const BOX = 4;
const PER_CELL = 3;
const BEFORE_CLASSES = PER_CELL * (BOX + 1);
/** Without any labels only COCO's own number of classes tells two outputs from those of YOLOv3-tiny. */
const COCO_CLASSES = 80;

const usualStrides: readonly number[] = [16, 32];
/** Width and height of three anchors for each stride, in input pixels: those that the project trained with on COCO at 352 × 352. */
const usualAnchors: readonly (readonly number[])[] = [
  [12.64, 19.39, 37.88, 51.48, 55.71, 138.31],
  [126.91, 78.23, 131.57, 214.55, 279.92, 258.87],
];

export const yoloFastestV2: Family = {
  name: "yolo-fastestv2",
  defaults: { mean: 0, std: 255, order: "bgr", fit: "stretch", pad: 0, threshold: 0.3, nmsIou: 0.45 },

  sign(signature: Signature): Sign | undefined {
    const { outputs, labels } = signature;
    const isFlat = outputs.length === 1;
    const columns = columnsOf(outputs);
    const fits = isFlat ? fitsFlat(signature) : fitsGrids(signature);
    if (typeof columns !== "number" || columns <= BEFORE_CLASSES || fits === undefined) return undefined;
    const classes = columns - BEFORE_CLASSES;
    if (labels !== undefined && labels.length !== classes) return undefined;
    const isTold = isFlat || labels !== undefined || classes === COCO_CLASSES;
    return { certainty: isTold ? fits : "possible", classes };
  },

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    const { inputWidth, inputHeight, reading } = context;
    const strides = reading.strides ?? usualStrides;
    const anchors = reading.anchors ?? usualAnchors;
    if (strides.length !== anchors.length || anchors.some(({ length }) => length !== 2 * PER_CELL)) {
      throw wrongOutput(`${PER_CELL} anchors (width, height) are needed for each of ${strides.length} strides`);
    }
    const columns = BEFORE_CLASSES + context.classes;
    let firstRow = 0;
    for (const [index, stride] of strides.entries()) {
      const across = cellsAlong(inputWidth, stride);
      const down = cellsAlong(inputHeight, stride);
      const data = outputs.size === 1 ? flatOutput(outputs, columns) : gridOutput(outputs, down, across, columns);
      const rows: Rows = { data, from: firstRow * columns, cells: across * down, across, stride };
      decodeRows(rows, anchors[index] ?? [], context, into);
      if (outputs.size === 1) firstRow += rows.cells;
    }
    const [only] = outputs.values();
    if (outputs.size === 1 && only?.dims[0] !== firstRow) {
      throw wrongOutput(`${only?.dims[0] ?? 0} rows are not the ${firstRow} of the strides ${strides.join(", ")}`);
    }
  },
};

/** Of all outputs, where they agree. */
function columnsOf(outputs: readonly TensorFacts[]): number | string | undefined {
  const columns = outputs[0]?.shape.at(-1);
  return outputs.every(({ shape }) => shape.at(-1) === columns) ? columns : undefined;
}

function fitsFlat({ outputs, input }: Signature): Sign["certainty"] | undefined {
  const [output] = outputs;
  if (output?.type !== "float32" || output.shape.length !== 2) return undefined;
  const [rows] = output.shape;
  if (typeof rows !== "number" || input === undefined) return "possible";
  const wanted = usualStrides.map((stride) => cellsAlong(input.width, stride) * cellsAlong(input.height, stride));
  return rows === wanted.reduce((sum, cells) => sum + cells, 0) ? "sure" : undefined;
}

function fitsGrids({ outputs, input }: Signature): Sign["certainty"] | undefined {
  if (outputs.length !== usualStrides.length || !outputs.every((output) => isBatchOfOne(output, 4))) return undefined;
  const sizes = outputs.map(({ shape }) => shape.slice(1, 3));
  if (input === undefined || sizes.flat().some((size) => typeof size === "string")) return "possible";
  const fits = usualStrides.every((stride) =>
    sizes.some(
      ([down, across]) => down === cellsAlong(input.height, stride) && across === cellsAlong(input.width, stride),
    ),
  );
  return fits ? "sure" : undefined;
}

function flatOutput(outputs: Outputs, columns: number): Float32Array {
  const [output] = outputs.values();
  if (output?.dims.length === 2 && output.dims[1] === columns) return output.data;
  throw wrongOutput(`[${output?.dims.join(",") ?? ""}] has no rows of ${columns}`);
}

function gridOutput(outputs: Outputs, down: number, across: number, columns: number): Float32Array {
  for (const { data, dims } of outputs.values()) {
    if (dims.length === 4 && dims[1] === down && dims[2] === across && dims[3] === columns) return data;
  }
  throw wrongOutput(`no output is [1,${down},${across},${columns}]`);
}

interface Rows {
  readonly data: Float32Array;
  /** Where in the data the first cell's row begins. */
  readonly from: number;
  readonly cells: number;
  readonly across: number;
  readonly stride: number;
}

function decodeRows(rows: Rows, anchors: readonly number[], context: DecodeContext, into: Candidates): void {
  const { data, from, cells, across, stride } = rows;
  const { classes, scoreMin } = context;
  const rule: Reading["score"] = context.reading.score;
  const scoreOf = scoreRule(rule, USUAL_RULE);
  const least = objectMin(rule, USUAL_RULE, scoreMin);
  const areLogits = hasNegativeObject(rows, classes);
  const settled = areLogits ? sigmoid : same;
  for (let cell = 0, row = from; cell < cells; cell += 1, row += BEFORE_CLASSES + classes) {
    let best = -1;
    let classScore = 0;
    for (let anchor = 0; anchor < PER_CELL; anchor += 1) {
      const object = settled(data[row + PER_CELL * BOX + anchor] ?? 0);
      if (!(object >= least)) continue;
      if (best < 0) {
        best = highestAt(data, row + BEFORE_CLASSES, classes);
        classScore = areLogits ? softmaxAt(data, best, row + BEFORE_CLASSES, classes) : (data[best] ?? 0);
      }
      const score = scoreOf(object, classScore);
      if (!(score >= scoreMin)) continue;
      const at = row + anchor * BOX;
      const x = (settled(data[at] ?? 0) * 2 - 0.5 + (cell % across)) * stride;
      const y = (settled(data[at + 1] ?? 0) * 2 - 0.5 + Math.floor(cell / across)) * stride;
      const halfWidth = ((settled(data[at + 2] ?? 0) * 2) ** 2 * (anchors[2 * anchor] ?? 0)) / 2;
      const halfHeight = ((settled(data[at + 3] ?? 0) * 2) ** 2 * (anchors[2 * anchor + 1] ?? 0)) / 2;
      const classIndex = best - row - BEFORE_CLASSES;
      into.add(x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight, Math.min(score, 1), classIndex);
    }
  }
}

function hasNegativeObject({ data, from, cells }: Rows, classes: number): boolean {
  for (let cell = 0, row = from + PER_CELL * BOX; cell < cells; cell += 1, row += BEFORE_CLASSES + classes) {
    for (let anchor = 0; anchor < PER_CELL; anchor += 1) if ((data[row + anchor] ?? 0) < 0) return true;
  }
  return false;
}

/** The share that the highest of some logits has among them. */
function softmaxAt(data: Float32Array, highest: number, from: number, count: number): number {
  const top = data[highest] ?? 0;
  let sum = 0;
  for (let index = from; index < from + count; index += 1) sum += Math.exp((data[index] ?? 0) - top);
  return 1 / sum;
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}

function same(value: number): number {
  return value;
}
