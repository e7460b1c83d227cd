import { AgentError } from "../../core/errors.ts";
import { isObject, type JsonObject } from "../json.ts";

/** What remo answers, from `unknown`. `what` is the request, for the error's text; a missing fact fails with `REMO_ANSWER`. */

export interface RemoNamed {
  readonly id: number;
  readonly name: string;
}

export interface RemoAnnotationSet extends RemoNamed {
  /** One of the three texts, for example `Object detection`. */
  readonly task: string | undefined;
  readonly datasetId: number | undefined;
  readonly classes: readonly RemoNamed[];
}

/** One image of a dataset. */
export interface RemoImage extends RemoNamed {
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** Of the file itself; mostly relative to the server. */
  readonly url: string | undefined;
}

export function objectOf(value: unknown, what: string): JsonObject {
  if (!isObject(value)) throw answerError(what, "no object");
  // Old servers refuse with 200 and this key.
  if (typeof value["error"] === "string") throw answerError(what, `the error "${value["error"].slice(0, 200)}"`);
  return value;
}

/** The token of a login. */
export function keyOf(value: unknown, what: string): string {
  const key = isObject(value) ? value["key"] : undefined;
  // A header takes nothing else.
  if (typeof key !== "string" || !/^[\x21-\x7e]{1,1024}$/.test(key)) throw answerError(what, "no usable key");
  return key;
}

/** Of a page, or of the bare lists that some operations answer. */
export function pageOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const results = isObject(value) ? value["results"] : undefined;
  if (!Array.isArray(results)) throw answerError(what, "no page of results");
  return results;
}

export function nextOf(value: unknown): string | undefined {
  const next = isObject(value) ? value["next"] : undefined;
  return typeof next === "string" && next !== "" ? next : undefined;
}

export function namedOf(value: unknown, what: string): RemoNamed {
  const object = objectOf(value, what);
  return { id: idOf(object["id"], what), name: textOf(object["name"], "name", what) };
}

/** `task` and `dataset` come as texts and numbers from some operations and as objects from others. */
export function annotationSetOf(value: unknown, what: string): RemoAnnotationSet {
  const object = objectOf(value, what);
  const { task, dataset, classes } = object as { task?: unknown; dataset?: unknown; classes?: unknown };
  const taskName = isObject(task) ? task["name"] : task;
  const datasetId = object["dataset_id"] ?? (isObject(dataset) ? dataset["id"] : dataset);
  return {
    ...namedOf(object, what),
    task: typeof taskName === "string" ? taskName : taskByNumber(taskName),
    datasetId: numberOf(datasetId),
    classes: Array.isArray(classes) ? classes.map((item) => namedOf(item, what)) : [],
  };
}

export function imageOf(value: unknown, what: string): RemoImage {
  const object = objectOf(value, what);
  const dimensions = Array.isArray(object["dimensions"]) ? (object["dimensions"] as readonly unknown[]) : [];
  const url = object["url"];
  return {
    ...namedOf(object, what),
    width: numberOf(object["width"] ?? dimensions[0]),
    height: numberOf(object["height"] ?? dimensions[1]),
    url: typeof url === "string" && url !== "" ? url : undefined,
  };
}

export function idOf(value: unknown, what: string): number {
  const id = numberOf(value);
  if (id === undefined || !Number.isSafeInteger(id) || id < 0) throw answerError(what, "no id");
  return id;
}

export function textOf(value: unknown, key: string, what: string): string {
  if (typeof value !== "string") throw answerError(what, `no ${key}`);
  return value;
}

/** Some answers write numbers as texts. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

/** As the document counts them. */
function taskByNumber(value: unknown): string | undefined {
  return ["Object detection", "Instance segmentation", "Image classification"][(numberOf(value) ?? 0) - 1];
}

export function answerError(what: string, came: string): AgentError {
  return new AgentError("REMO_ANSWER", `${what}: the answer is not remo's: ${came}`, { disposition: "retry" });
}
