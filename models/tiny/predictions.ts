import type { GraphWriter } from "./onnx.ts";
import { labels, type Rectangles } from "./rectangles.ts";

/** Rectangles in the forms that several families give their predictions in. */

/** Centre x, centre y, width and height, each of shape [count], in input pixels. */
export function centredBoxes(graph: GraphWriter, found: Rectangles): readonly [string, string, string, string] {
  const half = graph.floats([0.5]);
  const middle = (a: string, b: string) => graph.node("Mul", [graph.node("Add", [a, b]), half]);
  return [
    middle(found.left, found.right),
    middle(found.top, found.bottom),
    graph.node("Sub", [found.right, found.left]),
    graph.node("Sub", [found.bottom, found.top]),
  ];
}

/** For each class a value of shape [count]: 1 where the rectangle is of it, else 0. */
export function classMembership(graph: GraphWriter, found: Rectangles): readonly string[] {
  return labels.map((_, index) => isOfClass(graph, found, index));
}

/** For each class a score, of shape [count], where the rectangle is of it, else 0. */
export function classScores(graph: GraphWriter, found: Rectangles, score = found.score): readonly string[] {
  return labels.map((_, index) => graph.node("Mul", [score, isOfClass(graph, found, index)]));
}

function isOfClass(graph: GraphWriter, found: Rectangles, index: number): string {
  return graph.node("Cast", [graph.node("Equal", [found.classIndex, graph.floats([index])])], { to: 1 });
}

interface GridOptions {
  /** Values of shape [count]: what a row holds, the objectness and the classes at its end. */
  readonly columns: readonly string[];
  /** What the rows without a rectangle hold. */
  readonly filler: readonly number[];
  readonly found: Rectangles;
  readonly count: number;
  /** The cell of each rectangle's centre, across and down, as whole numbers in floats. */
  readonly cellX: string;
  readonly cellY: string;
  readonly cellsAcross: number;
  /** Rows before the grid that the rectangles go into. */
  readonly rowsBefore: number;
  readonly rows: number;
}

/**
 * A value of shape [1, rows, columns] with each rectangle in the row of its cell. Two never share one: a cell of 16
 * pixels is smaller than the distance of the nearest centres.
 */
export function rowsInGrid(graph: GraphWriter, options: GridOptions): string {
  const { columns, filler, found, count, cellX, cellY, cellsAcross, rowsBefore, rows } = options;
  const shape = graph.ints([count, 1]);
  const column = (value: string) => graph.node("Reshape", [value, shape]);
  const isFound = column(graph.node("Greater", [found.score, graph.floats([0])]));
  const empty = graph.floats(filler, [1, filler.length]);
  const found2d = graph.node("Concat", columns.map(column), { axis: 1 });
  const updates = graph.node("Where", [isFound, found2d, empty]);
  const inGrid = graph.node("Add", [graph.node("Mul", [cellY, graph.floats([cellsAcross])]), cellX]);
  const row = graph.node("Cast", [graph.node("Add", [inGrid, graph.floats([rowsBefore])])], { to: 7 });
  // What is no rectangle goes into the first rows, which are another grid's.
  const spare = graph.ints(
    Array.from({ length: count }, (_, index) => index),
    [count, 1],
  );
  const place = graph.node("Where", [isFound, column(row), spare]);
  const blank = graph.node("Expand", [empty, graph.ints([rows, filler.length])]);
  const scattered = graph.node("ScatterND", [blank, place, updates]);
  return graph.node("Reshape", [scattered, graph.ints([1, rows, filler.length])]);
}
