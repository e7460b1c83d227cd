import { AgentError } from "../../src/core/errors.ts";
import type { Point } from "../../src/core/types.ts";
import type { RemoClient } from "../../src/targets/remo/client.ts";
import type { RemoImage } from "../../src/targets/remo/parse.ts";
import { isObject, type JsonObject } from "../../src/targets/json.ts";
import type { LabelSource, SourceBox, SourceImage } from "./source.ts";

interface RemoPlace {
  readonly url: string;
  readonly datasetId: number;
  /** The dataset's only one with boxes or outlines when absent. */
  readonly annotationSetId?: number | undefined;
}

interface Labelled {
  readonly name: string;
  readonly boxes: readonly SourceBox[];
}

/**
 * The export of an annotation set and the images of its dataset, which belong together by their file names. A class is
 * found whatever its capitals are: the server writes them in its own way.
 */
export function remoSource(client: RemoClient, { url, datasetId, annotationSetId }: RemoPlace): LabelSource {
  const which = annotationSetId === undefined ? "" : ` annotation set ${annotationSetId}`;
  return {
    origin: `remo ${url} dataset ${datasetId}${which}`,
    async list(classes, signal) {
      const setId = annotationSetId ?? (await onlySet(client, datasetId, signal));
      const options = { annotationFormat: "json", fullPath: false, exportCoordinates: "percent" } as const;
      const { bytes, isZip } = await client.sets.export(setId, options, signal);
      if (isZip) throw unreadable(setId, "a zip although no tags were asked for");
      const found = labelledIn(bytes, setId, classes).filter(({ boxes }) => boxes.length > 0);
      const byName = await imagesByName(client, datasetId, new Set(found.map(({ name }) => name)), signal);
      return found.map(({ name, boxes }) => sourceImage(client, name, boxes, byName.get(name) ?? []));
    },
  };
}

function sourceImage(
  client: RemoClient,
  name: string,
  boxes: readonly SourceBox[],
  images: readonly RemoImage[],
): SourceImage {
  const [image, ...others] = images;
  if (image !== undefined && others.length === 0) {
    return { id: String(image.id), boxes, fetch: (signal) => client.imageFile(image, signal) };
  }
  const why = image === undefined ? "the dataset has no image of this name" : "several images have this name";
  return {
    id: name,
    boxes,
    fetch: () => Promise.reject(new AgentError("PULL_NO_IMAGE", why, { disposition: "fatal" })),
  };
}

async function imagesByName(
  client: RemoClient,
  datasetId: number,
  names: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly RemoImage[]>> {
  const found = new Map<string, RemoImage[]>();
  for await (const image of client.images(datasetId, signal)) {
    if (names.has(image.name)) found.set(image.name, [...(found.get(image.name) ?? []), image]);
  }
  return found;
}

async function onlySet(client: RemoClient, datasetId: number, signal: AbortSignal): Promise<number> {
  const sets = await client.sets.list(datasetId, signal);
  const drawn = sets.filter(({ task }) => task === "Object detection" || task === "Instance segmentation");
  const [only, ...others] = drawn;
  if (only !== undefined && others.length === 0) return only.id;
  if (only === undefined) {
    const what = sets.length === 0 ? "no annotation set" : "only sets of whole images, without boxes";
    throw new AgentError("PULL_NO_BOXES", `pull from remo: dataset ${datasetId} has ${what}`, { disposition: "fatal" });
  }
  const known = drawn.slice(0, 10).map(({ id, name }) => `${id} (${name.slice(0, 40)})`);
  const message = `dataset ${datasetId} has ${drawn.length} annotation sets: ${known.join(", ")}; set annotationSetId`;
  throw new AgentError("REMO_SETTINGS", message, { disposition: "fatal" });
}

/** Under the names that were asked for. */
function labelledIn(bytes: Buffer, setId: number, classes: readonly string[]): readonly Labelled[] {
  const asked = new Map(classes.map((name) => [name.toLowerCase(), name]));
  let entries: unknown;
  try {
    entries = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw unreadable(setId, "no JSON");
  }
  if (!Array.isArray(entries)) throw unreadable(setId, "no list");
  return entries.map((entry: unknown) => {
    const name = isObject(entry) ? entry["file_name"] : undefined;
    if (!isObject(entry) || typeof name !== "string") throw unreadable(setId, "an image without file_name");
    const annotations = entry["annotations"];
    const list: readonly unknown[] = Array.isArray(annotations) ? annotations : [];
    return { name, boxes: list.flatMap((annotation) => boxesOf(annotation, asked)) };
  });
}

/** One for each of its classes that was asked for. */
function boxesOf(annotation: unknown, asked: ReadonlyMap<string, string>): readonly SourceBox[] {
  if (!isObject(annotation) || !Array.isArray(annotation["classes"])) return [];
  const labels = (annotation["classes"] as readonly unknown[]).flatMap((name) => {
    const label = typeof name === "string" ? asked.get(name.toLowerCase()) : undefined;
    return label === undefined ? [] : [label];
  });
  const shape = rectangle(annotation["bbox"]) ?? outline(annotation["segments"]);
  return shape === undefined ? [] : labels.map((label) => ({ label, unit: "fraction", ...shape }));
}

type Shape = Pick<SourceBox, "box" | "polygon">;

function rectangle(bbox: unknown): Shape | undefined {
  if (!isObject(bbox)) return undefined;
  const [left, top, right, bottom] = ["xmin", "ymin", "xmax", "ymax"].map((key) => numberIn(bbox, key));
  if (left === undefined || top === undefined || right === undefined || bottom === undefined) return undefined;
  return { box: { left, top, width: right - left, height: bottom - top } };
}

function outline(segments: unknown): Shape | undefined {
  if (!Array.isArray(segments)) return undefined;
  const points = (segments as readonly unknown[]).flatMap((point): readonly Point[] => {
    if (!isObject(point)) return [];
    const [x, y] = [numberIn(point, "x"), numberIn(point, "y")];
    return x === undefined || y === undefined ? [] : [{ x, y }];
  });
  if (points.length < 3 || points.length < segments.length) return undefined;
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const box = { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
  return { box, polygon: points };
}

function numberIn(object: JsonObject, key: string): number | undefined {
  const value = object[key];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function unreadable(setId: number, what: string): AgentError {
  return new AgentError("REMO_ANSWER", `exporting annotation set ${setId}: the answer is ${what}`, {
    disposition: "retry",
  });
}
