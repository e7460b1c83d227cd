import { ultralyticsMetadata } from "./metadata.ts";
import { GraphWriter } from "./onnx.ts";
import { findRectangles } from "./rectangles.ts";

const WIDTH = 640;
const HEIGHT = 384;
const ROWS = 32;

/** Output [1, 32, 6]: left, top, right, bottom, score, class; input 0 to 1, letterboxed. */
export function endToEndModel(): Buffer {
  const graph = new GraphWriter();
  const input = { name: "images", shape: [1, 3, HEIGHT, WIDTH] };
  const found = findRectangles(graph, {
    input: "images",
    width: WIDTH,
    height: HEIGHT,
    levelsPerUnit: 255,
    count: ROWS,
  });
  const columns = [found.left, found.top, found.right, found.bottom, found.score, found.classIndex];
  const shape = graph.ints([1, ROWS, 1]);
  const rows = graph.node(
    "Concat",
    columns.map((column) => graph.node("Reshape", [column, shape])),
    { axis: 2 },
  );
  graph.output(rows, "output0");
  const outputs = [{ name: "output0", shape: [1, ROWS, columns.length] }];
  return graph.model("tiny-end-to-end", input, outputs, { ...ultralyticsMetadata(WIDTH, HEIGHT), end2end: "True" });
}
