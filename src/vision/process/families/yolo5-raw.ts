import type { Candidates } from "../nms.ts";
import type { DecodeContext, Family, Outputs, Sign, Signature } from "./family.ts";
import { cellsOf, CLASSES, objectRows, possibleObjectRows, scoreRows, stridesOf } from "./object-rows.ts";
import { wrongOutput } from "./shapes.ts";

/**
 * The rows of YOLOv5 with sigmoids applied, and neither grid nor anchors (YOLOv5-Lite): for each stride and each of its
 * anchors, the cells row by row. centre = (2 s - 0.5 + cell) × stride, size = (2 s)² × anchor.
 */

export const ANCHORS_PER_CELL = 3;

/** Those that YOLOv5 was trained with on COCO, for the strides 8, 16 and 32. */
const cocoAnchors: readonly (readonly number[])[] = [
  [10, 13, 16, 30, 33, 23],
  [30, 61, 62, 45, 59, 119],
  [116, 90, 156, 198, 373, 326],
];

export const yolo5Raw: Family = {
  name: "yolo5-raw",
  defaults: { mean: 0, std: 255, order: "rgb", fit: "letterbox", pad: 114, threshold: 0.25, nmsIou: 0.45 },
  sign: (signature: Signature): Sign | undefined => possibleObjectRows(signature, ANCHORS_PER_CELL),

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    const output = objectRows(outputs, context.classes);
    const { data } = output;
    const strides = stridesOf(output, context, ANCHORS_PER_CELL);
    const anchors = anchorsFor(strides, context);
    const { count, row, score, classIndex } = scoreRows(output, context);
    let first = 0;
    let index = 0;
    for (const [level, stride] of strides.entries()) {
      const across = Math.floor(context.inputWidth / stride);
      const sides = anchors[level] ?? [];
      for (let side = 0; side < sides.length; side += 2) {
        const last = first + cellsOf(context, stride);
        for (; index < count && (row[index] ?? 0) < last; index += 1) {
          const at = (row[index] ?? 0) * (CLASSES + context.classes);
          const cell = (row[index] ?? 0) - first;
          const x = (2 * (data[at] ?? 0) - 0.5 + (cell % across)) * stride;
          const y = (2 * (data[at + 1] ?? 0) - 0.5 + Math.floor(cell / across)) * stride;
          const halfWidth = 2 * (data[at + 2] ?? 0) ** 2 * (sides[side] ?? 0);
          const halfHeight = 2 * (data[at + 3] ?? 0) ** 2 * (sides[side + 1] ?? 0);
          const right = x + halfWidth;
          const bottom = y + halfHeight;
          into.add(x - halfWidth, y - halfHeight, right, bottom, score[index] ?? 0, classIndex[index] ?? 0);
        }
        first = last;
      }
    }
  },
};

function anchorsFor(strides: readonly number[], { reading }: DecodeContext): readonly (readonly number[])[] {
  const anchors = reading.anchors ?? cocoAnchors;
  if (strides.length === anchors.length && anchors.every(({ length }) => length === 2 * ANCHORS_PER_CELL)) {
    return anchors;
  }
  throw wrongOutput(`the strides ${strides.join(", ")} want ${ANCHORS_PER_CELL} anchors each: write outputs.anchors`);
}
