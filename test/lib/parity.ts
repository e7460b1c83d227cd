import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { iouOf } from "../../src/core/detections.ts";
import type { Detection } from "../../src/core/types.ts";
import type { DetectResult } from "../../src/core/vision-port.ts";
import { resolveModel, type ModelSpec } from "../../src/vision/model.ts";
import type { ManyModels } from "./many-models.ts";
import { never, visionProcess } from "./vision.ts";

/** Detections of real models on real photos against references computed by a plain 64-bit decode. */

interface ParityModel {
  readonly name: string;
  readonly family: string;
  readonly quantised: boolean;
}

export const parityModels: readonly ParityModel[] = [
  { name: "yolov8n-320-f32", family: "yolo8", quantised: false },
  { name: "yolov8n-640-f32", family: "yolo8", quantised: false },
  { name: "yolov8n-int8-c", family: "yolo8", quantised: true },
  { name: "yolo11n-int8", family: "yolo8", quantised: true },
  { name: "yolo26n-int8", family: "end-to-end", quantised: true },
  { name: "yolov8n-seg-int8", family: "yolo8-seg", quantised: true },
  { name: "yolov5lite-e-320", family: "yolo5-raw", quantised: false },
  { name: "yolox-nano", family: "yolox", quantised: false },
  { name: "deimv2-atto-int8", family: "detr", quantised: true },
  { name: "ultraface-rfb-320", family: "ssd", quantised: false },
  { name: "edgeeye-sample-person", family: "ssd", quantised: false },
  { name: "yolo-fastestv2", family: "yolo-fastestv2", quantised: false },
  { name: "nanodet-m", family: "nanodet", quantised: false },
  { name: "fastestdet", family: "fastestdet", quantised: false },
  { name: "yunet-2023mar", family: "yunet", quantised: false },
  { name: "scrfd-500m-kps", family: "scrfd", quantised: false },
];

/** Higher than wide, a crowd, a small one, and one of many kinds; of a model that is slow here, the first two. */
export function fewPhotos({ quantised }: ParityModel): readonly string[] {
  const photos = ["bus.jpg", "faces25.jpg", "faces13.jpg", "horse-cart.jpg"];
  return quantised ? photos.slice(0, 2) : photos;
}

/** `spec.json` beside the models. */
interface SpecFile {
  readonly coco80: readonly string[];
  readonly models: Readonly<Record<string, { readonly labels: readonly string[] | "coco80" }>>;
}

export interface ParityFigures {
  readonly photos: number;
  readonly references: number;
  readonly missed: number;
  /** Highest score of a detection that no reference answers for; 0 when there is none. */
  readonly extraScoreMax: number;
  readonly iouMin: number;
  readonly iouMean: number;
  readonly scoreDifferenceMax: number;
}

interface ParityOptions {
  /** Default: every photo there is. */
  readonly photos?: readonly string[];
  /** Default: resized as the references were. */
  readonly exact?: boolean;
  /** References below it are not looked for. Default: all. */
  readonly referenceMin?: number;
}

/** References end here. */
const SCORE_MIN = 0.25;
/** Crowds: one photo has 624 references. */
const DETECTIONS_MAX = 1_000;
const IOU_MATCH = 0.5;

/** A real model with its labels, which most of the files do not hold. */
export async function sharedModel(shared: string, name: string): Promise<ModelSpec> {
  const folder = join(shared, "models");
  const resolved = await resolveModel(join(folder, `${name}.onnx`), { modelsFolders: [] });
  const spec = JSON.parse(await readFile(join(folder, "spec.json"), "utf8")) as SpecFile;
  const labels = spec.models[name]?.labels ?? [];
  return { ...resolved, manifest: { labels: [...(labels === "coco80" ? spec.coco80 : labels)] } };
}

/** In a process of its own. Fails with what the model is taken for where that is another family than it should be. */
export async function measureParity(
  shared: string,
  one: ParityModel,
  { exact = true, ...options }: ParityOptions = {},
): Promise<ParityFigures> {
  const model = await sharedModel(shared, one.name);
  await using vision = visionProcess({ model, threads: 2, detectionsMax: DETECTIONS_MAX });
  await vision.start(never);
  assert.equal(vision.model()?.family, one.family);
  return await compare(shared, one, async (jpeg) => await vision.detect(jpeg, { exact }, never), options);
}

