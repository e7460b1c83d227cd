import { columnsOf, placeInCells } from "./cells.ts";
import { HEIGHT, frameWith, WIDTH } from "./frame.ts";
import { addTables, gridOf } from "./levels.ts";
import { plainMetadata } from "./metadata.ts";

const PER_CELL = 2;

/**
 * Outputs scores [1, n, 1] and distances [1, n, 4] of the strides 8, 16 and 32; input (level - 127.5) / 128, top left. The family has
 * one class, which this file does not name: rectangles of any colour.
 */
export function scrfdModel(): Buffer {
  const { graph, input, found } = frameWith({ name: "images", levelsPerUnit: 128 });
  const grid = gridOf(WIDTH, HEIGHT, PER_CELL);
  const placed = placeInCells(graph, found, grid);
  const distance = (from: string, to: string) =>
    graph.node("Div", [graph.node("Sub", [to, from]), graph.floats([grid.stride])]);
  const box = [
    distance(found.left, placed.cornerX),
    distance(found.top, placed.cornerY),
    distance(placed.cornerX, found.right),
    distance(placed.cornerY, found.bottom),
  ];
  const tables = [
    { name: (stride: number) => `score_${stride}`, values: columnsOf(graph, [found.score]), columns: 1 },
    { name: (stride: number) => `box_${stride}`, values: columnsOf(graph, box), columns: box.length },
  ];
  const outputs = addTables(graph, tables, placed, grid);
  return graph.model("tiny-scrfd", input, outputs, plainMetadata);
}
