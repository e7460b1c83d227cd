import type { Candidates } from "../nms.ts";
import type { DecodeContext, Family, Outputs, Sign, Signature } from "./family.ts";
import { isGrid, onlyOutput, outputAt, taskOf, wrongOutput } from "./shapes.ts";

/**
 * YOLOv10, YOLO26 and exports with suppression inside: one output [1, K, 6], each row left, top, right, bottom in input
 * pixels, score, class. Rows are final; unused ones have score 0.
 */

const COLUMNS = 6;
/** Ultralytics gives 300 rows; a thousand leaves room and stays far below any raw grid. */
const ROWS_MAX = 1_000;

export const endToEnd: Family = {
  name: "end-to-end",
  defaults: { mean: 0, std: 255, order: "rgb", fit: "letterbox", pad: 114, threshold: 0.25, nmsIou: 1 },

  sign(signature: Signature): Sign | undefined {
    const output = onlyOutput(signature, 3);
    const rows = output?.shape[1];
    const task = taskOf(signature);
    if (output?.shape[2] !== COLUMNS || rows === undefined) return undefined;
    if (task !== undefined && task !== "detect") return undefined;
    const classes = signature.labels?.length ?? 0;
    if (saysFinal(signature)) return { certainty: "sure", classes };
    // RT-DETR has 4 + classes columns, other values in them, and as many rows.
    if (classes === COLUMNS - 4 || signature.metadata.get("end2end") === "False") {
      return { certainty: "possible", classes };
    }
    if (typeof rows === "string") return { certainty: "possible", classes };
    // A raw grid of one class has the same six columns.
    if (isGrid(signature, rows) || isGrid(signature, rows, 3)) return { certainty: "possible", classes };
    return rows <= ROWS_MAX ? { certainty: "sure", classes } : undefined;
  },

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    const { data, dims } = outputAt(outputs, 0, 3);
    if (dims[2] !== COLUMNS) throw wrongOutput(`[${dims.join(",")}] has no rows of ${COLUMNS}`);
    for (let at = 0; at + COLUMNS <= data.length; at += COLUMNS) {
      const score = data[at + 4] ?? 0;
      if (!(score >= context.scoreMin)) continue;
      const classIndex = Math.round(data[at + 5] ?? 0);
      into.add(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0, data[at + 3] ?? 0, Math.min(score, 1), classIndex);
    }
  },
};

/** What Ultralytics writes into its files: a head that suppresses by itself, or suppression added by the export. */
function saysFinal({ metadata }: Signature): boolean {
  return metadata.get("end2end") === "True" || /'nms': True\b/.test(metadata.get("args") ?? "");
}
