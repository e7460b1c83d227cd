import { ultralyticsMetadata } from "./metadata.ts";
import { elementTypes, GraphWriter, type TensorType } from "./onnx.ts";
import { findRectangles } from "./rectangles.ts";

const WIDTH = 640;
const HEIGHT = 360;
const ROWS = 32;
/** Rows beyond num_detections keep a score, so that a reader who does not look at the number is found out. */
const STALE_SCORE = 0.9;

/**
 * TensorFlow's form: bytes [1, 360, 640, 3] in, stretched; out detection_boxes [1, 32, 4] as top, left, bottom, right
 * between 0 and 1, detection_scores and detection_classes [1, 32], classes from 1, and num_detections [1].
 */
export function tfSsdModel(): Buffer {
  const graph = new GraphWriter();
  const input: TensorType = { name: "image_tensor:0", type: "uint8", shape: [1, HEIGHT, WIDTH, 3] };
  const levels = graph.node("Cast", [input.name], { to: elementTypes.float32 });
  const found = findRectangles(graph, {
    input: graph.node("Transpose", [levels], { perm: [0, 3, 1, 2] }),
    width: WIDTH,
    height: HEIGHT,
    levelsPerUnit: 1,
    count: ROWS,
  });
  const row = graph.ints([1, ROWS]);
  const column = graph.ints([1, ROWS, 1]);
  const isFound = graph.node("Greater", [found.score, graph.floats([0])]);
  const edges = [found.top, found.left, found.bottom, found.right];
  const boxes = graph.node(
    "Concat",
    edges.map((edge) => graph.node("Reshape", [edge, column])),
    { axis: 2 },
  );
  const scores = graph.node("Where", [isFound, found.score, graph.floats([STALE_SCORE])]);
  const classes = graph.node("Add", [found.classIndex, graph.floats([1])]);
  const ones = graph.node("Cast", [isFound], { to: elementTypes.float32 });
  graph.output(graph.node("Div", [boxes, graph.floats([HEIGHT, WIDTH, HEIGHT, WIDTH])]), "detection_boxes:0");
  graph.output(graph.node("Reshape", [scores, row]), "detection_scores:0");
  graph.output(graph.node("Reshape", [classes, row]), "detection_classes:0");
  graph.output(graph.node("ReduceSum", [ones, graph.ints([0])], { keepdims: 1 }), "num_detections:0");
  const outputs = [
    { name: "num_detections:0", shape: [1] },
    { name: "detection_boxes:0", shape: [1, ROWS, 4] },
    { name: "detection_scores:0", shape: [1, ROWS] },
    { name: "detection_classes:0", shape: [1, ROWS] },
  ];
  return graph.model("tiny-tf-ssd", input, outputs, ultralyticsMetadata(WIDTH, HEIGHT));
}
