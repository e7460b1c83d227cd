import { AgentError } from "../../../core/errors.ts";
import type { DecodeContext, OutputTensor } from "./family.ts";
import { cellsOf, OBJECT, stridesOf } from "./object-rows.ts";

/** What the boxes of an empty picture say about how they are encoded, where the outputs' form does not. */

/** Of the rows: a head's outliers leave this many in any case. */
export const NEARLY_ALL = 0.9;
/** In cells. No other encoding brings most rows so near their own cell. */
const NEAR_CELLS = 1.5;

/** The share of rows whose centre, in units of so many input pixels, lies where the row's own cell does. */
export function shareNearOwnCell(
  output: OutputTensor,
  context: DecodeContext,
  perCell: number,
  unitX: number,
  unitY: number,
): number {
  const { data, dims } = output;
  const [, rows = 1, columns = 1] = dims;
  let near = 0;
  let at = 0;
  for (const stride of stridesOf(output, context, perCell)) {
    const across = Math.floor(context.inputWidth / stride);
    const cells = cellsOf(context, stride);
    for (let index = 0; index < perCell * cells; index += 1, at += columns) {
      const cell = index % cells;
      const x = ((data[at] ?? 0) * unitX) / stride - (cell % across) - 0.5;
      const y = ((data[at + 1] ?? 0) * unitY) / stride - Math.floor(cell / across) - 0.5;
      if (Math.abs(x) <= NEAR_CELLS && Math.abs(y) <= NEAR_CELLS) near += 1;
    }
  }
  return near / rows;
}

/** The share of rows whose centre lies between two bounds in both directions. */
export function shareOfCentres({ data, dims }: OutputTensor, min: number, max: number): number {
  const [, rows = 1, columns = 1] = dims;
  let inside = 0;
  for (let at = 0; at < data.length; at += columns) {
    const x = data[at] ?? 0;
    const y = data[at + 1] ?? 0;
    if (x >= min && x <= max && y >= min && y <= max) inside += 1;
  }
  return inside / rows;
}

/** True when no number of any box lies outside. */
export function boxesAreWithin({ data, dims }: OutputTensor, min: number, max: number): boolean {
  const columns = dims[2] ?? 1;
  for (let at = 0; at < data.length; at += columns) {
    for (let column = 0; column < OBJECT; column += 1) {
      const value = data[at + column] ?? 0;
      if (!(value >= min && value <= max)) return false;
    }
  }
  return true;
}

/** For outputs that fit a family by their form and none of its encodings by what they hold. */
export function unclearEncoding(family: string, names: readonly string[]): AgentError {
  const choices = names.map((name) => `"${name}"`).join(" or ");
  return new AgentError(
    "MODEL_UNKNOWN_FAMILY",
    `the outputs have the form of ${family}, but the boxes of an empty picture do not tell how they are encoded. ` +
      `If you know it, write "family": ${choices} into a manifest (<file>.json)`,
    { disposition: "fatal" },
  );
}
