import { AgentError } from "../../core/errors.ts";
import { remoLimits } from "../../core/platform-limits.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { RemoCalls } from "./calls.ts";
import { annotationSetOf, answerError, namedOf, objectOf, type RemoAnnotationSet, type RemoNamed } from "./parse.ts";
import type { RemoTask } from "./uploads.ts";

export interface NewAnnotationSet {
  readonly datasetId: number;
  readonly name: string;
  readonly annotationTask: RemoTask;
  readonly classes: readonly string[];
}

export interface ExportOptions {
  readonly annotationFormat: "json" | "coco" | "csv";
  /** The server's own path of each image instead of its name. */
  readonly fullPath: boolean;
  /** `percent` means fractions of the image, 0 to 1. */
  readonly exportCoordinates: "pixel" | "percent";
  /** True makes it a zip with the tags beside the annotations. */
  readonly exportTags?: boolean;
}

export interface RemoExport {
  readonly bytes: Buffer;
  /** By the file's own signature: a server may answer with an archive although none was asked for. */
  readonly isZip: boolean;
}

const base = "/api/v1/ui/annotation-sets/";

/**
 * Annotation sets, their classes and tags. Names of classes come back as the server writes them: it knows each only with
 * one capital first letter (`person` becomes `Person`). A rename answers with an id that may be another one.
 */
export class RemoAnnotationSets {
  readonly #calls: RemoCalls;

  constructor(calls: RemoCalls) {
    this.#calls = calls;
  }

