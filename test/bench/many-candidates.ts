import { visionLimits } from "../../src/core/vision-limits.ts";
import type { Outputs } from "../../src/vision/process/families/family.ts";
import { yolo8 } from "../../src/vision/process/families/yolo8.ts";
import { Candidates, suppress } from "../../src/vision/process/nms.ts";
import { seededRandom } from "../lib/seams.ts";
import { naiveNms, readYolo8, type NaiveBox } from "./naive-pipeline.ts";

const CELLS = 8_400;
const CLASSES = 80;
const SIDE = 640;
const CANDIDATES = 2_000;
const ROUNDS = 60;
const WARM_UP = 20;

/** The output of a yolov8n-640 on which 2,000 cells score above the least score: reading it, and keeping the best. */
export function manyCandidates(): { readonly decodeMs: readonly number[]; readonly naiveMs: readonly number[] } {
  const data = crowdedOutput();
  const outputs: Outputs = new Map([["output0", { data, dims: [1, 4 + CLASSES, CELLS] }]]);
  const { candidatesMax, detectionsMax, scoreFloor } = visionLimits;
  const context = { classes: CLASSES, inputWidth: SIDE, inputHeight: SIDE, scoreMin: scoreFloor, reading: {} };
  const candidates = new Candidates();
  const read = readYolo8(CELLS);
  const decodeMs: number[] = [];
  const naiveMs: number[] = [];
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    const startedMs = performance.now();
    candidates.clear();
    yolo8.decode(outputs, context, candidates);
    suppress(candidates, { iouMax: 0.45, classAgnostic: false, candidatesMax, detectionsMax });
    const decodedMs = performance.now();
    if (candidates.count !== CANDIDATES) throw new Error(`${candidates.count} candidates`);
    // Slow, and only for comparison.
    const boxes = round % 10 === 0 ? naiveBoxes(data, read) : undefined;
    if (boxes !== undefined) naiveNms(boxes);
    const endedMs = performance.now();
    if (round < 0) continue;
    decodeMs.push(decodedMs - startedMs);
    if (boxes !== undefined) naiveMs.push(endedMs - decodedMs);
  }
  return { decodeMs, naiveMs };
}

function naiveBoxes(data: Float32Array, read: ReturnType<typeof readYolo8>): readonly NaiveBox[] {
  const boxes = Array.from({ length: CELLS }, (_, at) => read(data, CLASSES, at));
  return boxes.filter((box) => box.score >= visionLimits.scoreFloor);
}

/** Boxes all over the picture, three classes, no two scores alike. */
function crowdedOutput(): Float32Array {
  const random = seededRandom(4);
  const data = new Float32Array((4 + CLASSES) * CELLS);
  for (let cell = 0; cell < CELLS; cell += 1) {
    const values = [random() * SIDE, random() * SIDE, 20 + 60 * random(), 20 + 60 * random()];
    for (const [row, value] of values.entries()) data[row * CELLS + cell] = value;
    const isCandidate = cell % 4 === 0 && cell < 4 * CANDIDATES;
    data[(4 + (cell % 3)) * CELLS + cell] = isCandidate ? 0.06 + 0.9 * random() : 0.04 * random();
  }
  return data;
}
