import { inRows, type Grid, type Placed } from "./cells.ts";
import type { GraphWriter } from "./onnx.ts";

/** The tables that families with three strides give: the rectangles are in the middle one's, the other two are empty. */

const USED_STRIDE = 16;

interface Table {
  /** The output's name for a stride. */
  readonly name: (stride: number) => string;
  /** Of shape [count, columns]. */
  readonly values: string;
  readonly columns: number;
}

export function gridOf(width: number, height: number, perCell = 1): Grid {
  return { stride: USED_STRIDE, across: width / USED_STRIDE, down: height / USED_STRIDE, perCell };
}

/** Adds the outputs of every table for the strides 8, 16 and 32; returns what the file must declare. */
export function addTables(graph: GraphWriter, tables: readonly Table[], placed: Placed, grid: Grid) {
  const cells = grid.across * grid.down * grid.perCell;
  return tables.flatMap(({ name, values, columns }) =>
    [8, 16, 32].map((stride) => {
      const shape = [1, cells * (USED_STRIDE / stride) ** 2, columns];
      const table =
        stride === USED_STRIDE
          ? graph.node("Reshape", [inRows(graph, values, placed, grid), graph.ints(shape)])
          : graph.node("ConstantOfShape", [graph.ints(shape)]);
      graph.output(table, name(stride));
      return { name: name(stride), shape };
    }),
  );
}
