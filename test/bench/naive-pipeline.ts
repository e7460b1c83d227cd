import { InferenceSession, Tensor } from "onnxruntime-node";
import sharp from "sharp";

/**
 * Detection as samples on the web do it, to show that the bounds of `vision-share` can tell: a padded picture from the
 * library, a fresh tensor filled by three loops, predictions read one by one, and every box compared with every other.
 */

/** A model as a sample would know it: everything written down by hand. */
export interface NaiveModel {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly fit: "contain" | "fill";
  readonly isBgr: boolean;
  readonly read: (data: Float32Array, classes: number, at: number) => NaiveBox;
  readonly classes: number;
  readonly predictions: number;
}

export interface NaiveBox {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
  readonly score: number;
  readonly classIndex: number;
}

export interface NaiveTimes {
  readonly wholeMs: number;
  /** Without the picture library and without the run. */
  readonly ownMs: number;
}

const SCORE_MIN = 0.05;
const IOU_MAX = 0.45;

/** One thread that does not spin: what the agent runs models with. */
export async function plainSession(file: string): Promise<InferenceSession> {
  return InferenceSession.create(file, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  });
}

export async function naiveDetect(jpeg: Buffer, session: InferenceSession, model: NaiveModel): Promise<NaiveTimes> {
  const startedMs = performance.now();
  const { width, height, fit } = model;
  const metadata = await sharp(jpeg).metadata();
  const { data: rgb } = await sharp(jpeg)
    .resize(width, height, { fit, background: { r: 114, g: 114, b: 114 } })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const decodedMs = performance.now();
  const tensor = new Tensor("float32", fill(rgb, model), [1, 3, height, width]);
  const filledMs = performance.now();
  const outputs = await session.run({ [session.inputNames[0] ?? ""]: tensor });
  const ranMs = performance.now();
  const output = outputs[session.outputNames[0] ?? ""];
  if (!(output?.data instanceof Float32Array)) throw new Error("the model gave no numbers");
  const scale = Math.min(width / metadata.width, height / metadata.height);
  naiveNms(decode(output.data, model)).map((box) => ({ ...box, x1: box.x1 / scale, x2: box.x2 / scale }));
  const endedMs = performance.now();
  return { wholeMs: endedMs - startedMs, ownMs: filledMs - decodedMs + (endedMs - ranMs) };
}

function fill(rgb: Buffer, { width, height, isBgr }: NaiveModel): Float32Array {
  const values = new Float32Array(3 * width * height);
  for (let channel = 0; channel < 3; channel += 1) {
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const source = isBgr ? 2 - channel : channel;
        values[channel * width * height + y * width + x] = (rgb[(y * width + x) * 3 + source] ?? 0) / 255;
      }
    }
  }
  return values;
}

function decode(data: Float32Array, { read, classes, predictions }: NaiveModel): readonly NaiveBox[] {
  const boxes: NaiveBox[] = [];
  for (let at = 0; at < predictions; at += 1) {
    const box = read(data, classes, at);
    if (box.score >= SCORE_MIN) boxes.push(box);
  }
  return boxes;
}

export function naiveNms(boxes: readonly NaiveBox[]): readonly NaiveBox[] {
  let left = boxes.toSorted((a, b) => b.score - a.score);
  const kept: NaiveBox[] = [];
  for (let best = left[0]; best !== undefined; best = left[0]) {
    const chosen = best;
    kept.push(chosen);
    left = left.slice(1).filter((box) => box.classIndex !== chosen.classIndex || iou(box, chosen) <= IOU_MAX);
  }
  return kept;
}

function iou(a: NaiveBox, b: NaiveBox): number {
  const width = Math.max(0, Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1));
  const height = Math.max(0, Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1));
  const shared = width * height;
  return shared / ((a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - shared);
}

/** [1, 4 + classes, predictions], prediction by prediction. */
export function readYolo8(predictions: number): NaiveModel["read"] {
  return (data, classes, at) => {
    const { score, classIndex } = bestClass(data, 4 * predictions + at, predictions, classes);
    const x = data[at] ?? 0;
    const y = data[predictions + at] ?? 0;
    const width = data[2 * predictions + at] ?? 0;
    const height = data[3 * predictions + at] ?? 0;
    return { x1: x - width / 2, y1: y - height / 2, x2: x + width / 2, y2: y + height / 2, score, classIndex };
  };
}

/** [1, 5 + classes, side, side]: objectness, offsets and size of a cell, then its classes. */
export function readFastestdet(side: number): NaiveModel["read"] {
  return (data, classes, at) => {
    const cells = side * side;
    const { score: best, classIndex } = bestClass(data, 5 * cells + at, cells, classes);
    const score = (data[at] ?? 0) ** 0.6 * best ** 0.4;
    const x = ((at % side) + Math.tanh(data[cells + at] ?? 0)) / side;
    const y = (Math.floor(at / side) + Math.tanh(data[2 * cells + at] ?? 0)) / side;
    const width = 1 / (1 + Math.exp(-(data[3 * cells + at] ?? 0)));
    const height = 1 / (1 + Math.exp(-(data[4 * cells + at] ?? 0)));
    return { x1: x - width / 2, y1: y - height / 2, x2: x + width / 2, y2: y + height / 2, score, classIndex };
  };
}

function bestClass(data: Float32Array, first: number, step: number, classes: number) {
  let score = 0;
  let classIndex = 0;
  for (let index = 0; index < classes; index += 1) {
    const value = data[first + index * step] ?? 0;
    if (value <= score) continue;
    score = value;
    classIndex = index;
  }
  return { score, classIndex };
}