  /** `POST /api/v1/ui/annotation-sets/`. A name that the dataset has already is refused with 400. */
  async create(
    { datasetId, name, annotationTask, classes }: NewAnnotationSet,
    signal: AbortSignal,
  ): Promise<RemoAnnotationSet> {
    const json = { annotation_task: annotationTask, classes, dataset_id: datasetId, name };
    return annotationSetOf(await this.#calls.json({ method: "POST", path: base, json }, signal), base);
  }

  /**
   * `POST /api/annotation-set/`: deprecated by the document, which shows it with the number of the task (1 to 3) and with
   * classes that exist already. Use `create`.
   */
  async createDeprecated(
    set: {
      readonly datasetId: number;
      readonly name: string;
      readonly task: 1 | 2 | 3;
      readonly classes: readonly RemoNamed[];
    },
    signal: AbortSignal,
  ): Promise<JsonObject> {
    const path = "/api/annotation-set/";
    const json = { task: set.task, classes: set.classes, dataset: set.datasetId, name: set.name, type: "image" };
    return objectOf(await this.#calls.json({ method: "POST", path, json }, signal), path);
  }

  /** `GET /api/v1/ui/annotation-sets/{id}/` (vendor's client). */
  async get(setId: number, signal: AbortSignal): Promise<RemoAnnotationSet> {
    const path = `${base}${setId}/`;
    return annotationSetOf(await this.#calls.json({ method: "GET", path }, signal), path);
  }

  /** `PUT /api/v1/ui/annotation-sets/{id}/`. */
  async rename(setId: number, name: string, signal: AbortSignal): Promise<RemoNamed> {
    return this.#named("PUT", `${base}${setId}/`, name, signal);
  }

  /** `GET /api/v1/ui/datasets/{id}/annotation-sets/`, one page, as the server answers it. */
  async listPage(datasetId: number, limit: number | undefined, signal: AbortSignal): Promise<JsonObject> {
    const path = `/api/v1/ui/datasets/${datasetId}/annotation-sets/`;
    return objectOf(await this.#calls.json({ method: "GET", path, query: { limit } }, signal), path);
  }

  /** All sets of a dataset, page by page. */
  async list(datasetId: number, signal: AbortSignal): Promise<readonly RemoAnnotationSet[]> {
    const path = `/api/v1/ui/datasets/${datasetId}/annotation-sets/`;
    const sets: RemoAnnotationSet[] = [];
    for await (const item of this.#calls.pages({ method: "GET", path, query: { limit: 100 } }, signal)) {
      sets.push(annotationSetOf(item, path));
    }
    return sets;
  }

  /** `GET /api/annotation-set/{id}/` (vendor's client): the classes of the set. */
  async listClasses(setId: number, signal: AbortSignal): Promise<readonly RemoNamed[]> {
    const path = `/api/annotation-set/${setId}/`;
    return annotationSetOf(await this.#calls.json({ method: "GET", path }, signal), path).classes;
  }

  /** `POST …/annotation-sets/{id}/classes/`. */
  addClass(setId: number, name: string, signal: AbortSignal): Promise<RemoNamed> {
    return this.#named("POST", `${base}${setId}/classes/`, name, signal);
  }

  /** `PUT …/annotation-sets/{id}/classes/{cid}/`: use the id of the answer from then on. */
  renameClass(setId: number, classId: number, name: string, signal: AbortSignal): Promise<RemoNamed> {
    return this.#named("PUT", `${base}${setId}/classes/${classId}/`, name, signal);
  }

  /** `DELETE …/annotation-sets/{id}/classes/{cid}/`. */
  deleteClass(setId: number, classId: number, signal: AbortSignal): Promise<void> {
    return this.#calls.done({ method: "DELETE", path: `${base}${setId}/classes/${classId}/` }, signal);
  }

  /** `POST /api/common-class/`: into the list that all sets share. */
  createCommonClass(name: string, signal: AbortSignal): Promise<RemoNamed> {
    return this.#named("POST", "/api/common-class/", name, signal);
  }

  /** `GET …/annotation-sets/{id}/tags/`. */
  async listTags(setId: number, signal: AbortSignal): Promise<readonly RemoNamed[]> {
    const path = `${base}${setId}/tags/`;
    const tags: RemoNamed[] = [];
    for await (const item of this.#calls.pages({ method: "GET", path }, signal)) tags.push(namedOf(item, path));
    return tags;
  }

  /** `PUT …/annotation-sets/{id}/tags/{tid}/`: use the id of the answer from then on. */
  renameTag(setId: number, tagId: number, name: string, signal: AbortSignal): Promise<RemoNamed> {
    return this.#named("PUT", `${base}${setId}/tags/${tagId}/`, name, signal);
  }

  /** `DELETE …/annotation-sets/{id}/tags/{tid}/`: from all images of the set. */
  deleteTag(setId: number, tagId: number, signal: AbortSignal): Promise<void> {
    return this.#calls.done({ method: "DELETE", path: `${base}${setId}/tags/${tagId}/` }, signal);
  }

  /** `POST …/annotation-sets/{id}/images/{img}/tags/`: the answered id is the one to remove it with. */
  addImageTag(setId: number, imageId: number, name: string, signal: AbortSignal): Promise<RemoNamed> {
    return this.#named("POST", `${base}${setId}/images/${imageId}/tags/`, name, signal);
  }

  /** `DELETE …/annotation-sets/{id}/images/{img}/tags/{tid}/`. */
  removeImageTag(setId: number, imageId: number, tagId: number, signal: AbortSignal): Promise<void> {
    return this.#calls.done({ method: "DELETE", path: `${base}${setId}/images/${imageId}/tags/${tagId}/` }, signal);
  }

  /** `GET /api/dataset/{d}/annotation-set/{s}/image/{i}/annotation/` (vendor's client): the objects of one image. */
  async annotationOf(
    datasetId: number,
    setId: number,
    imageId: number,
    signal: AbortSignal,
  ): Promise<readonly unknown[]> {
    const path = `/api/dataset/${datasetId}/annotation-set/${setId}/image/${imageId}/annotation/`;
    const value = await this.#calls.json({ method: "GET", path }, signal);
    const objects: unknown = isObject(value) ? value["annotation_info"] : value;
    if (!Array.isArray(objects)) throw answerError(path, "no annotation_info");
    return objects as readonly unknown[];
  }

  /**
   * `GET …/annotation-sets/{id}/export/`. `export_tags=false` is always said: the vendor's client asks for a zip by
   * default. Fails with `HTTP_ANSWER_TOO_LARGE` beyond 256 MB.
   */
  async export(setId: number, options: ExportOptions, signal: AbortSignal): Promise<RemoExport> {
    const { annotationFormat, fullPath, exportCoordinates, exportTags = false } = options;
    const path = `${base}${setId}/export/`;
    const query = {
      annotation_format: annotationFormat,
      full_path: fullPath,
      export_coordinates: exportCoordinates,
      export_tags: exportTags,
    };
    const call = { method: "GET", path, query, answerBytesMax: remoLimits.fileBytesMax } as const;
    const { body } = await this.#calls.bytes(call, signal);
    if (body.length === 0) {
      throw new AgentError("REMO_ANSWER", `GET ${path}: an empty export`, { disposition: "retry" });
    }
    return { bytes: body, isZip: body.toString("latin1", 0, 4) === "PK\u0003\u0004" };
  }

  async #named(method: "POST" | "PUT", path: string, name: string, signal: AbortSignal): Promise<RemoNamed> {
    return namedOf(await this.#calls.json({ method, path, json: { name } }, signal), path);
  }
}
