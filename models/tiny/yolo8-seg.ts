import { FOUND, frameWith, HEIGHT, WIDTH } from "./frame.ts";
import { ultralyticsMetadata } from "./metadata.ts";
import { centredBoxes, classMembership } from "./predictions.ts";
import { CELL } from "./rectangles.ts";

const CELLS = [8, 16, 32].reduce((sum, stride) => sum + (WIDTH / stride) * (HEIGHT / stride), 0);
const MASKS = 32;
/** The coverage, with the background's share taken off, of a cell that an edge cuts in half: 0.4 to 0.42 by colour. */
const HALF_COVERED = 0.41;

/**
 * Outputs [1, 39, 5040], as tiny-yolo8 and a weight for each mask, and [1, 32, 96, 160], one mask a colour and no others;
 * input 0 to 1, letterboxed.
 */
export function yolo8SegModel(): Buffer {
  const { graph, input, found } = frameWith({ name: "images", levelsPerUnit: 255 });
  const boxes = centredBoxes(graph, found);
  const weights = classMembership(graph, found);
  const scores = weights.map((isClass) => graph.node("Mul", [found.score, isClass]));
  const shape = graph.ints([1, 1, FOUND]);
  const rows = [...boxes, ...scores, ...weights].map((row) => graph.node("Reshape", [row, shape]));
  const filled = graph.node("Concat", rows, { axis: 1 });
  const unused = MASKS - weights.length;
  graph.output(graph.node("Pad", [filled, graph.ints([0, 0, 0, 0, unused, CELLS - FOUND])]), "output0");
  const inside = graph.node("Sub", [found.coverage, graph.floats([HALF_COVERED])]);
  graph.output(graph.node("Pad", [inside, graph.ints([0, 0, 0, 0, 0, unused, 0, 0])]), "output1");
  const outputs = [
    { name: "output0", shape: [1, rows.length + unused, CELLS] },
    { name: "output1", shape: [1, MASKS, HEIGHT / CELL, WIDTH / CELL] },
  ];
  return graph.model("tiny-yolo8-seg", input, outputs, ultralyticsMetadata(WIDTH, HEIGHT, "segment"));
}
