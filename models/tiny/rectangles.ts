import type { GraphWriter } from "./onnx.ts";

/**
 * The part that all tiny models share: it finds rectangles of one pure colour on a dull background.
 *
 * 1. Each colour's coverage on a grid of 4 × 4 pixels: one convolution.
 * 2. Where the coverage rises to the right and that rise begins downwards, a rectangle has its top left corner: one
 *    peak a rectangle, however its edges lie in the grid.
 * 3. From a point a little inside that corner, the picture's row and column are followed to both sides until the colour
 *    is half gone; between the two pixels there, the edge is interpolated.
 *
 * It holds for rectangles of at least 20 × 20 input pixels, 8 apart from each other and 4 from the border.
 */

export const labels = ["red", "green", "blue"] as const;

/** What a colour has more of than the mean of the other two, at full coverage. */
const colours = [
  { weights: [1, -0.5, -0.5], full: 180 },
  { weights: [-0.5, 1, -0.5], full: 142.5 },
  { weights: [-0.5, -0.5, 1], full: 160 },
] as const;
/** The same for the background, at most: its channels differ by no more than this. */
const DULL_MAX = 24;
export const CELL = 4;
/** From the start of a corner's cell, where the edge is at most 4 pixels before it, to a point that is certainly inside. */
const INSIDE = 8;
/**
 * Over two cells the coverage rises by a whole, wherever an edge falls between them; next to it, where a change of the
 * background moves a partly covered cell, by a quarter at most.
 */
const CORNER_MIN = 0.6;

interface RectangleOptions {
  readonly input: string;
  readonly width: number;
  readonly height: number;
  /** Levels of 0 to 255 that one unit of the input stands for. Its zero does not matter: only differences count. */
  readonly levelsPerUnit: number;
  /** The most rectangles that are found. */
  readonly count: number;
}

/** Names of values of shape [count], in input pixels; rows without a rectangle have score 0. */
export interface Rectangles {
  readonly left: string;
  readonly top: string;
  readonly right: string;
  readonly bottom: string;
  readonly score: string;
  /** As a whole number in a float. */
  readonly classIndex: string;
  /** Of shape [1, colours, height / cell, width / cell]: each colour's share of each cell. */
  readonly coverage: string;
}

export function findRectangles(graph: GraphWriter, options: RectangleOptions): Rectangles {
  const { input, width, height, levelsPerUnit, count } = options;
  const corners = findCorners(graph, options);
  const rowsOfCells = height / CELL;
  const columnsOfCells = width / CELL;
  const classIndex = graph.node("Div", [corners.index, graph.ints([rowsOfCells * columnsOfCells])]);
  const inPlane = graph.node("Mod", [corners.index, graph.ints([rowsOfCells * columnsOfCells])]);
  const cellRow = graph.node("Div", [inPlane, graph.ints([columnsOfCells])]);
  const cellColumn = graph.node("Mod", [inPlane, graph.ints([columnsOfCells])]);
  const insideY = insidePoint(graph, cellRow, height);
  const insideX = insidePoint(graph, cellColumn, width);

  // One column of weights a class: those of each corner's class become [3, count].
  const table = [0, 1, 2].flatMap((channel) =>
    colours.map(({ weights, full }) => ((weights[channel] ?? 0) * levelsPerUnit) / full),
  );
  const weights = graph.node("Gather", [graph.floats(table, [3, 3]), classIndex], { axis: 1 });
  const row = graph.node("Gather", [input, insideY], { axis: 2 });
  const rowWeights = graph.node("Reshape", [weights, graph.ints([1, 3, count, 1])]);
  const alongRow = graph.node("ReduceSum", [graph.node("Mul", [row, rowWeights]), graph.ints([0, 1])], { keepdims: 0 });
  const column = graph.node("Gather", [input, insideX], { axis: 3 });
  const columnWeights = graph.node("Reshape", [weights, graph.ints([1, 3, 1, count])]);
  const downColumn = graph.node("Transpose", [
    graph.node("ReduceSum", [graph.node("Mul", [column, columnWeights]), graph.ints([0, 1])], { keepdims: 0 }),
  ]);

  const across = findEdges(graph, alongRow, insideX, width, count);
  const down = findEdges(graph, downColumn, insideY, height, count);
  const coverage = graph.node("Min", [across.coverage, down.coverage]);
  const isCorner = graph.node("Cast", [graph.node("Greater", [corners.strength, graph.floats([CORNER_MIN])])], {
    to: 1,
  });
  return {
    left: across.first,
    top: down.first,
    right: across.last,
    bottom: down.last,
    score: graph.node("Mul", [coverage, isCorner]),
    classIndex: graph.node("Cast", [classIndex], { to: 1 }),
    coverage: corners.coverage,
  };
}

