import type { GraphWriter } from "./onnx.ts";
import type { Rectangles } from "./rectangles.ts";

/**
 * Puts each rectangle into the row of the cell that holds its centre, for families whose rows are cells of a grid. With cells of
 * 16 pixels no two rectangles meet in one: their centres are at least 28 apart.
 */

export interface Grid {
  readonly stride: number;
  readonly across: number;
  readonly down: number;
  /** Rows a cell; the first of them is used. */
  readonly perCell: number;
}

/** Names of values of shape [count]. */
export interface Placed {
  /** In cells, from the corner of the cell that holds the centre: 0 to 1. */
  readonly offsetX: string;
  readonly offsetY: string;
  /** The cell's corner, in input pixels. */
  readonly cornerX: string;
  readonly cornerY: string;
  /** In input pixels, at least 1, also where there is no rectangle. */
  readonly width: string;
  readonly height: string;
  /** -1 where there is no rectangle. */
  readonly row: string;
}

export function placeInCells(graph: GraphWriter, found: Rectangles, grid: Grid): Placed {
  const { stride, across, perCell } = grid;
  const one = graph.floats([1]);
  const pixels = graph.floats([stride]);
  const along = (first: string, last: string) => {
    const centre = graph.node("Mul", [graph.node("Add", [first, last]), graph.floats([0.5 / stride])]);
    const cell = graph.node("Floor", [centre]);
    return {
      cell,
      offset: graph.node("Sub", [centre, cell]),
      corner: graph.node("Mul", [cell, pixels]),
      size: graph.node("Max", [graph.node("Sub", [last, first]), one]),
    };
  };
  const x = along(found.left, found.right);
  const y = along(found.top, found.bottom);
  const cell = graph.node("Add", [graph.node("Mul", [y.cell, graph.floats([across])]), x.cell]);
  const row = graph.node("Mul", [cell, graph.floats([perCell])]);
  const isFound = graph.node("Cast", [graph.node("Greater", [found.score, graph.floats([0])])], { to: 1 });
  return {
    offsetX: x.offset,
    offsetY: y.offset,
    cornerX: x.corner,
    cornerY: y.corner,
    width: x.size,
    height: y.size,
    row: graph.node("Sub", [graph.node("Mul", [graph.node("Add", [row, one]), isFound]), one]),
  };
}

/** Values of shape [count], side by side: [count, columns]. */
export function columnsOf(graph: GraphWriter, values: readonly string[]): string {
  const shape = graph.ints([-1, 1]);
  return graph.node(
    "Concat",
    values.map((value) => graph.node("Reshape", [value, shape])),
    { axis: 1 },
  );
}

/** Of shape [count, columns], moved to the rows of a table of the whole grid, whose other rows are 0. */
export function inRows(graph: GraphWriter, values: string, { row }: Placed, { across, down, perCell }: Grid): string {
  const scalar = (value: number) => graph.floats([value], []);
  const rows = graph.node("Range", [scalar(0), scalar(across * down * perCell), scalar(1)]);
  const isRow = graph.node("Equal", [graph.node("Reshape", [rows, graph.ints([-1, 1])]), row]);
  return graph.node("MatMul", [graph.node("Cast", [isRow], { to: 1 }), values]);
}
