import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { polygonArea } from "../../src/core/detections.ts";
import { visionLimits } from "../../src/core/vision-limits.ts";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { Point } from "../../src/core/types.ts";
import { largestOutline, simplified } from "../../src/vision/process/contour.ts";
import type { DecodeContext, Outputs } from "../../src/vision/process/families/family.ts";
import { yolo8Seg } from "../../src/vision/process/families/yolo8-seg.ts";
import { polygonInPicture, placePicture } from "../../src/vision/process/letterbox.ts";
import { Candidates } from "../../src/vision/process/nms.ts";
import { seededRandom } from "../lib/seams.ts";

/** Rows of `#` for 1 and anything else for -1. */
function grid(...rows: readonly string[]): readonly [Float32Array, number, number] {
  const values = Float32Array.from(rows.join(""), (sign) => (sign === "#" ? 1 : -1));
  return [values, rows[0]?.length ?? 0, rows.length];
}

const bounds = (points: readonly Point[]) => {
  const [across, down] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  return [Math.min(...across), Math.min(...down), Math.max(...across), Math.max(...down)];
};

describe("outlines of a mask", () => {
  it("run halfway between what is inside and what is not, clockwise", () => {
    const outline = largestOutline(...grid("....", ".#..", "...."));
    assert.deepEqual(outline, [
      { x: 1, y: 0.5 },
      { x: 1.5, y: 1 },
      { x: 1, y: 1.5 },
      { x: 0.5, y: 1 },
    ]);
    assert.equal(polygonArea(outline), 0.5);
  });

  it("are interpolated where the values say that the edge lies nearer to one side", () => {
    const values = Float32Array.from([-3, -3, -3, -3, 1, -3, -3, -3, -3]);
    assert.deepEqual(bounds(largestOutline(values, 3, 3)), [0.75, 0.75, 1.25, 1.25]);
  });

  it("reach the border of the grid, and no further than half a sample", () => {
    assert.deepEqual(bounds(largestOutline(...grid("##", "##"))), [-0.5, -0.5, 1.5, 1.5]);
  });

  it("take the largest of several regions, and neither a hole's edge nor a region that touches at a corner", () => {
    const outline = largestOutline(
      ...grid(
        "#.........", //
        ".#####..##",
        ".#...#..##",
        ".#.#.#....",
        ".#...#....",
        ".#####....",
      ),
    );
    assert.deepEqual(bounds(outline), [0.5, 0.5, 5.5, 5.5]);
    assert.ok(polygonArea(outline) > 24);
  });

  it("are empty where nothing is inside", () => {
    assert.deepEqual(largestOutline(...grid("...", "...")), []);
  });

  it("end in noise", () => {
    const random = seededRandom(5);
    const values = Float32Array.from({ length: 160 * 160 }, () => random() - 0.4);
    const outline = largestOutline(values, 160, 160);
    assert.ok(outline.length > 1_000);
    assert.ok(simplified(outline, 0.25, 64).length <= 64);
  });
});

describe("simplified outlines", () => {
  it("keep the corners and leave out what lies on a line between them", () => {
    const side = (n: number) => Array.from({ length: 10 }, (_, index) => index + 10 * n);
    const square = [
      ...side(0).map((x) => ({ x, y: 0 })),
      ...side(0).map((y) => ({ x: 10, y })),
      ...side(0).map((x) => ({ x: 10 - x, y: 10 })),
      ...side(0).map((y) => ({ x: 0, y: 10 - y })),
    ];
    const rotated = [...square.slice(5), ...square.slice(0, 5)];
    const corners = simplified(rotated, 0.5, 64).map(({ x, y }) => `${x},${y}`);
    assert.deepEqual(corners.toSorted(), ["0,0", "0,10", "10,0", "10,10"]);
  });

  it("stay within the tolerance, and within the number of points by widening it", () => {
    const circle = Array.from({ length: 400 }, (_, index) => {
      const angle = (index / 400) * 2 * Math.PI;
      return { x: 100 * Math.cos(angle), y: 100 * Math.sin(angle) };
    });
    const fine = simplified(circle, 0.5, 64);
    assert.ok(fine.length > 16 && fine.length < 64);
    assert.ok(polygonArea(fine) > 0.99 * Math.PI * 100 ** 2);
    const coarse = simplified(circle, 0.01, 12);
    assert.ok(coarse.length >= 6 && coarse.length <= 12, `${coarse.length}`);
  });

  it("take the fewest points there are", () => {
    assert.deepEqual(simplified([], 1, 64), []);
    assert.equal(simplified([{ x: 1, y: 1 }], 1, 64).length, 1);
  });
});

