import { FOUND, frameWith, HEIGHT, WIDTH } from "./frame.ts";
import { ultralyticsMetadata } from "./metadata.ts";
import { centredBoxes, classMembership, rowsInGrid } from "./predictions.ts";

const STRIDE = 16;
const cells = (stride: number) => (WIDTH / stride) * (HEIGHT / stride);
const ROWS = cells(8) + cells(16) + cells(32);

/**
 * Output [1, 5040, 8]: centre in cells from the own one, logarithm of the size in cells, objectness, classes; input 0 to
 * 255 in the order blue, green, red, at the top left.
 */
export function yoloxModel(): Buffer {
  const { graph, input, found } = frameWith({ name: "images", levelsPerUnit: 1, order: "bgr" });
  const [x, y, width, height] = centredBoxes(graph, found);
  const stride = graph.floats([STRIDE]);
  const inCell = (centre: string) => {
    const inCells = graph.node("Div", [centre, stride]);
    const cell = graph.node("Floor", [inCells]);
    return { cell, offset: graph.node("Sub", [inCells, cell]) };
  };
  const logarithm = (size: string) => graph.node("Log", [graph.node("Div", [size, stride])]);
  const across = inCell(x);
  const down = inCell(y);
  const columns = [
    across.offset,
    down.offset,
    logarithm(width),
    logarithm(height),
    found.score,
    ...classMembership(graph, found),
  ];
  const rows = rowsInGrid(graph, {
    columns,
    filler: columns.map((_, index) => (index < 2 ? 0.5 : 0)),
    found,
    count: FOUND,
    cellX: across.cell,
    cellY: down.cell,
    cellsAcross: WIDTH / STRIDE,
    rowsBefore: cells(8),
    rows: ROWS,
  });
  graph.output(rows, "output0");
  const outputs = [{ name: "output0", shape: [1, ROWS, columns.length] }];
  return graph.model("tiny-yolox", input, outputs, ultralyticsMetadata(WIDTH, HEIGHT));
}
