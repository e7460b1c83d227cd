import { columnsOf, placeInCells } from "./cells.ts";
import { FOUND, HEIGHT, reversedChannels, WIDTH } from "./frame.ts";
import { addTables, gridOf } from "./levels.ts";
import { ultralyticsMetadata } from "./metadata.ts";
import { GraphWriter } from "./onnx.ts";
import { classScores } from "./predictions.ts";
import { findRectangles, labels } from "./rectangles.ts";

const BINS = 8;
const SIDES = 4;
const mean = [103.53, 116.28, 123.675];
const std = [57.375, 57.12, 58.395];
/** Of bins that a distance does not lie between; small enough to move no edge by a hundredth of a pixel. */
const WEIGHT_MIN = 1e-6;

/**
 * Outputs scores [1, n, 3] and distributions [1, n, 32] of the strides 8, 16 and 32; input BGR, normalised by channel, letterboxed.
 * Eight bins of 16 pixels reach 112 pixels from a cell's centre: rectangles of at most 208 pixels.
 */
export function nanodetModel(): Buffer {
  const graph = new GraphWriter();
  const input = { name: "input", shape: [1, 3, HEIGHT, WIDTH] };
  const spread = graph.node("Mul", ["input", graph.floats(std, [1, 3, 1, 1])]);
  const levels = graph.node("Add", [spread, graph.floats(mean, [1, 3, 1, 1])]);
  const found = findRectangles(graph, {
    input: reversedChannels(graph, levels),
    width: WIDTH,
    height: HEIGHT,
    levelsPerUnit: 1,
    count: FOUND,
  });
  const grid = gridOf(WIDTH, HEIGHT);
  const placed = placeInCells(graph, found, grid);
  const half = graph.floats([grid.stride / 2]);
  const x = graph.node("Add", [placed.cornerX, half]);
  const y = graph.node("Add", [placed.cornerY, half]);
  const sides = [
    graph.node("Sub", [x, found.left]),
    graph.node("Sub", [y, found.top]),
    graph.node("Sub", [found.right, x]),
    graph.node("Sub", [found.bottom, y]),
  ];
  const scores = columnsOf(graph, classScores(graph, found));
  const tables = [
    { name: (stride: number) => `cls_${stride}`, values: scores, columns: labels.length },
    {
      name: (stride: number) => `dis_${stride}`,
      values: distributions(graph, columnsOf(graph, sides), grid.stride),
      columns: SIDES * BINS,
    },
  ];
  const outputs = addTables(graph, tables, placed, grid);
  return graph.model("tiny-nanodet", input, outputs, ultralyticsMetadata(WIDTH, HEIGHT));
}

/** Of distances [count, 4] in pixels: the logarithms of weights of the two bins on either side, whose mean is the distance. */
function distributions(graph: GraphWriter, sides: string, stride: number): string {
  const inBins = graph.node("Div", [graph.node("Reshape", [sides, graph.ints([-1, 1])]), graph.floats([stride])]);
  const bins = graph.floats(Array.from({ length: BINS }, (_, index) => index));
  const away = graph.node("Abs", [graph.node("Sub", [inBins, bins])]);
  const weights = graph.node("Max", [graph.node("Sub", [graph.floats([1]), away]), graph.floats([WEIGHT_MIN])]);
  return graph.node("Reshape", [graph.node("Log", [weights]), graph.ints([-1, SIDES * BINS])]);
}
