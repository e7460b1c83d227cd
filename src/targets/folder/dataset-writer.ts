import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clipBox } from "../../core/detections.ts";
import { AgentError, errnoOf, isForWantOfRoom } from "../../core/errors.ts";
import type { Detection } from "../../core/types.ts";
import { CocoFormat } from "./coco.ts";
import type { DatasetFormat, ExampleBox, ExampleImage } from "./formats.ts";
import { VocFormat } from "./voc.ts";
import { YoloFormat } from "./yolo.ts";

/**
 * A folder with a data set as COCO, YOLO or Pascal VOC. It may be written again, by whoever wrote it first: the classes
 * then keep their numbers and new ones are added behind them.
 */

export type DatasetFormatName = "coco" | "yolo" | "voc";

export interface DatasetDestination {
  /** New, empty, or made by a former writer of the same kind. */
  readonly to: string;
  readonly format: DatasetFormatName;
  /** What it is filled from, where it must always be the same: never a secret. */
  readonly source?: string;
}

/** Without a score where a person has drawn it. */
export type ExampleDetection = Omit<Detection, "score"> & Partial<Pick<Detection, "score">>;

/** Says that a folder is ours to write into, and how classes are numbered there. */
const markFile = "framepost-export.json";

/** Half of a mark would lock its owner out. */
const newMarkFile = `${markFile}.new`;

/** Below a hundredth of a pixel the decimals of the formats leave nothing of a box. */
const sideMinPixels = 0.01;

export class DatasetWriter {
  /** Where the images belong; there from `begin` on. */
  readonly imagesFolder: string;
  readonly #destination: DatasetDestination;
  readonly #format: DatasetFormat;
  readonly #classIndexes = new Map<string, number>();

  private constructor(destination: DatasetDestination, former: readonly string[]) {
    this.#destination = destination;
    this.#format = formatOf(destination.format);
    this.imagesFolder = join(destination.to, this.#format.imagesFolder);
    this.#number(former);
  }

  /** Changes nothing yet. Fails with `DATASET_DESTINATION` where somebody else's files lie. */
  static async open(destination: DatasetDestination): Promise<DatasetWriter> {
    return new DatasetWriter(destination, await formerClasses(destination));
  }

  /** In the order of their numbers. */
  get classes(): readonly string[] {
    return [...this.#classIndexes.keys()];
  }

  /** `labels` that are not numbered yet are, in this order. Fails with `DISK_…`. */
  async begin(labels: readonly string[]): Promise<void> {
    const { to, format, source } = this.#destination;
    this.#number(labels);
    await this.attempt(async () => {
      await mkdir(this.imagesFolder, { recursive: true });
      const mark = { format, ...(source === undefined ? {} : { source }), classes: this.classes };
      // First, so that a run that was broken off can be repeated.
      await writeFile(join(to, newMarkFile), `${JSON.stringify(mark, undefined, 2)}\n`);
      await rename(join(to, newMarkFile), join(to, markFile));
      await this.#format.start(to, this.classes);
    });
  }

  /** Those of the detections that can be written: in a known class, with an area inside the image. */
  boxesOf(image: ExampleImage, detections: readonly ExampleDetection[]): readonly ExampleBox[] {
    return detections.flatMap(({ box, label, ...rest }) => {
      const clipped = clipBox(box, image.width, image.height);
      const classIndex = this.#classIndexes.get(label);
      if (clipped === undefined || classIndex === undefined) return [];
      if (Math.min(clipped.width, clipped.height) < sideMinPixels) return [];
      return [{ ...rest, label, classIndex, box: clipped }];
    });
  }

  async add(imageId: number, image: ExampleImage, boxes: readonly ExampleBox[]): Promise<void> {
    await this.attempt(() => this.#format.add({ imageId, image, boxes }));
  }

  async finish(): Promise<void> {
    await this.attempt(() => this.#format.finish());
  }

  /** Frees what is open after a failure. */
  async abandon(): Promise<void> {
    await this.#format.abandon();
  }

  /** Work on this folder; fails with `DISK_…`. */
  async attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw datasetError(error, `write to ${this.#destination.to}`);
    }
  }

  #number(labels: readonly string[]): void {
    for (const label of labels) {
      if (!this.#classIndexes.has(label)) this.#classIndexes.set(label, this.#classIndexes.size);
    }
  }
}

/** Errors of the disk; those of ours and a caller's abort pass as they are. */
export function datasetError(error: unknown, attempted: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || errno === "ABORT_ERR" || error instanceof AgentError) return error;
  const code = isForWantOfRoom(error) ? "DISK_FULL" : "DISK_FAILED";
  return new AgentError(code, `${attempted}: ${errno}`, { disposition: "retry", cause: error });
}

export function datasetRefused(code: string, message: string): AgentError {
  return new AgentError(code, message, { disposition: "fatal" });
}

/** Fails where somebody else's files lie. */
async function formerClasses({ to, format, source }: DatasetDestination): Promise<readonly string[]> {
  let names: readonly string[];
  try {
    names = await readdir(to);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw datasetError(error, `read ${to}`);
  }
  if (names.length === 0) return [];
  const refuse = (why: string) => datasetRefused("DATASET_DESTINATION", `write to ${to}: ${why}`);
  if (!names.includes(markFile)) throw refuse("it is not empty");
  const former = parseMark(await readFile(join(to, markFile), "utf8"));
  if (former === undefined) throw refuse(`its ${markFile} is damaged`);
  if (former.format !== format) throw refuse(`it holds a data set as ${former.format}`);
  if (former.source !== source) throw refuse(`it holds a data set from ${former.source ?? "a folder target"}`);
  return former.classes;
}

interface Mark {
  readonly format: string;
  readonly source?: string;
  readonly classes: readonly string[];
}

function parseMark(text: string): Mark | undefined {
  try {
    const { format, source, classes } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    if (typeof format !== "string" || !Array.isArray(classes)) return undefined;
    if (source !== undefined && typeof source !== "string") return undefined;
    const names = (classes as readonly unknown[]).filter((name) => typeof name === "string");
    if (names.length < classes.length) return undefined;
    return { format, classes: names, ...(source === undefined ? {} : { source }) };
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
