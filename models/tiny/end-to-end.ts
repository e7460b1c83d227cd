import { FOUND, frameWith, HEIGHT, WIDTH } from "./frame.ts";
import { ultralyticsMetadata } from "./metadata.ts";

/** Output [1, 32, 6]: left, top, right, bottom, score, class; input 0 to 1, letterboxed. */
export function endToEndModel(): Buffer {
  const { graph, input, found } = frameWith({ name: "images", levelsPerUnit: 255 });
  const columns = [found.left, found.top, found.right, found.bottom, found.score, found.classIndex];
  const shape = graph.ints([1, FOUND, 1]);
  const rows = graph.node(
    "Concat",
    columns.map((column) => graph.node("Reshape", [column, shape])),
    { axis: 2 },
  );
  graph.output(rows, "output0");
  const outputs = [{ name: "output0", shape: [1, FOUND, columns.length] }];
  return graph.model("tiny-end-to-end", input, outputs, { ...ultralyticsMetadata(WIDTH, HEIGHT), end2end: "True" });
}
