import { constants } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../core/errors.ts";
import { parseAnnotation } from "./annotation.ts";
import { datasetError, datasetRefused, DatasetWriter, type DatasetFormatName } from "./dataset-writer.ts";
import { linesOf } from "./lines.ts";
import { sizeOf } from "./store.ts";

/**
 * A folder target's data set, written anew as COCO, YOLO or Pascal VOC. Lines are streamed: memory does not grow with the
 * data set. An export may be repeated into its own destination after more records came.
 */

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

/** More are a mistake in the labels, and would have to be held in memory. */
const classesMax = 10_000;

/** Fails with `DATASET_…` codes, or with the signal's reason. */
export async function exportDataset(job: DatasetExport, signal: AbortSignal): Promise<DatasetSummary> {
  const writer = await DatasetWriter.open({ to: job.to, format: job.format });
  const { total, labels } = await survey(job.from, signal);
  try {
    await writer.begin([...labels].sort());
    const summary = await writeExamples(job, writer, total, signal);
    await writer.finish();
    return summary;
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

async function writeExamples(
  job: DatasetExport,
  writer: DatasetWriter,
  total: number,
  signal: AbortSignal,
): Promise<DatasetSummary> {
  const count = { images: 0, boxes: 0, unlabelled: 0, missing: 0, unreadable: 0, emptyBoxes: 0 };
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
    else if (!(await writer.attempt(() => copyImage(job, writer, image.name)))) count.missing += 1;
    else {
      const boxes = writer.boxesOf(image, image.detections);
      await writer.add(imageId, image, boxes);
      count.images += 1;
      count.boxes += boxes.length;
      count.emptyBoxes += image.detections.length - boxes.length;
    }
  }
  return { ...count, classes: writer.classes };
}

/** False when the image is gone. One that lies there with its size is not copied again: images never change. */
async function copyImage(job: DatasetExport, { imagesFolder }: DatasetWriter, name: string): Promise<boolean> {
  const from = join(job.from, "images", name);
  const to = join(imagesFolder, name);
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
        throw datasetRefused("DATASET_CLASSES", `export ${from}: it holds more than ${classesMax} classes`);
      }
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw datasetError(error, `read ${from}`);
    throw datasetRefused("DATASET_NOT_FOUND", `export ${from}: there is no annotations.jsonl, so it is no data set`);
  }
  return { total, labels };
}

function annotationsOf(from: string): string {
  return join(from, "annotations.jsonl");
}
