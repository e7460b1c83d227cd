import { columnsOf, inRows, placeInCells } from "./cells.ts";
import { HEIGHT, frameWith, WIDTH } from "./frame.ts";
import { gridOf } from "./levels.ts";
import { ultralyticsMetadata } from "./metadata.ts";
import { classScores } from "./predictions.ts";

const COARSE_CELLS = (WIDTH / 32) * (HEIGHT / 32);
/** The largest of stride 16, and the third of its cell. A side reaches four times its anchor's: rectangles up to 222 pixels wide. */
const ANCHOR_WIDTH = 55.71;
const ANCHOR_HEIGHT = 138.31;

/** Output [1200, 18]: the boxes of three anchors, their objectness, one score a class; input BGR 0 to 1, stretched. */
export function yoloFastestV2Model(): Buffer {
  const { graph, input, found } = frameWith({ name: "input", levelsPerUnit: 255, order: "bgr" });
  const grid = gridOf(WIDTH, HEIGHT);
  const placed = placeInCells(graph, found, grid);
  const half = graph.floats([0.5]);
  const offset = (value: string) => graph.node("Mul", [graph.node("Add", [value, half]), half]);
  const root = (size: string, anchor: number) =>
    graph.node("Mul", [graph.node("Sqrt", [graph.node("Div", [size, graph.floats([anchor])])]), half]);
  const nothing = graph.node("Sub", [found.score, found.score]);
  const unusedBoxes = Array.from({ length: 8 }, () => nothing);
  const values = columnsOf(graph, [
    ...unusedBoxes,
    offset(placed.offsetX),
    offset(placed.offsetY),
    root(placed.width, ANCHOR_WIDTH),
    root(placed.height, ANCHOR_HEIGHT),
    nothing,
    nothing,
    found.score,
    // The objectness carries the score.
    ...classScores(graph, found, graph.floats([1])),
  ]);
  const fine = inRows(graph, values, placed, grid);
  graph.output(graph.node("Pad", [fine, graph.ints([0, 0, COARSE_CELLS, 0])]), "output");
  const outputs = [{ name: "output", shape: [grid.across * grid.down + COARSE_CELLS, 18] }];
  return graph.model("tiny-yolo-fastestv2", input, outputs, ultralyticsMetadata(WIDTH, HEIGHT));
}
