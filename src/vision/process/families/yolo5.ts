import { boxesAreWithin, NEARLY_ALL, shareNearOwnCell, shareOfCentres, unclearEncoding } from "./box-encoding.ts";
import type { DecodeContext, Defaults, Family, Outputs, Sign, Signature } from "./family.ts";
import { objectRows, possibleObjectRows, readCentredBoxes, signOfObjectRows } from "./object-rows.ts";
import { ANCHORS_PER_CELL, yolo5Raw } from "./yolo5-raw.ts";

/**
 * YOLOv5 and YOLOv7: one output [1, N, 5 + classes], three rows a cell. Centre and size, objectness, one score a class.
 * The usual export gives boxes in input pixels; others give them between 0 and 1 of the input, or leave the grid and the
 * anchors to the reader, in outputs of the same form.
 */

const defaults: Defaults = {
  mean: 0,
  std: 255,
  order: "rgb",
  fit: "letterbox",
  pad: 114,
  threshold: 0.25,
  nmsIou: 0.45,
};
/** Centres between a quarter and three quarters: of a grid's a quarter, of a raw file's 0.95. */
const MIDDLE_SHARE_MIN = 0.6;

export const yolo5: Family = {
  name: "yolo5",
  defaults,
  sign: (signature: Signature): Sign | undefined => signOfObjectRows(signature, ANCHORS_PER_CELL),
  decode: (outputs, context, into) => {
    readCentredBoxes(outputs, context, 1, 1, into);
  },

  /** Boxes in pixels are larger than 1; relative ones are spread like the grid; sigmoids lie around a half. */
  variant(outputs: Outputs, context: DecodeContext): Family {
    const output = objectRows(outputs, context.classes);
    const { inputWidth, inputHeight } = context;
    if (shareOfCentres(output, 1, Math.max(inputWidth, inputHeight)) >= NEARLY_ALL) return yolo5;
    const onGrid = shareNearOwnCell(output, context, ANCHORS_PER_CELL, inputWidth, inputHeight);
    if (onGrid >= NEARLY_ALL) return yolo5Relative;
    if (boxesAreWithin(output, 0, 1) && shareOfCentres(output, 0.25, 0.75) >= MIDDLE_SHARE_MIN) return yolo5Raw;
    throw unclearEncoding("yolo5", ["yolo5", "yolo5-relative", "yolo5-raw"]);
  },
};

/** Boxes between 0 and 1 of the input's width and height. */
export const yolo5Relative: Family = {
  name: "yolo5-relative",
  defaults,
  sign: (signature: Signature): Sign | undefined => possibleObjectRows(signature, ANCHORS_PER_CELL),
  decode: (outputs, context, into) => {
    readCentredBoxes(outputs, context, context.inputWidth, context.inputHeight, into);
  },
};
