import { FOUND, frameWith, HEIGHT, WIDTH } from "./frame.ts";
import { ultralyticsMetadata } from "./metadata.ts";
import { centredBoxes, classScores } from "./predictions.ts";

/** One column a cell of the strides 8, 16 and 32, as the layout demands. */
const CELLS = [8, 16, 32].reduce((sum, stride) => sum + (WIDTH / stride) * (HEIGHT / stride), 0);

/** Output [1, 7, 5040]: centre x, centre y, width, height, a score for each class; input 0 to 1, letterboxed. */
export function yolo8Model(): Buffer {
  const { graph, input, found } = frameWith({ name: "images", levelsPerUnit: 255 });
  const boxes = centredBoxes(graph, found);
  const scores = classScores(graph, found);
  const shape = graph.ints([1, 1, FOUND]);
  const filled = graph.node(
    "Concat",
    [...boxes, ...scores].map((row) => graph.node("Reshape", [row, shape])),
    { axis: 1 },
  );
  graph.output(graph.node("Pad", [filled, graph.ints([0, 0, 0, 0, 0, CELLS - FOUND])]), "output0");
  const outputs = [{ name: "output0", shape: [1, boxes.length + scores.length, CELLS] }];
  return graph.model("tiny-yolo8", input, outputs, { ...ultralyticsMetadata(WIDTH, HEIGHT), end2end: "False" });
}
