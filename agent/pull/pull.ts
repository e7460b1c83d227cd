import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { AgentError } from "../../src/core/errors.ts";
import { pullLimits } from "../../src/core/deliver-limits.ts";
import {
  DatasetWriter,
  type DatasetFormatName,
  type ExampleDetection,
} from "../../src/targets/folder/dataset-writer.ts";
import { downloadAll, type Pulled, type WantedFile } from "./downloads.ts";
import { isPulledName, pulledName } from "./file-name.ts";
import { patiently, type PullSeams } from "./patience.ts";
import type { LabelSource, SourceBox, SourceImage } from "./source.ts";

export interface PullJob {
  readonly kind: string;
  readonly classes: readonly string[];
  /** New, empty, or filled from the same source before, in the same format. */
  readonly to: string;
  readonly format: DatasetFormatName;
  readonly onProgress: (done: number, total: number) => void;
}

export interface PullSummary {
  /** In the data set, each with all its boxes. */
  readonly images: number;
  readonly boxes: number;
  /** Of the images, those that had to be fetched now. */
  readonly fetched: number;
  /** Boxes of each class, in the order of the classes' numbers. */
  readonly classes: Readonly<Record<string, number>>;
  /** On the platform, but not here. */
  readonly missing: number;
  /** How many were left out, by the reason. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Boxes without any area inside their image. */
  readonly emptyBoxes: number;
  /** Pictures that lay there and are not in the data set any more: moved to `withdrawn/`. */
  readonly withdrawn: number;
  /** Which are missing or left out, and why: the first of them. */
  readonly problems: readonly { readonly image: string; readonly why: string }[];
}

/**
 * What people have labelled on a platform, as a data set to train with. What was pulled into the folder before is pulled
 * again with its classes, so that a picture never lies there with half of its boxes or with labels that were corrected
 * since. Fails before anything is written where the platform's labels cannot be read.
 */
export async function pullDataset(
  job: PullJob,
  source: LabelSource,
  seams: PullSeams,
  signal: AbortSignal,
): Promise<PullSummary> {
  const writer = await DatasetWriter.open({ to: job.to, format: job.format, source: source.origin });
  const classes = [...new Set([...writer.classes, ...job.classes])];
  const wanted = wantedFiles(job.kind, await patiently(() => source.list(classes, signal), seams, signal));
  try {
    await writer.begin(classes);
    const { imagesFolder } = writer;
    const onDone = (done: number): void => job.onProgress(done, wanted.length);
    const pulled = await writer.attempt(() => downloadAll(imagesFolder, wanted, onDone, seams, signal));
    const { added, ...summary } = await writeExamples(writer, wanted, pulled, signal);
    await writer.finish();
    const withdrawn = await writer.attempt(() => withdraw(job, imagesFolder, added));
    return { ...summary, images: added.size, withdrawn };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

function wantedFiles(kind: string, images: readonly SourceImage[]): readonly WantedFile[] {
  if (images.length > pullLimits.imagesMax) {
    throw new AgentError("PULL_TOO_MANY", `pull from ${kind}: more than ${pullLimits.imagesMax} images`, {
      disposition: "fatal",
    });
  }
  // By name, so that the order, and with it the numbers of the images, does not depend on the server's.
  const byName = new Map(images.map((image) => [pulledName(kind, image.id), image]));
  return [...byName].map(([name, image]) => ({ name, image })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function writeExamples(
  writer: DatasetWriter,
  wanted: readonly WantedFile[],
  pulled: readonly Pulled[],
  signal: AbortSignal,
): Promise<Omit<PullSummary, "images" | "withdrawn"> & { readonly added: ReadonlySet<string> }> {
  const count = { boxes: 0, fetched: 0, missing: 0, emptyBoxes: 0 };
  const classes: Record<string, number> = Object.fromEntries(writer.classes.map((name) => [name, 0]));
  const added = new Set<string>();
  const skipped: Record<string, number> = {};
  const problems: { image: string; why: string }[] = [];
  const tell = (image: string, why: string): void => {
    if (problems.length < pullLimits.problemsToldMax) problems.push({ image, why });
  };
  const skip = (image: string, why: string): void => {
    skipped[why] = (skipped[why] ?? 0) + 1;
    tell(image, why);
  };
  for (const [at, { image, name }] of wanted.entries()) {
    signal.throwIfAborted();
    const result = pulled[at] ?? { kind: "missing", why: "not tried" };
    if (result.kind === "missing") {
      count.missing += 1;
      tell(image.id, result.why);
      continue;
    }
    if (result.kind === "unusable") {
      skip(image.id, result.why);
      continue;
    }
    const { width, height } = result;
    const own = image.boxes.filter(({ label }) => writer.classes.includes(label));
    const boxes = writer.boxesOf(
      { name, width, height },
      own.map((box) => inPixels(box, width, height)),
    );
    count.emptyBoxes += own.length - boxes.length;
    // Without any it would be taught as an example of nothing, although somebody has labelled it.
    if (boxes.length === 0) skip(image.id, "it has no box inside the image");
    else {
      await writer.add(at + 1, { name, width, height }, boxes);
      added.add(name);
      count.boxes += boxes.length;
      for (const { label } of boxes) classes[label] = (classes[label] ?? 0) + 1;
      count.fetched += result.fetched ? 1 : 0;
    }
  }
  return { ...count, classes, added, skipped, problems };
}

function inPixels({ label, unit, box, polygon }: SourceBox, width: number, height: number): ExampleDetection {
  const [across, down] = unit === "pixel" ? [1, 1] : [width, height];
  return {
    label,
    box: { left: box.left * across, top: box.top * down, width: box.width * across, height: box.height * down },
    ...(polygon === undefined ? {} : { polygon: polygon.map(({ x, y }) => ({ x: x * across, y: y * down })) }),
  };
}

/**
 * Pictures that were pulled and are not in the data set: trainers that look into the folder would learn from what
 * somebody took back. They are moved aside, never deleted; what a broken download left behind is.
 */
async function withdraw(job: PullJob, imagesFolder: string, added: ReadonlySet<string>): Promise<number> {
  let withdrawn = 0;
  for (const name of await readdir(imagesFolder)) {
    if (added.has(name) || !isPulledName(job.kind, name)) continue;
    if (name.endsWith(".part")) await rm(join(imagesFolder, name), { force: true });
    else {
      await mkdir(join(job.to, "withdrawn"), { recursive: true });
      await rename(join(imagesFolder, name), join(job.to, "withdrawn", name));
      withdrawn += 1;
    }
  }
  return withdrawn;
}
