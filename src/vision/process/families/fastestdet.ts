import type { Candidates } from "../nms.ts";
import type { DecodeContext, Family, Outputs, Sign, Signature } from "./family.ts";
import { cellsAlong, scoresDoubt } from "./levels.ts";
import { objectMin, scoreRule } from "./score-rule.ts";
import { onlyOutput, outputAt, wrongOutput } from "./shapes.ts";

/**
 * FastestDet: one output [1, 5 + classes, rows, columns], a cell for every 16 pixels. Planes: objectness, the centre's offset
 * from the cell's corner (a tanh, in cells), width and height (a sigmoid, of the input), then one score a class.
 */

const USUAL_RULE = "object^0.6*class^0.4";
const STRIDE = 16;
const BEFORE_CLASSES = 5;
/** Without any labels only COCO's own number of classes tells it from other grids with planes in front. */
const COCO_CLASSES = 80;

export const fastestdet: Family = {
  name: "fastestdet",
  defaults: { mean: 0, std: 255, order: "bgr", fit: "stretch", pad: 0, threshold: 0.6, nmsIou: 0.45 },

  sign(signature: Signature): Sign | undefined {
    const [, planes, rows, columns] = onlyOutput(signature, 4)?.shape ?? [];
    const { input, labels } = signature;
    if (typeof planes !== "number" || planes <= BEFORE_CLASSES) return undefined;
    const fits = (cells: number | string | undefined, side: number | undefined) =>
      typeof cells !== "number" || side === undefined || cells === cellsAlong(side, STRIDE);
    if (!fits(rows, input?.height) || !fits(columns, input?.width)) return undefined;
    const classes = planes - BEFORE_CLASSES;
    if (labels !== undefined && labels.length !== classes) return undefined;
    const isGrid = typeof rows === "number" && typeof columns === "number" && input !== undefined;
    const certain = isGrid && (labels !== undefined || classes === COCO_CLASSES);
    return { certainty: certain ? "sure" : "possible", classes };
  },

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    const { classes, inputWidth, inputHeight, scoreMin, reading } = context;
    const { data, dims } = outputAt(outputs, 0, 4);
    const columns = dims[3] ?? 0;
    const cells = (dims[2] ?? 0) * columns;
    if (dims[1] !== BEFORE_CLASSES + classes) throw wrongOutput(`[${dims.join(",")}] does not hold ${classes} classes`);
    const scoreOf = scoreRule(reading.score, USUAL_RULE);
    const least = objectMin(reading.score, USUAL_RULE, scoreMin);
    const cellWidth = inputWidth / columns;
    const cellHeight = (inputHeight * columns) / cells;
    for (let cell = 0; cell < cells; cell += 1) {
      const object = Math.min(data[cell] ?? 0, 1);
      if (!(object >= least)) continue;
      const best = bestPlane(data, cell, cells, classes);
      const score = scoreOf(object, Math.min(data[best] ?? 0, 1));
      if (!(score >= scoreMin)) continue;
      const x = ((cell % columns) + Math.tanh(data[cells + cell] ?? 0)) * cellWidth;
      const y = (Math.floor(cell / columns) + Math.tanh(data[2 * cells + cell] ?? 0)) * cellHeight;
      const halfWidth = (sigmoid(data[3 * cells + cell] ?? 0) * inputWidth) / 2;
      const halfHeight = (sigmoid(data[4 * cells + cell] ?? 0) * inputHeight) / 2;
      const classIndex = Math.floor(best / cells) - BEFORE_CLASSES;
      into.add(x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight, score, classIndex);
    }
  },

  doubt(outputs: Outputs): string | undefined {
    const { data, dims } = outputAt(outputs, 0, 4);
    const cells = (dims[2] ?? 0) * (dims[3] ?? 0);
    return scoresDoubt(data.subarray(0, cells), data.subarray(BEFORE_CLASSES * cells));
  },
};

/** Where the cell's best class lies in the data. */
function bestPlane(data: Float32Array, cell: number, cells: number, classes: number): number {
  const first = BEFORE_CLASSES * cells + cell;
  let best = first;
  for (let at = first + cells; at < first + classes * cells; at += cells) {
    if ((data[at] ?? 0) > (data[best] ?? 0)) best = at;
  }
  return best;
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
