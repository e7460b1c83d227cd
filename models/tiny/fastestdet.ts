import { columnsOf, inRows, placeInCells } from "./cells.ts";
import { HEIGHT, frameWith, WIDTH } from "./frame.ts";
import { gridOf } from "./levels.ts";
import { ultralyticsMetadata } from "./metadata.ts";
import { classScores } from "./predictions.ts";

/** The inverse of a tanh at 1, and of a sigmoid at 0 and 1, is infinite. */
const MARGIN = 1e-3;

/** Output [1, 8, 24, 40]: objectness, offsets, sides, one score a class; input BGR 0 to 1, stretched. */
export function fastestdetModel(): Buffer {
  const { graph, input, found } = frameWith({ name: "input", levelsPerUnit: 255, order: "bgr" });
  const grid = gridOf(WIDTH, HEIGHT);
  const placed = placeInCells(graph, found, grid);
  const scalar = (value: number) => graph.floats([value], []);
  const clipped = (value: string) => graph.node("Clip", [value, scalar(MARGIN), scalar(1 - MARGIN)]);
  const logit = (size: string, side: number) => {
    const part = clipped(graph.node("Div", [size, graph.floats([side])]));
    return graph.node("Log", [graph.node("Div", [part, graph.node("Sub", [graph.floats([1]), part])])]);
  };
  const planes = [
    found.score,
    graph.node("Atanh", [clipped(placed.offsetX)]),
    graph.node("Atanh", [clipped(placed.offsetY)]),
    logit(placed.width, WIDTH),
    logit(placed.height, HEIGHT),
    ...classScores(graph, found),
  ];
  const shape = [1, planes.length, grid.down, grid.across];
  const rows = inRows(graph, columnsOf(graph, planes), placed, grid);
  graph.output(graph.node("Reshape", [graph.node("Transpose", [rows]), graph.ints(shape)]), "output");
  return graph.model("tiny-fastestdet", input, [{ name: "output", shape }], ultralyticsMetadata(WIDTH, HEIGHT));
}
