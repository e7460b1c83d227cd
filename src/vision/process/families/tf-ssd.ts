import type { Candidates } from "../nms.ts";
import type { DecodeContext, Family, Outputs, Sign, Signature, TensorFacts } from "./family.ts";
import { outputNamed, unmatchedOutputs } from "./shapes.ts";

/**
 * TensorFlow's object detection models: outputs detection_boxes [1, N, 4] as top, left, bottom, right between 0 and 1,
 * detection_scores [1, N] and detection_classes [1, N] counted from 1, mostly with num_detections [1], which says how
 * many of the rows are meant. Converted files often end the names in `:0` and leave sizes open. Rows are final.
 */

const BOXES = "detection_boxes";
const SCORES = "detection_scores";
const CLASSES = "detection_classes";
const COUNT = "num_detections";
/** Boxes at the border may reach a little beyond it. */
const RELATIVE_MAX = 4;
/** TensorFlow keeps 0 for the background. */
const FIRST_CLASS = 1;

export const tfSsd: Family = {
  name: "tf-ssd",
  defaults: { mean: 0, std: 1, order: "rgb", fit: "stretch", pad: 0, threshold: 0.5, nmsIou: 1 },

  sign({ outputs, labels }: Signature): Sign | undefined {
    const [boxes, scores, classes] = [BOXES, SCORES, CLASSES].map((name) => outputs.find(isNamed(name)));
    if (boxes === undefined || scores === undefined || classes === undefined) return undefined;
    const fits = isRanked(boxes, 3) && isRanked(scores, 2) && isRanked(classes, 2);
    const columns = boxes.shape[2];
    if (!fits || (typeof columns === "number" && columns !== 4)) return undefined;
    return { certainty: "sure", classes: labels?.length ?? 0 };
  },

  decode(outputs: Outputs, { inputWidth, inputHeight, scoreMin, reading }: DecodeContext, into: Candidates): void {
    const boxes = outputNamed(outputs, BOXES);
    const scores = outputNamed(outputs, SCORES);
    const classes = outputNamed(outputs, CLASSES);
    const rows = scores.data.length;
    if (scores.dims[0] !== 1 || boxes.data.length !== 4 * rows || classes.data.length !== rows) {
      throw unmatchedOutputs(boxes, scores, classes);
    }
    const firstClass = reading.firstClass ?? FIRST_CLASS;
    const meant = Math.min(rows, countOf(outputs) ?? rows);
    for (let row = 0; row < meant; row += 1) {
      const score = scores.data[row] ?? 0;
      const classIndex = Math.round(classes.data[row] ?? 0) - firstClass;
      if (!(score >= scoreMin) || classIndex < 0) continue;
      const top = (boxes.data[4 * row] ?? 0) * inputHeight;
      const left = (boxes.data[4 * row + 1] ?? 0) * inputWidth;
      const bottom = (boxes.data[4 * row + 2] ?? 0) * inputHeight;
      const right = (boxes.data[4 * row + 3] ?? 0) * inputWidth;
      into.add(left, top, right, bottom, Math.min(score, 1), classIndex, row);
    }
  },

  doubt(outputs: Outputs): string | undefined {
    const farthest = outputNamed(outputs, BOXES).data.reduce((most, value) => Math.max(most, value), 0);
    return farthest > RELATIVE_MAX ? "its boxes are not between 0 and 1" : undefined;
  },
};

function isNamed(name: string) {
  return (tensor: { readonly name: string }) => tensor.name === name || tensor.name === `${name}:0`;
}

/** Converters lose the shape altogether at times: then there is nothing that speaks against it. */
function isRanked({ type, shape }: TensorFacts, rank: number): boolean {
  return type === "float32" && (shape.length === rank || shape.length === 0);
}

function countOf(outputs: Outputs): number | undefined {
  return (outputs.get(COUNT) ?? outputs.get(`${COUNT}:0`))?.data[0];
}
