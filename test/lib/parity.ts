import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { iouOf } from "../../src/core/detections.ts";
import type { Detection } from "../../src/core/types.ts";
import { resolveModel, type ModelSpec } from "../../src/vision/model.ts";
import { never, visionProcess } from "./vision.ts";

/** Detections of real models on real photos against references computed by a plain 64-bit decode. */

interface ParityModel {
  readonly name: string;
  /** Where the file does not hold them; by name, a list of the shared folder's own. */
  readonly labels?: readonly string[] | "coco80";
  readonly quantised: boolean;
}

export const parityModels: readonly ParityModel[] = [
  { name: "yolov8n-320-f32", quantised: false },
  { name: "yolov8n-640-f32", quantised: false },
  { name: "yolov8n-int8-c", quantised: true },
  { name: "yolo11n-int8", quantised: true },
  { name: "yolo26n-int8", quantised: true },
  { name: "yolov8n-seg-int8", quantised: true },
  { name: "yolov5lite-e-320", labels: "coco80", quantised: false },
  { name: "yolox-nano", labels: "coco80", quantised: false },
  { name: "ultraface-rfb-320", labels: ["face"], quantised: false },
  { name: "edgeeye-sample-person", labels: ["person"], quantised: false },
  { name: "yolo-fastestv2", labels: "coco80", quantised: false },
  { name: "nanodet-m", labels: "coco80", quantised: false },
  { name: "fastestdet", labels: "coco80", quantised: false },
  { name: "yunet-2023mar", quantised: false },
  { name: "scrfd-500m-kps", quantised: false },
];

interface ParityFigures {
  readonly photos: number;
  readonly references: number;
  readonly missed: number;
  /** Highest score of a detection that no reference answers for; 0 when there is none. */
  readonly extraScoreMax: number;
  readonly iouMin: number;
  readonly scoreDifferenceMax: number;
}

/** References end here. */
const SCORE_MIN = 0.25;
/** Crowds: one photo has 273 references. */
const DETECTIONS_MAX = 1_000;
const IOU_MATCH = 0.5;

export async function measureParity(shared: string, { name, labels }: ParityModel): Promise<ParityFigures> {
  const folder = join(shared, "models");
  const resolved = await resolveModel(join(folder, `${name}.onnx`), { modelsFolders: [] });
  const names = labels === "coco80" ? await cocoLabels(folder) : labels;
  const model: ModelSpec = names === undefined ? resolved : { ...resolved, manifest: { labels: [...names] } };
  await using vision = visionProcess({ model, threads: 2, detectionsMax: DETECTIONS_MAX });
  await vision.start(never);
  const photos = await readdir(join(folder, "images"));
  let figures: ParityFigures = {
    photos: photos.length,
    references: 0,
    missed: 0,
    extraScoreMax: 0,
    iouMin: 1,
    scoreDifferenceMax: 0,
  };
  for (const photo of photos) {
    const { detections } = await vision.detect(await readFile(join(folder, "images", photo)), { exact: true }, never);
    const reference = join(folder, "reference", name, photo.replace(/\.jpg$/, ".json"));
    figures = compare(figures, parseReferences(JSON.parse(await readFile(reference, "utf8"))), detections);
  }
  return figures;
}

async function cocoLabels(folder: string): Promise<readonly string[]> {
  const { coco80 } = JSON.parse(await readFile(join(folder, "spec.json"), "utf8")) as {
    readonly coco80: readonly string[];
  };
  return coco80;
}

/** Each reference, best first, takes the free detection of its label that shares most with it. */
function compare(before: ParityFigures, references: readonly Detection[], found: readonly Detection[]): ParityFigures {
  const free = new Set(found);
  let { missed, extraScoreMax, iouMin, scoreDifferenceMax } = before;
  for (const reference of references) {
    const [best] = [...free]
      .filter(({ label }) => label === reference.label)
      .map((detection) => ({ detection, iou: iouOf(detection.box, reference.box) }))
      .toSorted((a, b) => b.iou - a.iou);
    if (best === undefined || best.iou < IOU_MATCH) {
      missed += 1;
      continue;
    }
    free.delete(best.detection);
    iouMin = Math.min(iouMin, best.iou);
    scoreDifferenceMax = Math.max(scoreDifferenceMax, Math.abs(best.detection.score - reference.score));
  }
  for (const { score } of free) if (score >= SCORE_MIN) extraScoreMax = Math.max(extraScoreMax, score);
  return {
    ...before,
    references: before.references + references.length,
    missed,
    extraScoreMax,
    iouMin,
    scoreDifferenceMax,
  };
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
