import { ultralyticsMetadata } from "./metadata.ts";
import { elementTypes, GraphWriter, type TensorType } from "./onnx.ts";
import { findRectangles } from "./rectangles.ts";

const WIDTH = 640;
const HEIGHT = 360;
const ROWS = 32;

/**
 * A DETR with its last step inside: images [1, 3, 360, 640] from 0 to 1, stretched, and orig_target_sizes [1, 2], width
 * and height; out labels [1, 32], boxes [1, 32, 4] in pixels of those sizes, and scores [1, 32].
 */
export function detrModel(): Buffer {
  const graph = new GraphWriter();
  const inputs: readonly TensorType[] = [
    { name: "images", shape: ["batch", 3, HEIGHT, WIDTH] },
    { name: "orig_target_sizes", type: "int64", shape: ["batch", 2] },
  ];
  const found = findRectangles(graph, {
    input: "images",
    width: WIDTH,
    height: HEIGHT,
    levelsPerUnit: 255,
    count: ROWS,
  });
  const row = graph.ints([1, ROWS]);
  const column = graph.ints([1, ROWS, 1]);
  const edges = [found.left, found.top, found.right, found.bottom];
  const boxes = graph.node(
    "Concat",
    edges.map((edge) => graph.node("Reshape", [edge, column])),
    { axis: 2 },
  );
  const shares = graph.node("Div", [boxes, graph.floats([WIDTH, HEIGHT, WIDTH, HEIGHT])]);
  const sizes = graph.node("Cast", ["orig_target_sizes"], { to: elementTypes.float32 });
  const sides = graph.node("Reshape", [graph.node("Concat", [sizes, sizes], { axis: 1 }), graph.ints([1, 1, 4])]);
  const labels = graph.node("Cast", [found.classIndex], { to: elementTypes.int64 });
  graph.output(graph.node("Reshape", [labels, row]), "labels");
  graph.output(graph.node("Mul", [shares, sides]), "boxes");
  graph.output(graph.node("Reshape", [found.score, row]), "scores");
  const outputs: readonly TensorType[] = [
    { name: "labels", type: "int64", shape: ["batch", ROWS] },
    { name: "boxes", shape: ["batch", ROWS, 4] },
    { name: "scores", shape: ["batch", ROWS] },
  ];
  return graph.model("tiny-detr", inputs, outputs, ultralyticsMetadata(WIDTH, HEIGHT));
}
