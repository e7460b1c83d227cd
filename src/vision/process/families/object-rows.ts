import type { Candidates } from "../nms.ts";
import type { DecodeContext, Outputs, OutputTensor, Sign, Signature } from "./family.ts";
import { objectMin, scoreRule } from "./score-rule.ts";
import { gridStrides, isGrid, onlyOutput, outputAt, wrongOutput } from "./shapes.ts";

/**
 * The layout that YOLOv5 and YOLOX share: a row for each prediction of each cell, with four numbers of a box, its
 * objectness, and one score a class. How the four numbers make a box is each family's own.
 */

export const OBJECT = 4;
export const CLASSES = 5;
/** Six columns are an end-to-end model's too, which has no more rows than these. */
const ONE_CLASS = CLASSES + 1;
const FINAL_ROWS_MAX = 1_000;
const COCO_CLASSES = 80;

/**
 * `sure` for outputs of `perCell` rows a cell; `possible` where those of an end-to-end model look the same, or of a YOLOv8
 * that was turned round: one row a cell, and a class more in place of the objectness.
 */
export function signOfObjectRows(signature: Signature, perCell: number): Sign | undefined {
  const [, rows, columns] = onlyOutput(signature, 3)?.shape ?? [];
  if (typeof columns !== "number" || columns < ONE_CLASS || rows === undefined) return undefined;
  const classes = columns - CLASSES;
  if (signature.labels !== undefined && signature.labels.length !== classes) return undefined;
  if (typeof rows === "string") return { certainty: "possible", classes };
  if (rows <= columns || !isGrid(signature, rows, perCell)) return undefined;
  const isFinal = columns === ONE_CLASS && rows <= FINAL_ROWS_MAX;
  const isTurned = perCell === 1 && signature.labels === undefined && classes !== COCO_CLASSES;
  return { certainty: isFinal || isTurned ? "possible" : "sure", classes };
}

/** The same for an encoding that only a manifest chooses, or a look at what the outputs hold. */
export function possibleObjectRows(signature: Signature, perCell: number): Sign | undefined {
  const sign = signOfObjectRows(signature, perCell);
  return sign === undefined ? undefined : { ...sign, certainty: "possible" };
}

/** Fails with `MODEL_OUTPUT` where the columns are not those of `classes`. */
export function objectRows(outputs: Outputs, classes: number): OutputTensor {
  const output = outputAt(outputs, 0, 3);
  if (output.dims[2] === CLASSES + classes) return output;
  throw wrongOutput(`[${output.dims.join(",")}] does not hold ${classes} classes`);
}

/** The manifest's strides, else those whose grids have as many rows. Fails with `MODEL_OUTPUT` where the rows do not fit. */
export function stridesOf({ dims }: OutputTensor, context: DecodeContext, perCell: number): readonly number[] {
  const { inputWidth: width, inputHeight: height, reading } = context;
  const rows = dims[1] ?? 0;
  const strides = reading.strides ?? gridStrides({ width, height }, rows, perCell) ?? [];
  const cells = strides.reduce((sum, stride) => sum + cellsOf(context, stride), 0);
  if (rows === perCell * cells) return strides;
  throw wrongOutput(`${rows} rows are not ${perCell} for each cell of an input of ${width} × ${height}`);
}

export function cellsOf({ inputWidth, inputHeight }: DecodeContext, stride: number): number {
  return Math.floor(inputWidth / stride) * Math.floor(inputHeight / stride);
}

/** The rows that reach the minimum, in their order. Kept arrays: what is read here holds until the next call. */
export interface ScoredRows {
  readonly count: number;
  readonly row: Int32Array;
  readonly score: Float32Array;
  readonly classIndex: Int32Array;
}

const scored = { count: 0, row: new Int32Array(0), score: new Float32Array(0), classIndex: new Int32Array(0) };

/** Looks at the objectness first: nearly all rows end there. */
export function scoreRows({ data, dims }: OutputTensor, { classes, reading, scoreMin }: DecodeContext): ScoredRows {
  const rows = dims[1] ?? 0;
  if (scored.row.length !== rows) {
    scored.row = new Int32Array(rows);
    scored.score = new Float32Array(rows);
    scored.classIndex = new Int32Array(rows);
  }
  const scoreOf = scoreRule(reading.score, "object*class");
  const least = objectMin(reading.score, "object*class", scoreMin);
  let count = 0;
  for (let row = 0, at = 0; row < rows; row += 1, at += CLASSES + classes) {
    const object = data[at + OBJECT] ?? 0;
    if (!(object >= least)) continue;
    const classIndex = bestClass(data, at + CLASSES, classes);
    const score = scoreOf(object, data[at + CLASSES + classIndex] ?? 0);
    if (!(score >= scoreMin)) continue;
    scored.row[count] = row;
    scored.score[count] = Math.min(score, 1);
    scored.classIndex[count] = classIndex;
    count += 1;
  }
  scored.count = count;
  return scored;
}

function bestClass(data: Float32Array, first: number, classes: number): number {
  let best = 0;
  let highest = data[first] ?? 0;
  for (let classIndex = 1; classIndex < classes; classIndex += 1) {
    const value = data[first + classIndex] ?? 0;
    if (value > highest) {
      highest = value;
      best = classIndex;
    }
  }
  return best;
}

/** Boxes that are already centre and size, in units of so many input pixels. */
export function readCentredBoxes(
  outputs: Outputs,
  context: DecodeContext,
  unitX: number,
  unitY: number,
  into: Candidates,
): void {
  const output = objectRows(outputs, context.classes);
  const { data } = output;
  const { count, row, score, classIndex } = scoreRows(output, context);
  for (let index = 0; index < count; index += 1) {
    const at = (row[index] ?? 0) * (CLASSES + context.classes);
    const x = (data[at] ?? 0) * unitX;
    const y = (data[at + 1] ?? 0) * unitY;
    const halfWidth = ((data[at + 2] ?? 0) * unitX) / 2;
    const halfHeight = ((data[at + 3] ?? 0) * unitY) / 2;
    into.add(x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight, score[index] ?? 0, classIndex[index] ?? 0);
  }
}
