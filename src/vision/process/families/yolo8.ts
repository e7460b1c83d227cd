import type { Candidates } from "../nms.ts";
import type { DecodeContext, Family, Outputs, Sign, Signature } from "./family.ts";
import { isGrid, onlyOutput, outputAt, taskOf, wrongOutput } from "./shapes.ts";

/**
 * YOLOv8, YOLOv9, YOLO11: one output [1, 4 + classes, cells]. Centre and size in input pixels, then one score a class,
 * already between 0 and 1; no objectness.
 */

const BOX_ROWS = 4;
/** Without any labels only COCO's own number of classes tells detection from pose and rotated boxes of the same form. */
const COCO_CLASSES = 80;

let best = new Float32Array(0);
let bestClass = new Int32Array(0);

export const yolo8: Family = {
  name: "yolo8",
  defaults: { mean: 0, std: 255, order: "rgb", fit: "letterbox", pad: 114, threshold: 0.25, nmsIou: 0.45 },

  sign(signature: Signature): Sign | undefined {
    const output = onlyOutput(signature, 3);
    const rows = output?.shape[1];
    const cells = output?.shape[2];
    const task = taskOf(signature);
    if (typeof rows !== "number" || rows <= BOX_ROWS || cells === undefined) return undefined;
    if (task !== undefined && task !== "detect") return undefined;
    if (typeof cells === "number" && (cells <= rows || !isGrid(signature, cells))) return undefined;
    const classes = rows - BOX_ROWS;
    const labels = signature.labels?.length;
    if (labels !== undefined && labels !== classes) return undefined;
    const certain =
      task === "detect" || labels !== undefined || (classes === COCO_CLASSES && typeof cells === "number");
    return { certainty: certain ? "sure" : "possible", classes };
  },

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    const { data, dims } = outputAt(outputs, 0, 3);
    const cells = dims[2] ?? 0;
    if (dims[1] !== BOX_ROWS + context.classes) {
      throw wrongOutput(`[${dims.join(",")}] does not hold ${context.classes} classes`);
    }
    // Class by class, as the memory lies: half the time of going cell by cell.
    findBestClasses(data, cells, context);
    for (let cell = 0; cell < cells; cell += 1) {
      const score = best[cell] ?? 0;
      if (score <= 0) continue;
      const x = data[cell] ?? 0;
      const y = data[cells + cell] ?? 0;
      const halfWidth = (data[2 * cells + cell] ?? 0) / 2;
      const halfHeight = (data[3 * cells + cell] ?? 0) / 2;
      into.add(x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight, score, bestClass[cell] ?? 0);
    }
  },
};

/** Leaves each cell's best score in `best`, 0 where none reaches the minimum. Kept arrays: nothing is allocated a frame. */
function findBestClasses(data: Float32Array, cells: number, context: DecodeContext): void {
  if (best.length !== cells) {
    best = new Float32Array(cells);
    bestClass = new Int32Array(cells);
  }
  best.fill(0);
  const { scoreMin } = context;
  for (let classIndex = 0; classIndex < context.classes; classIndex += 1) {
    const offset = (BOX_ROWS + classIndex) * cells;
    for (let cell = 0; cell < cells; cell += 1) {
      const score = data[offset + cell] ?? 0;
      if (score >= scoreMin && score > (best[cell] ?? 0)) {
        best[cell] = score;
        bestClass[cell] = classIndex;
      }
    }
  }
}
