import { FOUND, frameWith, HEIGHT, WIDTH } from "./frame.ts";
import { ultralyticsMetadata } from "./metadata.ts";
import { centredBoxes, classMembership } from "./predictions.ts";

/** Three rows a cell of the strides 8, 16 and 32, as the layout demands. */
const ROWS = 3 * [8, 16, 32].reduce((sum, stride) => sum + (WIDTH / stride) * (HEIGHT / stride), 0);
/** What boxes without a rectangle hold: any number of pixels that is none between 0 and 1. */
const NO_BOX = 8;

/** Output [1, 15120, 8]: centre x, centre y, width, height, objectness, classes; input 0 to 1, letterboxed. */
export function yolo5Model(): Buffer {
  const { graph, input, found } = frameWith({ name: "images", levelsPerUnit: 255 });
  const shape = graph.ints([1, FOUND, 1]);
  const padded = (values: readonly string[], filler: number) => {
    const columns = values.map((value) => graph.node("Reshape", [value, shape]));
    const rows = graph.node("Concat", columns, { axis: 2 });
    return graph.node("Pad", [rows, graph.ints([0, 0, 0, 0, ROWS - FOUND, 0]), graph.floats([filler], [])]);
  };
  const boxes = centredBoxes(graph, found);
  const scores = [found.score, ...classMembership(graph, found)];
  graph.output(graph.node("Concat", [padded(boxes, NO_BOX), padded(scores, 0)], { axis: 2 }), "output0");
  const outputs = [{ name: "output0", shape: [1, ROWS, boxes.length + scores.length] }];
  return graph.model("tiny-yolo5", input, outputs, ultralyticsMetadata(WIDTH, HEIGHT));
}