describe("yolo8-seg", () => {
  /** An input of 64 × 64 with masks of 16 × 16; two masks: the left half, and everything. */
  const CELLS = 64 + 16 + 4;
  const context: DecodeContext = { classes: 1, inputWidth: 64, inputHeight: 64, scoreMin: 0.05, reading: {} };

  function outputs(cell: number, box: readonly number[], weights: readonly number[]): Outputs {
    const column = [...box, 0.8, ...weights];
    const data = new Float32Array(column.length * CELLS);
    for (const [row, value] of column.entries()) data[row * CELLS + cell] = value;
    const masks = Float32Array.from({ length: 2 * 256 }, (_, at) => (at >= 256 || at % 16 < 8 ? 1 : 0));
    return new Map([
      ["output0", { data, dims: [1, column.length, CELLS] }],
      ["output1", { data: masks, dims: [1, 2, 16, 16] }],
    ]);
  }

  function outlineOf(read: Outputs): readonly Point[] | undefined {
    const into = new Candidates();
    yolo8Seg.decode(read, context, into);
    assert.equal(into.count, 1);
    return yolo8Seg.outline?.(read, context, into.at(0));
  }

  it("weighs the masks by the numbers of the box's own cell and cuts the outline to the box", () => {
    // The left half less a half: the edge is at 32, in the middle of a box from 12 to 52.
    const outline = outlineOf(outputs(70, [32, 30, 40, 20], [1, -0.5])) ?? [];
    assert.deepEqual(bounds(outline), [12, 20, 32, 40]);
    assert.equal(polygonArea(outline), 400);
    assert.equal(outline.length, 4);
  });

  it("gives none where the mask says that nothing is there", () => {
    assert.equal(outlineOf(outputs(3, [32, 30, 40, 20], [0, -1])), undefined);
    assert.equal(outlineOf(outputs(3, [500, 30, 40, 20], [0, 1])), undefined);
  });

  it("refuses weights that are not as many as the masks", () => {
    const read = outputs(3, [32, 30, 40, 20], [1]);
    assert.throws(() => yolo8Seg.decode(read, context, new Candidates()), { code: "MODEL_OUTPUT" });
  });

  it("has its outline placed in the picture like its box, to a tenth of a pixel", () => {
    const placement = placePicture(1_000, 500, 64, 64, "letterbox");
    const [point] = polygonInPicture([{ x: 10, y: 20 }], placement, 1_000, 500);
    assert.deepEqual(point, { x: 156.3, y: 62.5 });
    assert.deepEqual(polygonInPicture([{ x: -5, y: 60 }], placement, 1_000, 500), [{ x: 0, y: 500 }]);
  });

  it("leaves a record's metadata within its bound when every detection has the longest outline", () => {
    const point = { x: 12_345.6, y: 12_345.6 };
    const detection = {
      label: "l".repeat(64),
      score: 0.123_456_789_012_345_6,
      box: { left: 1_234.567_890_123_456, top: 1_234.567_890_123_456, width: 1_234.567_890_123, height: 1_234.567_890 },
      polygon: Array.from({ length: visionLimits.outlinePointsMax }, () => point),
    };
    const bytes = JSON.stringify(Array.from({ length: visionLimits.detectionsMax }, () => detection)).length;
    assert.ok(bytes < 0.85 * spoolLimits.metadataBytesMax, `${bytes}`);
  });
});
