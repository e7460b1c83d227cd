import { FOUND, frameWith, HEIGHT, WIDTH } from "./frame.ts";
import { ultralyticsMetadata } from "./metadata.ts";
import { centredBoxes, classMembership, rowsInGrid } from "./predictions.ts";

const ANCHORS = 3;
const STRIDE = 16;
/** The third of that stride: four times its sides are more than any rectangle of a scene. */
const ANCHOR_WIDTH = 59;
const ANCHOR_HEIGHT = 119;
const cells = (stride: number) => (WIDTH / stride) * (HEIGHT / stride);
const ROWS = ANCHORS * (cells(8) + cells(16) + cells(32));

/**
 * Output [1, 15120, 8]: sigmoids of a box in its own cell and by its own anchor, objectness, classes; input 0 to 1,
 * letterboxed.
 */
export function yolo5RawModel(): Buffer {
  const { graph, input, found } = frameWith({ name: "images", levelsPerUnit: 255 });
  const half = graph.floats([0.5]);
  const [x, y, width, height] = centredBoxes(graph, found);
  /** The inverse of (2 s - 0.5 + cell) × stride. */
  const inCell = (centre: string) => {
    const inCells = graph.node("Div", [centre, graph.floats([STRIDE])]);
    const cell = graph.node("Floor", [inCells]);
    const offset = graph.node("Add", [graph.node("Sub", [inCells, cell]), half]);
    return { cell, sigmoid: graph.node("Mul", [offset, half]) };
  };
  /** The inverse of (2 s)² × anchor. */
  const byAnchor = (size: string, anchor: number) =>
    graph.node("Mul", [graph.node("Sqrt", [graph.node("Div", [size, graph.floats([anchor])])]), half]);
  const across = inCell(x);
  const down = inCell(y);
  const boxes = [across.sigmoid, down.sigmoid, byAnchor(width, ANCHOR_WIDTH), byAnchor(height, ANCHOR_HEIGHT)];
  const columns = [...boxes, found.score, ...classMembership(graph, found)];
  const rows = rowsInGrid(graph, {
    columns,
    filler: columns.map((_, index) => (index < boxes.length ? 0.5 : 0)),
    found,
    count: FOUND,
    cellX: across.cell,
    cellY: down.cell,
    cellsAcross: WIDTH / STRIDE,
    rowsBefore: ANCHORS * cells(8) + (ANCHORS - 1) * cells(STRIDE),
    rows: ROWS,
  });
  graph.output(rows, "output0");
  const outputs = [{ name: "output0", shape: [1, ROWS, columns.length] }];
  return graph.model("tiny-yolo5-raw", input, outputs, ultralyticsMetadata(WIDTH, HEIGHT));
}
