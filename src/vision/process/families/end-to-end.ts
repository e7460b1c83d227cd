import type { Candidates } from "../nms.ts";
import type { Certainty, DecodeContext, Family, Outputs, Sign, Signature } from "./family.ts";
import { isGrid, onlyOutput, outputAt, taskOf, wrongOutput } from "./shapes.ts";

/**
 * YOLOv10, YOLO26 and exports with suppression inside: one output [1, K, 6], each row left, top, right, bottom in input
 * pixels, score, class. Rows are final; unused ones have score 0.
 */

const COLUMNS = 6;
/** Ultralytics gives 300 rows; a thousand leaves room and stays far below any raw grid. */
const ROWS_MAX = 1_000;
/** Rows of an empty picture are guesses: some may be turned inside out. */
const UPRIGHT_SHARE_MIN = 0.9;
/** Half precision may round up. */
const SCORE_MAX = 1.001;
/** Boxes between 0 and 1 reach a little beyond at most. */
const RELATIVE_MAX = 2;

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
    const certain = (certainty: Certainty): Sign => ({ certainty, classes });
    if (saysFinal(signature)) return certain("sure");
    if (typeof rows === "string") return certain("possible");
    if (rows > ROWS_MAX) return undefined;
    // A raw grid of one class has the same six columns, and a head that says it is not final may be anything.
    if (isGrid(signature, rows) || isGrid(signature, rows, 3)) return certain("possible");
    if (signature.metadata.get("end2end") === "False") return certain("possible");
    // RT-DETR has 4 + classes columns, other values in them, and as many rows.
    return certain(classes === 0 || classes === COLUMNS - 4 ? "likely" : "sure");
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

  /** Only rows with boxes in pixels prove it; rows of zeros, as suppression leaves them, merely do not contradict. */
  doubt(outputs: Outputs, _context: DecodeContext, certainty?: Certainty): string | undefined {
    const { data } = outputAt(outputs, 0, 3);
    let upright = 0;
    let farthest = 0;
    for (let at = 0; at + COLUMNS <= data.length; at += COLUMNS) {
      const [left = 0, top = 0, right = 0, bottom = 0, score = 0, classNumber = 0] = data.subarray(at, at + COLUMNS);
      if (!(score >= 0 && score <= SCORE_MAX)) return `its fifth column holds ${score}, which is no score`;
      if (!Number.isInteger(classNumber)) return `its sixth column holds ${classNumber}, which is no class number`;
      if (right >= left && bottom >= top) upright += 1;
      farthest = Math.max(farthest, right, bottom);
    }
    const proved = farthest > RELATIVE_MAX && upright >= (UPRIGHT_SHARE_MIN * data.length) / COLUMNS;
    return proved || certainty === "sure" ? undefined : "for an empty picture it gives no boxes in input pixels";
  },
};

/** What Ultralytics writes into its files: a head that suppresses by itself, or suppression added by the export. */
function saysFinal({ metadata }: Signature): boolean {
  return metadata.get("end2end") === "True" || /'nms': True\b/.test(metadata.get("args") ?? "");
}
