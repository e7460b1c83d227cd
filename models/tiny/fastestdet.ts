import { classScores, columnsOf, inRows, placeInCells, reversedChannels } from "./cells.ts";
import { gridOf } from "./levels.ts";
import { ultralyticsMetadata } from "./metadata.ts";
import { GraphWriter } from "./onnx.ts";
import { findRectangles } from "./rectangles.ts";

const WIDTH = 640;
const HEIGHT = 384;
/** The inverse of a tanh at 1, and of a sigmoid at 0 and 1, is infinite. */
const MARGIN = 1e-3;

/** Output [1, 8, 24, 40]: objectness, offsets, sides, one score a class; input BGR 0 to 1, stretched. */
export function fastestdetModel(): Buffer {
  const graph = new GraphWriter();
  const input = { name: "input", shape: [1, 3, HEIGHT, WIDTH] };
  const found = findRectangles(graph, {
    input: reversedChannels(graph, "input"),
    width: WIDTH,
    height: HEIGHT,
    levelsPerUnit: 255,
    count: 32,
  });
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
    ...classScores(graph, found.classIndex, found.score),
  ];
  const shape = [1, planes.length, grid.down, grid.across];
  const rows = inRows(graph, columnsOf(graph, planes), placed, grid);
  graph.output(graph.node("Reshape", [graph.node("Transpose", [rows]), graph.ints(shape)]), "output");
  return graph.model("tiny-fastestdet", input, [{ name: "output", shape }], ultralyticsMetadata(WIDTH, HEIGHT));
}
