import { ultralyticsMetadata } from "../../models/tiny/metadata.ts";
import { GraphWriter } from "../../models/tiny/onnx.ts";

/** A detector of the family `yolo8` that answers the same on every picture: what a broken file does. */

const SIDE = 64;
const CELLS = [8, 16, 32].reduce((sum, stride) => sum + (SIDE / stride) ** 2, 0);
const CLASSES = 3;

export interface ConstantAnswer {
  /** Of every box and class. */
  readonly score: number;
  /** Nodes that stand in the graph for their operators alone; they pass zeros. */
  readonly quantised?: "static" | "dynamic" | "weights";
}

export function constantModel({ score, quantised }: ConstantAnswer): Buffer {
  const graph = new GraphWriter();
  const input = { name: "images", shape: [1, 3, SIDE, SIDE] };
  const rows = [SIDE / 2, SIDE / 2, SIDE / 4, SIDE / 4, ...Array.from({ length: CLASSES }, () => score)];
  const shape = [1, rows.length, CELLS];
  const answer = graph.floats(
    rows.flatMap((value) => Array.from({ length: CELLS }, () => value)),
    shape,
  );
  // The picture has to go in, and must not count.
  const nothing = graph.node("Clip", [
    graph.node("ReduceMean", ["images"], { keepdims: 0 }),
    graph.floats([0], []),
    graph.floats([0], []),
  ]);
  graph.output(graph.node("Add", [answer, quantise(graph, nothing, quantised)]), "output0");
  const outputs = [{ name: "output0", shape }];
  return graph.model("constant", input, outputs, ultralyticsMetadata(SIDE, SIDE));
}

function quantise(graph: GraphWriter, value: string, how: ConstantAnswer["quantised"]): string {
  if (how === undefined) return value;
  const scale = graph.floats([1], []);
  if (how === "dynamic") {
    const [bytes = "", itsScale = "", zero = ""] = graph.nodes("DynamicQuantizeLinear", [value], 3);
    return graph.node("DequantizeLinear", [bytes, itsScale, zero]);
  }
  if (how === "static") return graph.node("DequantizeLinear", [graph.node("QuantizeLinear", [value, scale]), scale]);
  const bytes = graph.node("Cast", [value], { to: 3 });
  return graph.node("DequantizeLinear", [bytes, scale]);
}
