import type { Candidates } from "../nms.ts";
import type { DecodeContext } from "./family.ts";
import { scoresDoubt } from "./levels.ts";

/**
 * The layout that YOLOv8 began: a row for each number of a prediction, a column for each cell. Centre and size in input
 * pixels, then one score a class; what follows is for those that know it.
 */

export const BOX_ROWS = 4;
const RELATIVE_MAX = 2;

let best = new Float32Array(0);
let bestClass = new Int32Array(0);

/** Adds every cell whose best class reaches the minimum, with the cell's number as its row. */
export function readBoxRows(data: Float32Array, cells: number, context: DecodeContext, into: Candidates): void {
  // Class by class, as the memory lies: half the time of going cell by cell.
  findBestClasses(data, cells, context);
  for (let cell = 0; cell < cells; cell += 1) {
    const score = best[cell] ?? 0;
    // Not a number either: its bits sort above all scores.
    if (!(score > 0)) continue;
    const x = data[cell] ?? 0;
    const y = data[cells + cell] ?? 0;
    const halfWidth = (data[2 * cells + cell] ?? 0) / 2;
    const halfHeight = (data[3 * cells + cell] ?? 0) / 2;
    into.add(x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight, score, bestClass[cell] ?? 0, cell);
  }
}

/** What speaks against boxes in input pixels (there are some, and all are between 0 and 1), or against its scores. */
export function boxRowsDoubt(data: Float32Array, cells: number, classes: number): string | undefined {
  const farthest = data.subarray(0, BOX_ROWS * cells).reduce((most, value) => Math.max(most, value), 0);
  if (farthest > 0 && farthest <= RELATIVE_MAX) return "its boxes are between 0 and 1, not in input pixels";
  return scoresDoubt(data.subarray(BOX_ROWS * cells, (BOX_ROWS + classes) * cells));
}

/** Leaves each cell's best score in `best`, 0 where none reaches the minimum. Kept arrays: nothing is allocated a frame. */
function findBestClasses(data: Float32Array, cells: number, { classes, scoreMin }: DecodeContext): void {
  if (best.length !== cells) {
    best = new Float32Array(cells);
    bestClass = new Int32Array(cells);
  }
  best.fill(0);
  // The bits of a positive float sort like the float itself, and whole numbers are compared without being converted.
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
  const bestBits = new Int32Array(best.buffer);
  const [least = 0] = new Int32Array(Float32Array.of(scoreMin).buffer);
  for (let classIndex = 0; classIndex < classes; classIndex += 1) {
    findBetter(bits, (BOX_ROWS + classIndex) * cells, cells, least, bestBits, classIndex);
  }
}

/** One class. Nearly all scores are next to nothing: they are passed over four at a time. */
function findBetter(
  bits: Int32Array,
  from: number,
  cells: number,
  least: number,
  bestBits: Int32Array,
  classIndex: number,
): void {
  for (let cell = 0; cell < cells; cell += 4) {
    const at = from + cell;
    if (
      (bits[at] ?? 0) < least &&
      (bits[at + 1] ?? 0) < least &&
      (bits[at + 2] ?? 0) < least &&
      (bits[at + 3] ?? 0) < least
    )
      continue;
    const end = Math.min(cell + 4, cells);
    for (let near = cell; near < end; near += 1) {
      const score = bits[from + near] ?? 0;
      if (score < least || score <= (bestBits[near] ?? 0)) continue;
      bestBits[near] = score;
      bestClass[near] = classIndex;
    }
  }
}
