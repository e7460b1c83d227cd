import type { Candidates } from "../nms.ts";
import type { DecodeContext, Family, Outputs, Sign, Signature } from "./family.ts";
import {
  cellsAlong,
  fitsLevels,
  highestAt,
  levelStrides,
  scoresDoubt,
  tableColumns,
  tableOf,
  tablesOf,
} from "./levels.ts";
import { wrongOutput } from "./shapes.ts";

/**
 * NanoDet, as its head exports it before NanoDet-Plus: for each stride scores [n, classes] and distances [n, 4 × bins], one row a
 * cell. Each side's distance from the cell's centre is a distribution over 0, 1, 2 … strides: its expectation counts.
 */

const SIDES = 4;
/** NanoDet's own configurations have 8 or 11 bins; any other number needs the labels to be told from a number of classes. */
const USUAL_COLUMNS: readonly (number | string | undefined)[] = [SIDES * 8, SIDES * 11];
const COLUMNS_MIN = SIDES * 2;

const distances = new Float64Array(SIDES);

export const nanodet: Family = {
  name: "nanodet",
  defaults: {
    mean: [103.53, 116.28, 123.675],
    std: [57.375, 57.12, 58.395],
    order: "bgr",
    fit: "letterbox",
    pad: 0,
    threshold: 0.4,
    nmsIou: 0.45,
  },

  sign(signature: Signature): Sign | undefined {
    const columns = signature.outputs.map(tableColumns);
    const kinds = [...new Set(columns)];
    const [first, second = first] = kinds;
    if (columns.length !== 2 * levelStrides.length || kinds.length > 2) return undefined;
    if (kinds.length === 2 && columns.filter((count) => count === first).length !== levelStrides.length)
      return undefined;
    if (!fitsLevels(signature, 1)) return undefined;
    const labels = signature.labels?.length;
    const readings = [
      { classes: first, wide: second },
      { classes: second, wide: first },
    ].filter(({ classes, wide }) => isWide(wide, labels !== undefined) && (labels === undefined || classes === labels));
    const [reading, other] = readings;
    if (typeof reading?.classes !== "number") return undefined;
    const isTold = labels !== undefined || other === undefined;
    return { certainty: isTold ? "sure" : "possible", classes: reading.classes };
  },

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    const wide = wideColumns(outputs, context.classes);
    for (const stride of levelStrides) decodeLevel(outputs, context, stride, wide, into);
  },

  doubt(outputs: Outputs, context: DecodeContext): string | undefined {
    return scoresDoubt(...tablesOf(outputs, context, 1, context.classes));
  },
};

function isWide(columns: number | string | undefined, isToldByLabels: boolean): boolean {
  if (USUAL_COLUMNS.includes(columns)) return true;
  return isToldByLabels && typeof columns === "number" && columns >= COLUMNS_MIN && columns % SIDES === 0;
}

/** Of the two kinds of tables, the columns of the one that does not hold the classes. */
function wideColumns(outputs: Outputs, classes: number): number {
  for (const { dims } of outputs.values()) {
    const columns = dims.at(-1) ?? 0;
    if (columns !== classes && columns % SIDES === 0) return columns;
  }
  if (classes >= COLUMNS_MIN && classes % SIDES === 0) return classes;
  throw wrongOutput("no output holds distances");
}

function decodeLevel(outputs: Outputs, context: DecodeContext, stride: number, wide: number, into: Candidates): void {
  const { classes, inputWidth, inputHeight, scoreMin } = context;
  const columns = cellsAlong(inputWidth, stride);
  const cells = columns * cellsAlong(inputHeight, stride);
  const scores = tableOf(outputs, cells, classes).data;
  // Scores come first in every export seen; it matters only where both tables have the same size.
  const sides = tableOf(outputs, cells, wide, wide === classes ? 1 : 0).data;
  for (let cell = 0; cell < cells; cell += 1) {
    const best = highestAt(scores, cell * classes, classes);
    const score = scores[best] ?? 0;
    if (!(score >= scoreMin)) continue;
    expectDistances(sides, cell * wide, wide / SIDES);
    const x = (cell % columns) + 0.5;
    const y = Math.floor(cell / columns) + 0.5;
    into.add(
      (x - (distances[0] ?? 0)) * stride,
      (y - (distances[1] ?? 0)) * stride,
      (x + (distances[2] ?? 0)) * stride,
      (y + (distances[3] ?? 0)) * stride,
      Math.min(score, 1),
      best - cell * classes,
    );
  }
}

/** Leaves in `distances` the mean of each side's distribution, in strides. */
function expectDistances(data: Float32Array, from: number, bins: number): void {
  for (let side = 0; side < SIDES; side += 1) {
    const start = from + side * bins;
    // The highest is taken off, so that no exponential overflows.
    const highest = data[highestAt(data, start, bins)] ?? 0;
    let sum = 0;
    let weighted = 0;
    for (let bin = 0; bin < bins; bin += 1) {
      const weight = Math.exp((data[start + bin] ?? 0) - highest);
      sum += weight;
      weighted += weight * bin;
    }
    distances[side] = weighted / sum;
  }
}