/** In a process that has had other models before. */
export async function measureParityAmong(
  models: ManyModels,
  shared: string,
  one: ParityModel,
  { exact = true, ...options }: ParityOptions = {},
): Promise<ParityFigures> {
  const settings = { threads: 2, detectionsMax: DETECTIONS_MAX };
  const { family } = await models.load(await sharedModel(shared, one.name), settings);
  assert.equal(family, one.family);
  return await compare(shared, one, async (jpeg) => await models.detect(jpeg, { exact }), options);
}

async function compare(
  shared: string,
  { name }: ParityModel,
  detect: (jpeg: Buffer) => Promise<Pick<DetectResult, "detections">>,
  { photos, referenceMin = SCORE_MIN }: Omit<ParityOptions, "exact">,
): Promise<ParityFigures> {
  const folder = join(shared, "models");
  const chosen = photos ?? (await readdir(join(folder, "images")));
  const matches: PhotoMatch[] = [];
  for (const photo of chosen) {
    const { detections } = await detect(await readFile(join(folder, "images", photo)));
    const references = await readReferences(folder, name, photo);
    matches.push(match(references, detections, referenceMin));
  }
  return figuresOf(matches);
}

function figuresOf(matches: readonly PhotoMatch[]): ParityFigures {
  const pairs = matches.flatMap((one) => one.pairs);
  const ious = pairs.map(({ iou }) => iou);
  return {
    photos: matches.length,
    references: matches.reduce((sum, { references }) => sum + references, 0),
    missed: matches.reduce((sum, { missed }) => sum + missed, 0),
    extraScoreMax: Math.max(0, ...matches.map((one) => one.extraScoreMax)),
    iouMin: Math.min(1, ...ious),
    iouMean: ious.reduce((sum, iou) => sum + iou, 0) / Math.max(1, ious.length),
    scoreDifferenceMax: Math.max(0, ...pairs.map(({ scoreDifference }) => scoreDifference)),
  };
}

interface PhotoMatch {
  readonly references: number;
  readonly missed: number;
  readonly extraScoreMax: number;
  readonly pairs: readonly { readonly iou: number; readonly scoreDifference: number }[];
}

/** Each reference, best first, takes the free detection of its label that shares most with it. */
function match(references: readonly Detection[], found: readonly Detection[], referenceMin: number): PhotoMatch {
  const free = new Set(found);
  const pairs: { iou: number; scoreDifference: number }[] = [];
  let wanted = 0;
  let missed = 0;
  for (const reference of references) {
    const [best] = [...free]
      .filter(({ label }) => label === reference.label)
      .map((detection) => ({ detection, iou: iouOf(detection.box, reference.box) }))
      .toSorted((a, b) => b.iou - a.iou);
    const isWanted = reference.score >= referenceMin;
    if (isWanted) wanted += 1;
    if (best === undefined || best.iou < IOU_MATCH) {
      if (isWanted) missed += 1;
      continue;
    }
    free.delete(best.detection);
    if (!isWanted) continue;
    pairs.push({ iou: best.iou, scoreDifference: Math.abs(best.detection.score - reference.score) });
  }
  const extra = [...free].map(({ score }) => score).filter((score) => score >= SCORE_MIN);
  return { references: wanted, missed, extraScoreMax: Math.max(0, ...extra), pairs };
}

/** What a model is to find on a photo, down to a score of 0.25. */
export async function readReferences(folder: string, name: string, photo: string): Promise<readonly Detection[]> {
  const file = join(folder, "reference", name, photo.replace(/\.jpg$/, ".json"));
  return parseReferences(JSON.parse(await readFile(file, "utf8")));
}

function parseReferences(file: unknown): readonly Detection[] {
  const { detections } = file as {
    readonly detections: readonly {
      readonly label: string;
      readonly score: number;
      readonly box: readonly [number, number, number, number];
    }[];
  };
  return detections.map(({ label, score, box: [left, top, right, bottom] }) => ({
    label,
    score,
    box: { left, top, width: right - left, height: bottom - top },
  }));
}
