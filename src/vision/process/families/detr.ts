import type { Candidates } from "../nms.ts";
import type { ConstantInput, DecodeContext, Family, InputSize, Outputs, Sign, Signature } from "./family.ts";
import { outputNamed, unmatchedOutputs } from "./shapes.ts";

/**
 * DETR models exported with their last step inside (RT-DETR, D-FINE, DEIM): a second input orig_target_sizes [1, 2] takes
 * the width and height of the picture, outputs labels [1, N], boxes [1, N, 4] as left, top, right, bottom in pixels of
 * that picture, and scores [1, N]; some files drop the 1. Told the size of its own input, the model answers in input
 * pixels. Rows are final: one object has one row.
 */

const SIZES = "orig_target_sizes";
const LABELS = "labels";
const BOXES = "boxes";
const SCORES = "scores";

export const detr: Family = {
  name: "detr",
  defaults: { mean: 0, std: 255, order: "rgb", fit: "stretch", pad: 0, threshold: 0.4, nmsIou: 1 },

  sign({ inputs, outputs, labels }: Signature): Sign | undefined {
    const sizes = inputs.find(({ name }) => name === SIZES);
    const isPair = sizes?.shape.length === 2 && (sizes.shape[1] === 2 || typeof sizes.shape[1] === "string");
    if (!isPair || (sizes.type !== "int64" && sizes.type !== "float32")) return undefined;
    const [found, boxes, scores] = [LABELS, BOXES, SCORES].map((name) =>
      outputs.find((output) => output.name === name),
    );
    if (found === undefined || boxes === undefined || scores === undefined) return undefined;
    const sides = boxes.shape.at(-1);
    if (typeof sides === "number" && sides !== 4) return undefined;
    return { certainty: "sure", classes: labels?.length ?? 0 };
  },

  constants({ inputs }: Signature, { width, height }: InputSize): readonly ConstantInput[] {
    const type = inputs.find(({ name }) => name === SIZES)?.type;
    const data = type === "float32" ? Float32Array.of(width, height) : BigInt64Array.of(BigInt(width), BigInt(height));
    return [{ name: SIZES, data, dims: [1, 2] }];
  },

  decode(outputs: Outputs, { scoreMin, reading }: DecodeContext, into: Candidates): void {
    const labels = outputNamed(outputs, LABELS);
    const boxes = outputNamed(outputs, BOXES);
    const scores = outputNamed(outputs, SCORES);
    const rows = scores.data.length;
    if (boxes.dims.at(-1) !== 4 || boxes.data.length !== 4 * rows || labels.data.length !== rows) {
      throw unmatchedOutputs(labels, boxes, scores);
    }
    const firstClass = reading.firstClass ?? 0;
    for (let row = 0; row < rows; row += 1) {
      const score = scores.data[row] ?? 0;
      const classIndex = (labels.data[row] ?? 0) - firstClass;
      if (!(score >= scoreMin) || classIndex < 0) continue;
      const [left, top] = [boxes.data[4 * row] ?? 0, boxes.data[4 * row + 1] ?? 0];
      const [right, bottom] = [boxes.data[4 * row + 2] ?? 0, boxes.data[4 * row + 3] ?? 0];
      into.add(left, top, right, bottom, Math.min(score, 1), classIndex, row);
    }
  },
};
