import type { Reading } from "../../config.ts";
import type { Candidates } from "../nms.ts";
import type { DecodeContext, Family, Outputs, OutputTensor, Sign, Signature, TensorFacts } from "./family.ts";
import { scoresDoubt } from "./levels.ts";
import { isBatchOfOne, unmatchedOutputs, wrongOutput } from "./shapes.ts";

/**
 * SSD with its priors applied inside: two outputs, scores [1, N, 1 + classes] with the background first, and boxes
 * [1, N, 4] as left, top, right, bottom between 0 and 1. EdgeEye and Ultra-Light-Fast face models. A manifest can put the
 * background last or say that there is none, and name the column of the first label.
 */

const SCORES = "scores";
const BOXES = "boxes";
/** Of the boxes of an empty picture: decoded ones have area; raw offsets, which have the same shape, mostly do not. */
const DECODED_SHARE_MIN = 0.9;
/** Boxes at the border reach beyond it, those of an empty picture more than others. */
const RELATIVE_MAX = 4;
/** Of the boxes of an empty picture. */
const SHARED_MIN = 0.9;
/** Quantised and rounded scores add up to 1 this nearly. */
const SHARES_TOLERANCE = 0.1;

export const ssd: Family = {
  name: "ssd",
  defaults: { mean: 127, std: 128, order: "rgb", fit: "stretch", pad: 0, threshold: 0.6, nmsIou: 0.45 },

  sign(signature: Signature): Sign | undefined {
    const { scores, boxes } = pair(signature.outputs);
    const columns = scores?.shape[2];
    if (scores === undefined || typeof columns !== "number") return undefined;
    if (boxes?.shape[2] !== 4 || boxes.shape[1] !== scores.shape[1]) return undefined;
    const { first, end } = classColumns(columns, signature.reading ?? {});
    const classes = end - first;
    if (classes < 1) return undefined;
    if (signature.labels !== undefined && signature.labels.length !== classes) return undefined;
    const named = scores.name === SCORES && boxes.name === BOXES;
    return { certainty: named ? "sure" : "possible", classes };
  },

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    const { scores, boxes } = tensors(outputs);
    const columns = scores.dims[2] ?? 0;
    const { first, end } = classColumns(columns, context.reading);
    if (end - first !== context.classes || boxes.dims[1] !== scores.dims[1]) {
      throw unmatchedOutputs(scores, boxes);
    }
    const { inputWidth, inputHeight, scoreMin } = context;
    for (let row = 0, at = 0; at < scores.data.length; row += 1, at += columns) {
      let score = 0;
      let classIndex = 0;
      for (let column = first; column < end; column += 1) {
        const value = scores.data[at + column] ?? 0;
        if (value > score) {
          score = value;
          classIndex = column - first;
        }
      }
      if (score < scoreMin) continue;
      const left = (boxes.data[4 * row] ?? 0) * inputWidth;
      const top = (boxes.data[4 * row + 1] ?? 0) * inputHeight;
      const right = (boxes.data[4 * row + 2] ?? 0) * inputWidth;
      const bottom = (boxes.data[4 * row + 3] ?? 0) * inputHeight;
      into.add(left, top, right, bottom, Math.min(score, 1), classIndex, row);
    }
  },

  doubt(outputs: Outputs, { reading }: DecodeContext): string | undefined {
    const { boxes, scores } = tensors(outputs);
    const rows = boxes.data.length / 4;
    let decoded = 0;
    let farthest = 0;
    for (let at = 0; at < boxes.data.length; at += 4) {
      const [left = 0, top = 0, right = 0, bottom = 0] = boxes.data.subarray(at, at + 4);
      if (right >= left && bottom >= top) decoded += 1;
      farthest = Math.max(farthest, right, bottom);
    }
    if (decoded < rows * DECODED_SHARE_MIN) return "its boxes are offsets from priors that the file does not hold";
    if (farthest > RELATIVE_MAX) return "its boxes are not between 0 and 1";
    return scoresDoubt(scores.data) ?? (isBackgroundTold(reading) ? undefined : backgroundDoubt(scores));
  },
};

function isBackgroundTold({ background, firstClass }: Reading): boolean {
  return background !== undefined || firstClass !== undefined;
}

/** With a background the scores of a box are shares of one; without it the first label would be taken for it. */
function backgroundDoubt({ data, dims }: OutputTensor): string | undefined {
  const columns = dims[2] ?? 1;
  let shared = 0;
  for (let at = 0; at < data.length; at += columns) {
    const sum = data.subarray(at, at + columns).reduce((total, value) => total + value, 0);
    if (Math.abs(sum - 1) <= SHARES_TOLERANCE) shared += 1;
  }
  if (shared * columns >= data.length * SHARED_MIN) return undefined;
  return `its scores do not add up to 1, as they do with a background ("outputs": {"background": "none"})`;
}

/** The columns that stand for labels: from `first` on, before `end`. */
function classColumns(columns: number, { background = "first", firstClass }: Reading) {
  const first = firstClass ?? (background === "first" ? 1 : 0);
  return { first, end: background === "last" ? columns - 1 : columns };
}

/** By name where the names say it, else by the box output's four columns. */
function pair(outputs: readonly TensorFacts[]): { readonly scores?: TensorFacts; readonly boxes?: TensorFacts } {
  const [first, second] = outputs;
  if (first === undefined || second === undefined || outputs.length !== 2) return {};
  if (!isBatchOfOne(first, 3) || !isBatchOfOne(second, 3)) return {};
  const boxesFirst = first.name === BOXES || (second.name !== BOXES && second.shape[2] !== 4);
  return boxesFirst ? { scores: second, boxes: first } : { scores: first, boxes: second };
}

function tensors(outputs: Outputs): { readonly scores: OutputTensor; readonly boxes: OutputTensor } {
  const facts = [...outputs].map(([name, { dims }]) => ({ name, type: "float32", shape: dims }));
  const found = pair(facts);
  const scores = outputs.get(found.scores?.name ?? "");
  const boxes = outputs.get(found.boxes?.name ?? "");
  if (scores === undefined || boxes === undefined) throw wrongOutput("scores and boxes are not both there");
  return { scores, boxes };
}
