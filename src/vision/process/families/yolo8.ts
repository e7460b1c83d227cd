import type { Candidates } from "../nms.ts";
import { BOX_ROWS, boxRowsDoubt, readBoxRows } from "./box-rows.ts";
import type { DecodeContext, Family, Outputs, Sign, Signature } from "./family.ts";
import { isGrid, onlyOutput, outputAt, taskOf, wrongOutput } from "./shapes.ts";

/**
 * YOLOv8, YOLOv9, YOLO11: one output [1, 4 + classes, cells]. Centre and size in input pixels, then one score a class,
 * already between 0 and 1; no objectness.
 */

/** Without any labels only COCO's own number of classes tells detection from pose and rotated boxes of the same form. */
const COCO_CLASSES = 80;

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
    readBoxRows(data, cells, context, into);
  },

  doubt(outputs: Outputs, { classes }: DecodeContext): string | undefined {
    const { data, dims } = outputAt(outputs, 0, 3);
    return boxRowsDoubt(data, dims[2] ?? 0, classes);
  },
};
