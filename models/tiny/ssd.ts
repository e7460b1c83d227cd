import { ultralyticsMetadata } from "./metadata.ts";
import { GraphWriter } from "./onnx.ts";
import { classScores } from "./predictions.ts";
import { findRectangles, labels } from "./rectangles.ts";

const WIDTH = 640;
const HEIGHT = 360;
const ROWS = 32;

/** Outputs scores [1, 32, 4], the background first, and boxes [1, 32, 4] between 0 and 1; input (level - 127) / 128, stretched. */
export function ssdModel(): Buffer {
  const graph = new GraphWriter();
  const input = { name: "input", shape: [1, 3, HEIGHT, WIDTH] };
  const found = findRectangles(graph, {
    input: "input",
    width: WIDTH,
    height: HEIGHT,
    levelsPerUnit: 128,
    count: ROWS,
  });
  const shape = graph.ints([1, ROWS, 1]);
  const columns = (values: readonly string[]) =>
    graph.node(
      "Concat",
      values.map((value) => graph.node("Reshape", [value, shape])),
      { axis: 2 },
    );
  const background = graph.node("Sub", [graph.floats([1]), found.score]);
  const scores = classScores(graph, found);
  const boxes = columns([found.left, found.top, found.right, found.bottom]);
  graph.output(columns([background, ...scores]), "scores");
  graph.output(graph.node("Div", [boxes, graph.floats([WIDTH, HEIGHT, WIDTH, HEIGHT])]), "boxes");
  const outputs = [
    { name: "scores", shape: [1, ROWS, labels.length + 1] },
    { name: "boxes", shape: [1, ROWS, 4] },
  ];
  return graph.model("tiny-ssd", input, outputs, ultralyticsMetadata(WIDTH, HEIGHT));
}