/** The strongest corners of all colours: their strength, and their index in [colour, row of cells, column of cells]. */
function findCorners(graph: GraphWriter, options: RectangleOptions) {
  const { input, width, height, levelsPerUnit, count } = options;
  const kernel = colours.flatMap(({ weights, full }) =>
    weights.flatMap((weight) => {
      const share = (weight * levelsPerUnit) / (full - DULL_MAX) / CELL ** 2;
      return Array.from({ length: CELL ** 2 }, () => share);
    }),
  );
  const bias = colours.map(({ full }) => -DULL_MAX / (full - DULL_MAX));
  const cells = graph.node("Conv", [input, graph.floats(kernel, [3, 3, CELL, CELL]), graph.floats(bias)], {
    strides: [CELL, CELL],
    kernel_shape: [CELL, CELL],
  });
  const coverage = graph.node("Clip", [cells, graph.floats([0], []), graph.floats([1], [])]);
  const risesRight = rise(graph, coverage, [0, 0, 0, 2]);
  const corner = rise(graph, risesRight, [0, 0, 2, 0]);
  // A slope far below any real difference decides between neighbours that are exactly equal.
  const slopeDown = Array.from({ length: height / CELL }, (_, index) => index * 1.37e-5);
  const slopeRight = Array.from({ length: width / CELL }, (_, index) => index * 1e-5);
  const sloped = graph.node("Add", [
    graph.node("Add", [corner, graph.floats(slopeDown, [slopeDown.length, 1])]),
    graph.floats(slopeRight),
  ]);
  const highest = graph.node("MaxPool", [sloped], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
  const isPeak = graph.node("Cast", [graph.node("Equal", [sloped, highest])], { to: 1 });
  const peaks = graph.node("Reshape", [graph.node("Mul", [corner, isPeak]), graph.ints([-1])]);
  const [strength = "", index = ""] = graph.nodes("TopK", [peaks, graph.ints([count])], 2);
  return { strength, index, coverage };
}

/** By how much each value is above the one some steps before it; nothing where it is below. */
function rise(graph: GraphWriter, value: string, shift: readonly [number, number, number, number]): string {
  const unshift = shift.map((step) => -step);
  // Padding in front and cropping behind moves everything.
  const before = graph.node("Pad", [value, pads(graph, shift, unshift)]);
  return graph.node("Relu", [graph.node("Sub", [value, before])]);
}

function pads(graph: GraphWriter, before: readonly number[], after: readonly number[]): string {
  return graph.ints([...before, ...after]);
}

function insidePoint(graph: GraphWriter, cell: string, length: number): string {
  const point = graph.node("Add", [graph.node("Mul", [cell, graph.ints([CELL])]), graph.ints([INSIDE])]);
  return graph.node("Min", [point, graph.ints([length - 1])]);
}

/**
 * On lines [count, length] of coverage, the edges around one inside point each: where it falls below a half. A pixel of
 * nothing is put at both ends, so that there always is such a place; positions count from that first pixel until the end.
 */
function findEdges(graph: GraphWriter, lines: string, inside: string, length: number, count: number) {
  const half = graph.floats([0.5]);
  const padded = graph.node("Pad", [lines, pads(graph, [0, 1], [0, 1])]);
  const start = graph.node("Reshape", [graph.node("Add", [inside, graph.ints([1])]), graph.ints([count, 1])]);
  const positions = graph.ints(Array.from({ length: length + 2 }, (_, index) => index));
  const isOutside = graph.node("Less", [padded, half]);
  const followed = (comparison: "Greater" | "Less", last: 0 | 1) => {
    const onThisSide = graph.node(comparison, [positions, start]);
    const found = graph.node("Cast", [graph.node("And", [isOutside, onThisSide])], { to: 1 });
    return graph.node("ArgMax", [found], { axis: 1, keepdims: 1, select_last_index: last });
  };
  const at = (index: string) => graph.node("GatherElements", [padded, index], { axis: 1 });
  const one = graph.ints([1]);

  const outsideAfter = followed("Greater", 0);
  const insideBefore = graph.node("Sub", [outsideAfter, one]);
  const outsideBefore = followed("Less", 1);
  const insideAfter = graph.node("Add", [outsideBefore, one]);
  const flat = graph.ints([count]);
  // A pixel's centre is half a pixel after its index, and the first real pixel has index 1.
  const place = (index: string, part: string, sign: "Add" | "Sub", offset: number) => {
    const centre = graph.node("Add", [graph.node("Cast", [index], { to: 1 }), graph.floats([offset])]);
    return graph.node("Reshape", [graph.node(sign, [centre, part]), flat]);
  };
  const coverage = graph.node("Clip", [at(start), graph.floats([0], []), graph.floats([1], [])]);
  return {
    last: place(insideBefore, stepTo(graph, at(insideBefore), at(outsideAfter)), "Add", -0.5),
    first: place(insideAfter, stepTo(graph, at(insideAfter), at(outsideBefore)), "Sub", -0.5),
    coverage: graph.node("Reshape", [coverage, flat]),
  };
}

/** How far from the inside pixel towards the outside one the coverage is exactly a half: 0 to 1. */
function stepTo(graph: GraphWriter, insideValue: string, outsideValue: string): string {
  const fall = graph.node("Max", [graph.node("Sub", [insideValue, outsideValue]), graph.floats([1e-3])]);
  const step = graph.node("Div", [graph.node("Sub", [insideValue, graph.floats([0.5])]), fall]);
  return graph.node("Clip", [step, graph.floats([0], []), graph.floats([1], [])]);
}
