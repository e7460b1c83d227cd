import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { DecodeContext, Outputs } from "../../src/vision/process/families/family.ts";
import { yolo8Seg } from "../../src/vision/process/families/yolo8-seg.ts";
import { yolo8 } from "../../src/vision/process/families/yolo8.ts";

const context: DecodeContext = { classes: 2, inputWidth: 64, inputHeight: 32, scoreMin: 0.05, reading: {} };

/** Four rows of boxes whose highest number is given, then scores, then mask weights that are larger than any box. */
function outputs(farthest: number, weights: number): Outputs {
  const cells = 3;
  const rows = 4 + context.classes + weights;
  const endOfBoxes = 4 * cells;
  const endOfScores = endOfBoxes + context.classes * cells;
  const valueAt = (at: number) => (at < endOfBoxes ? farthest / 2 : at < endOfScores ? 0.01 : 500);
  const data = Float32Array.from({ length: rows * cells }, (_, at) => valueAt(at));
  data[endOfBoxes - 1] = farthest;
  const boxes = { data, dims: [1, rows, cells] };
  if (weights === 0) return new Map([["output0", boxes]]);
  return new Map([
    ["output0", boxes],
    ["output1", { data: new Float32Array(weights * 8 * 16), dims: [1, weights, 8, 16] }],
  ]);
}

describe("boxes of YOLOv8", () => {
  for (const [family, weights] of [
    [yolo8, 0],
    [yolo8Seg, 32],
  ] as const) {
    it(`are doubted in ${family.name} where none reaches beyond the first pixels`, () => {
      assert.match(family.doubt?.(outputs(1, weights), context, "sure") ?? "", /between 0 and 1/);
      assert.equal(family.doubt?.(outputs(40, weights), context, "sure"), undefined);
      assert.equal(family.doubt?.(outputs(0, weights), context, "sure"), undefined);
    });
  }
});
