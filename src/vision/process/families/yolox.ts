import type { Candidates } from "../nms.ts";
import { NEARLY_ALL, shareNearOwnCell, shareOfCentres, unclearEncoding } from "./box-encoding.ts";
import type { DecodeContext, Defaults, Family, Outputs, Sign, Signature } from "./family.ts";
import {
  cellsOf,
  CLASSES,
  OBJECT,
  objectRows,
  possibleObjectRows,
  readCentredBoxes,
  scoreRows,
  signOfObjectRows,
  stridesOf,
} from "./object-rows.ts";

/**
 * YOLOX: one output [1, N, 5 + classes], one row a cell, stride by stride and row by row. The usual export leaves the
 * grid to the reader: centre = (value + cell) × stride, size = exp(value) × stride. Others give both in input pixels, in
 * an output of the same form.
 */

const defaults: Defaults = { mean: 0, std: 1, order: "bgr", fit: "topleft", pad: 114, threshold: 0.25, nmsIou: 0.45 };
/** In cells, from the corner of its own: a head's centres stray further on an empty picture than on an object. */
const OFFSET_MAX = 5;

export const yolox: Family = {
  name: "yolox",
  defaults,
  sign: (signature: Signature): Sign | undefined => signOfObjectRows(signature, 1),

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    const output = objectRows(outputs, context.classes);
    const { data } = output;
    const strides = stridesOf(output, context, 1);
    const { count, row, score, classIndex } = scoreRows(output, context);
    let first = 0;
    let index = 0;
    for (const stride of strides) {
      const across = Math.floor(context.inputWidth / stride);
      const last = first + cellsOf(context, stride);
      for (; index < count && (row[index] ?? 0) < last; index += 1) {
        const at = (row[index] ?? 0) * (CLASSES + context.classes);
        const cell = (row[index] ?? 0) - first;
        const x = ((data[at] ?? 0) + (cell % across)) * stride;
        const y = ((data[at + 1] ?? 0) + Math.floor(cell / across)) * stride;
        const halfWidth = (Math.exp(data[at + 2] ?? 0) * stride) / 2;
        const halfHeight = (Math.exp(data[at + 3] ?? 0) * stride) / 2;
        const right = x + halfWidth;
        const bottom = y + halfHeight;
        into.add(x - halfWidth, y - halfHeight, right, bottom, score[index] ?? 0, classIndex[index] ?? 0);
      }
      first = last;
    }
  },

  /** YOLOv6 has the same columns with a one for each objectness, and another kind of input. */
  doubt(outputs: Outputs, { classes }: DecodeContext): string | undefined {
    const { data } = objectRows(outputs, classes);
    for (let at = OBJECT; at < data.length; at += CLASSES + classes) if (data[at] !== 1) return undefined;
    return 'every objectness is 1, as in YOLOv6: a manifest with "family": "yolox-decoded" and its "input" reads it';
  },

  variant(outputs: Outputs, context: DecodeContext): Family {
    const output = objectRows(outputs, context.classes);
    const { inputWidth, inputHeight } = context;
    if (shareNearOwnCell(output, context, 1, 1, 1) >= NEARLY_ALL) return yoloxDecoded;
    const isRelative = shareNearOwnCell(output, context, 1, inputWidth, inputHeight) >= NEARLY_ALL;
    if (!isRelative && shareOfCentres(output, -OFFSET_MAX, OFFSET_MAX) >= NEARLY_ALL) return yolox;
    throw unclearEncoding("yolox", ["yolox", "yolox-decoded"]);
  },
};

/** Centre and size in input pixels. */
export const yoloxDecoded: Family = {
  name: "yolox-decoded",
  defaults,
  sign: (signature: Signature): Sign | undefined => possibleObjectRows(signature, 1),
  decode: (outputs, context, into) => {
    readCentredBoxes(outputs, context, 1, 1, into);
  },
};
