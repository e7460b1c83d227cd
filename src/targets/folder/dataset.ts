import { constants } from "node:fs";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clipBox } from "../../core/detections.ts";
import { AgentError, errnoOf } from "../../core/errors.ts";
import type { Detection } from "../../core/types.ts";
import { parseAnnotation, type Annotation } from "./annotation.ts";
import { CocoFormat } from "./coco.ts";
import type { DatasetFormat, ExampleBox } from "./formats.ts";
import { linesOf } from "./lines.ts";
import { sizeOf } from "./store.ts";
import { VocFormat } from "./voc.ts";
import { YoloFormat } from "./yolo.ts";

/**
 * A folder target's data set, written anew as COCO, YOLO or Pascal VOC. Lines are streamed: memory does not grow with the
 * data set. An export may be repeated into its own destination after more records came; classes then keep their numbers
 * and new ones are added behind them.
 */

export type DatasetFormatName = "coco" | "yolo" | "voc";

export interface DatasetExport {
  /** Folder of a folder target; may be in use. */
  readonly from: string;
  /** New, empty, or made by a former export in the same format. */
  readonly to: string;
  readonly format: DatasetFormatName;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface DatasetSummary {
  readonly images: number;
  readonly boxes: number;
  readonly classes: readonly string[];
  /** Left out: no detector saw them, so that the absence of boxes means nothing. */
  readonly unlabelled: number;
  /** Left out: their image is gone. */
  readonly missing: number;
  /** Lines that are none of ours. */
  readonly unreadable: number;
  /** Boxes without any area inside their image. */
  readonly emptyBoxes: number;
}

/** Says that a folder is ours to write into, and how classes are numbered there. */
const markFile = "framepost-export.json";

/** More are a mistake in the labels, and would have to be held in memory. */
const classesMax = 10_000;

/** Below a hundredth of a pixel the decimals of the formats leave nothing of a box. */
const sideMinPixels = 0.01;

/** Fails with `DATASET_…` codes, or with the signal's reason. */
export async function exportDataset(job: DatasetExport, signal: AbortSignal): Promise<DatasetSummary> {
  const former = await formerClasses(job);
  const { total, labels } = await survey(job.from, signal);
  const classes = [...former, ...[...labels].filter((label) => !former.includes(label)).sort()];
  const format = formatOf(job.format);
  await mkdir(join(job.to, format.imagesFolder), { recursive: true });
  // First, so that an export that was broken off can be repeated.
  await writeFile(join(job.to, markFile), `${JSON.stringify({ format: job.format, classes }, undefined, 2)}\n`);
  try {
    await format.start(job.to, classes);
    const summary = await writeExamples(job, format, classes, total, signal);
    await format.finish();
    return summary;
  } catch (error) {
    await format.abandon();
    throw datasetError(error, `write to ${job.to}`);
  }
}

async function writeExamples(
  job: DatasetExport,
  format: DatasetFormat,
  classes: readonly string[],
  total: number,
  signal: AbortSignal,
): Promise<DatasetSummary> {
  const count = { images: 0, boxes: 0, unlabelled: 0, missing: 0, unreadable: 0, emptyBoxes: 0 };
  const classIndexes = new Map(classes.map((name, index) => [name, index]));
  let imageId = 0;
  for await (const line of linesOf(annotationsOf(job.from), signal)) {
    signal.throwIfAborted();
    // Lines that were appended after the survey may hold classes that nobody has numbered.
    if (imageId === total) break;
    imageId += 1;
    const image = parseAnnotation(line);
    job.onProgress?.({ done: imageId, total });
    if (image === undefined) count.unreadable += 1;
    else if (!image.labelled) count.unlabelled += 1;
    else if (!(await copyImage(job, format, image.name))) count.missing += 1;
    else {
      const boxes = image.detections.flatMap((detection) => exampleBoxes(detection, image, classIndexes));
      await format.add({ imageId, image, boxes });
      count.images += 1;
      count.boxes += boxes.length;
      count.emptyBoxes += image.detections.length - boxes.length;
    }
  }
  return { ...count, classes };
}

function exampleBoxes(
  { label, score, box, polygon }: Detection,
  image: Annotation,
  classIndexes: ReadonlyMap<string, number>,
): readonly ExampleBox[] {
  const clipped = clipBox(box, image.width, image.height);
  const classIndex = classIndexes.get(label);
  if (clipped === undefined || classIndex === undefined) return [];
  if (Math.min(clipped.width, clipped.height) < sideMinPixels) return [];
  return [{ label, classIndex, score, box: clipped, ...(polygon === undefined ? {} : { polygon }) }];
}

/** False when the image is gone. One that lies there with its size is not copied again: images never change. */
async function copyImage(job: DatasetExport, format: DatasetFormat, name: string): Promise<boolean> {
  const from = join(job.from, "images", name);
  const to = join(job.to, format.imagesFolder, name);
  const size = await sizeOf(from);
  if (size === undefined) return false;
  if (size !== (await sizeOf(to))) await copyFile(from, to, constants.COPYFILE_FICLONE);
  return true;
}

/** A first reading: how much there is, and every label in use. */
async function survey(
  from: string,
  signal: AbortSignal,
): Promise<{ readonly total: number; readonly labels: ReadonlySet<string> }> {
  const labels = new Set<string>();
  let total = 0;
  try {
    for await (const line of linesOf(annotationsOf(from), signal)) {
      total += 1;
      const annotation = parseAnnotation(line);
      if (annotation?.labelled !== true) continue;
      for (const { label } of annotation.detections) labels.add(label);
      if (labels.size > classesMax) {
        throw refused("DATASET_CLASSES", `export ${from}: it holds more than ${classesMax} classes`);
      }
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw datasetError(error, `read ${from}`);
    throw refused("DATASET_NOT_FOUND", `export ${from}: there is no annotations.jsonl, so it is no data set`);
  }
  return { total, labels };
}

/** The classes of the former export in `to`; fails where somebody else's files lie. */
async function formerClasses({ to, format }: DatasetExport): Promise<readonly string[]> {
  let names: readonly string[];
  try {
    names = await readdir(to);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw datasetError(error, `read ${to}`);
  }
  if (names.length === 0) return [];
  if (!names.includes(markFile)) throw refused("DATASET_DESTINATION", `export to ${to}: it is not empty`);
  const former = parseMark(await readFile(join(to, markFile), "utf8"));
  if (former === undefined) throw refused("DATASET_DESTINATION", `export to ${to}: its ${markFile} is damaged`);
  if (former.format !== format) {
    throw refused("DATASET_DESTINATION", `export to ${to}: it holds an export as ${former.format}`);
  }
  return former.classes;
}

function parseMark(text: string): { readonly format: string; readonly classes: readonly string[] } | undefined {
  try {
    const { format, classes } = JSON.parse(text) as { readonly format?: unknown; readonly classes?: unknown };
    if (typeof format !== "string" || !Array.isArray(classes)) return undefined;
    const names = (classes as readonly unknown[]).filter((name) => typeof name === "string");
    return names.length === classes.length ? { format, classes: names } : undefined;
  } catch {
    return undefined;
  }
}

function formatOf(name: DatasetFormatName): DatasetFormat {
  switch (name) {
    case "coco":
      return new CocoFormat();
    case "yolo":
      return new YoloFormat();
    case "voc":
      return new VocFormat();
  }
}

function annotationsOf(from: string): string {
  return join(from, "annotations.jsonl");
}

function refused(code: string, message: string): AgentError {
  return new AgentError(code, message, { disposition: "fatal" });
}

/** Errors of the disk; those of ours and a caller's abort pass as they are. */
function datasetError(error: unknown, attempted: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || errno === "ABORT_ERR" || error instanceof AgentError) return error;
  const code = errno === "ENOSPC" || errno === "EDQUOT" ? "DISK_FULL" : "DISK_FAILED";
  return new AgentError(code, `${attempted}: ${errno}`, { disposition: "retry", cause: error });
}
