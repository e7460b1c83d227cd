import { columnsOf, placeInCells } from "./cells.ts";
import { HEIGHT, frameWith, WIDTH } from "./frame.ts";
import { addTables, gridOf } from "./levels.ts";
import { ultralyticsMetadata } from "./metadata.ts";
import { classScores } from "./predictions.ts";
import { labels } from "./rectangles.ts";

/** Outputs cls_, obj_ and bbox_ of the strides 8, 16 and 32; input BGR 0 to 255, top left. */
export function yunetModel(): Buffer {
  const { graph, input, found } = frameWith({ name: "input", levelsPerUnit: 1, order: "bgr" });
  const grid = gridOf(WIDTH, HEIGHT);
  const placed = placeInCells(graph, found, grid);
  const stride = graph.floats([grid.stride]);
  const logarithm = (size: string) => graph.node("Log", [graph.node("Div", [size, stride])]);
  const box = [placed.offsetX, placed.offsetY, logarithm(placed.width), logarithm(placed.height)];
  const tables = [
    {
      name: (at: number) => `cls_${at}`,
      values: columnsOf(graph, classScores(graph, found)),
      columns: labels.length,
    },
    { name: (at: number) => `obj_${at}`, values: columnsOf(graph, [found.score]), columns: 1 },
    { name: (at: number) => `bbox_${at}`, values: columnsOf(graph, box), columns: box.length },
  ];
  const outputs = addTables(graph, tables, placed, grid);
  return graph.model("tiny-yunet", input, outputs, ultralyticsMetadata(WIDTH, HEIGHT));
}
