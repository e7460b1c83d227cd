import type { Candidates } from "../nms.ts";
import type { DecodeContext, Family, Outputs, Sign, Signature } from "./family.ts";
import { cellsAlong, fitsLevels, levelStrides, scoresDoubt, tableColumns, tableOf, tablesOf } from "./levels.ts";

/**
 * SCRFD face detectors: for each stride scores [n, 1], boxes [n, 4] and, with key points, [n, 10]; two rows a cell. A box
 * is the distances from the cell's corner to its left, top, right and bottom, in strides.
 */

const PER_CELL = 2;
const SCORES = 1;
const BOXES = 4;
const POINTS = 10;

export const scrfd: Family = {
  name: "scrfd",
  defaults: {
    mean: 127.5,
    std: 128,
    order: "rgb",
    fit: "topleft",
    pad: 0,
    threshold: 0.5,
    nmsIou: 0.45,
    labels: ["face"],
  },

  sign(signature: Signature): Sign | undefined {
    const columns = signature.outputs.map(tableColumns);
    const kinds = [SCORES, BOXES, POINTS].filter((kind) => columns.includes(kind));
    const tables = (kind: number) => columns.filter((count) => count === kind).length;
    if (kinds.length < 2 || columns.length !== kinds.length * levelStrides.length) return undefined;
    if (!kinds.every((kind) => tables(kind) === levelStrides.length) || kinds[1] !== BOXES) return undefined;
    if (signature.labels !== undefined && signature.labels.length !== 1) return undefined;
    return fitsLevels(signature, PER_CELL) ? { certainty: "sure", classes: 1 } : undefined;
  },

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    for (const stride of levelStrides) decodeLevel(outputs, context, stride, into);
  },

  doubt(outputs: Outputs, context: DecodeContext): string | undefined {
    return scoresDoubt(...tablesOf(outputs, context, PER_CELL, SCORES));
  },
};

function decodeLevel(outputs: Outputs, context: DecodeContext, stride: number, into: Candidates): void {
  const { inputWidth, inputHeight, scoreMin } = context;
  const columns = cellsAlong(inputWidth, stride);
  const rows = columns * cellsAlong(inputHeight, stride) * PER_CELL;
  const scores = tableOf(outputs, rows, SCORES).data;
  const boxes = tableOf(outputs, rows, BOXES).data;
  for (let row = 0; row < rows; row += 1) {
    const score = scores[row] ?? 0;
    if (!(score >= scoreMin)) continue;
    const cell = Math.floor(row / PER_CELL);
    const x = cell % columns;
    const y = Math.floor(cell / columns);
    const at = row * BOXES;
    into.add(
      (x - (boxes[at] ?? 0)) * stride,
      (y - (boxes[at + 1] ?? 0)) * stride,
      (x + (boxes[at + 2] ?? 0)) * stride,
      (y + (boxes[at + 3] ?? 0)) * stride,
      Math.min(score, 1),
      0,
    );
  }
}
