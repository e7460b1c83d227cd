import { GraphWriter, type TensorType } from "./onnx.ts";
import { findRectangles, type Rectangles } from "./rectangles.ts";

/** What most tiny models begin with: a float picture of this size, channels first, and the rectangles in it. */

export const WIDTH = 640;
export const HEIGHT = 384;
/** Rows for rectangles; those without one have score 0. */
export const FOUND = 32;

interface FrameOptions {
  /** Name of the input. */
  readonly name: string;
  /** Levels of 0 to 255 that one unit of the input stands for. */
  readonly levelsPerUnit: number;
  readonly order?: "rgb" | "bgr";
}

interface Frame {
  readonly graph: GraphWriter;
  readonly input: TensorType;
  readonly found: Rectangles;
}

export function frameWith({ name, levelsPerUnit, order = "rgb" }: FrameOptions): Frame {
  const graph = new GraphWriter();
  const input = order === "rgb" ? name : reversedChannels(graph, name);
  const found = findRectangles(graph, { input, width: WIDTH, height: HEIGHT, levelsPerUnit, count: FOUND });
  return { graph, input: { name, shape: [1, 3, HEIGHT, WIDTH] }, found };
}

/** The three channels the other way round. */
export function reversedChannels(graph: GraphWriter, input: string): string {
  return graph.node("Gather", [input, graph.ints([2, 1, 0])], { axis: 1 });
}
