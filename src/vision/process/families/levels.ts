import type { DecodeContext, Outputs, OutputTensor, Signature, TensorFacts } from "./family.ts";
import { wrongOutput } from "./shapes.ts";

/**
 * What the families share whose outputs are tables, one for each stride: a row a cell (or anchor), cells from left to
 * right and from top to bottom. Exporters give the tables in any order, and what a file declares of their rows can be
 * wrong; so a table is told by the rows and columns that it has when the model has run.
 */

export const levelStrides = [8, 16, 32] as const;

/** Quantised and rounded scores pass their bounds by less than this. */
const SCORE_TOLERANCE = 0.01;

/** Cells along a side: convolutions round up. */
export function cellsAlong(side: number, stride: number): number {
  return Math.ceil(side / stride);
}

/** `[rows, columns]`, with or without a batch of one in front; undefined for anything else. */
export function tableColumns({ type, shape }: TensorFacts): number | string | undefined {
  const isBatched = shape.length === 3 && (shape[0] === 1 || typeof shape[0] === "string");
  return type === "float32" && (isBatched || shape.length === 2) ? shape.at(-1) : undefined;
}

/**
 * False where the declared rows cannot be those of the strides, with `perCell` rows a cell and the same number of tables
 * for each. Where the file leaves its input open, what it declares is what it was exported with, and says nothing.
 */
export function fitsLevels(signature: Signature, perCell: number): boolean {
  const { input, inputs, outputs } = signature;
  const rows = outputs.map(({ shape }) => shape.at(-2));
  const isOpen = inputs.some(({ shape }) => shape.slice(1).some((size) => typeof size === "string"));
  if (input === undefined || isOpen || rows.some((count) => typeof count === "string")) return true;
  const tables = outputs.length / levelStrides.length;
  return levelStrides.every((stride) => {
    const wanted = cellsAlong(input.width, stride) * cellsAlong(input.height, stride) * perCell;
    return rows.filter((count) => count === wanted).length === tables;
  });
}

/** The table of this size; with `place` 1 the second of that size in the file. Fails with `MODEL_OUTPUT`. */
export function tableOf(outputs: Outputs, rows: number, columns: number, place = 0): OutputTensor {
  let before = place;
  for (const output of outputs.values()) {
    const { dims } = output;
    const isBatched = dims.length === 3 && dims[0] === 1;
    if (!(isBatched || dims.length === 2) || dims.at(-1) !== columns || dims.at(-2) !== rows) continue;
    if (before === 0) return output;
    before -= 1;
  }
  throw wrongOutput(`no output is [${rows},${columns}]`);
}

/** Where the highest of `count` values from `from` on lies. */
export function highestAt(data: Float32Array, from: number, count: number): number {
  let highest = data[from] ?? 0;
  let at = from;
  for (let index = from + 1; index < from + count; index += 1) {
    const value = data[index] ?? 0;
    if (value > highest) {
      highest = value;
      at = index;
    }
  }
  return at;
}

/** What speaks against values that should be scores: some are not between 0 and 1. */
export function scoresDoubt(...scores: readonly Float32Array[]): string | undefined {
  const isScore = (value: number) => value >= -SCORE_TOLERANCE && value <= 1 + SCORE_TOLERANCE;
  return scores.every((data) => data.every(isScore)) ? undefined : "its scores are not between 0 and 1";
}

/** What the tables of `columns` columns of all strides hold. */
export function tablesOf(
  outputs: Outputs,
  context: DecodeContext,
  perCell: number,
  columns: number,
): readonly Float32Array[] {
  return levelStrides.map((stride) => {
    const cells = cellsAlong(context.inputWidth, stride) * cellsAlong(context.inputHeight, stride);
    return tableOf(outputs, cells * perCell, columns).data;
  });
}
