import type { HttpCaller } from "../../link/http.ts";
import { jsonAnswer } from "../platform-answer.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { AnnotatedImage, WantedLabels } from "./annotations.ts";
import { idOf, labelReferenceOf, numberOf, objectAnswer, type LabelReference } from "./answers.ts";
import { type LayernextAccess, LayernextRequests, pathPart } from "./api.ts";
import { imageUpdate } from "./encode.ts";
import type { Generation } from "./generation.ts";
import { LayernextImages } from "./images.ts";
import { annotationOperation, imageCollection, objectLabel, operationModes, pythonBoolean, wire } from "./names.ts";

/** Images in one data call. */
const imagesPerCallMax = 1_000;

export type JobStatus = "in-progress" | "completed" | "queued" | "failed";

const jobStatuses: ReadonlyMap<number, JobStatus> = new Map([
  [1, "in-progress"],
  [2, "completed"],
  [3, "queued"],
  [4, "failed"],
]);

export interface JobState {
  readonly status: JobStatus;
  /** 0 to 100. */
  readonly progress: number;
}

export interface AnnotationUpload {
  /** Name of the model run. Sent again under the same one, annotations replace those that are there. */
  readonly operationId: string;
  readonly kind: keyof typeof operationModes;
  readonly images: readonly AnnotatedImage[];
  /** Of every label and attribute value that occurs. */
  readonly references: ReadonlyMap<string, LabelReference>;
  /** Coordinates are fractions of the image. */
  readonly isNormalized?: boolean;
  /** Wall clock. */
  readonly nowMs: number;
  /** Called after each call of at most 1,000 images. */
  readonly onProgress?: (uploaded: number, total: number) => void;
}

/**
 * The operations of LayerNext's data lake, one method each; those of an image upload are in `images`. Every method throws an
 * AgentError, whose code is in core/outcome.ts or named beside it; its text never holds the secret. None retries. Sources:
 * recordings of the vendor's Python clients; which fact comes from where is in this folder's README.
 */
export class LayernextClient {
  readonly images: LayernextImages;
  readonly #requests: LayernextRequests;

  /** `storage` takes the images' bytes, at another host than the API and without its credentials. */
  constructor(access: LayernextAccess, link: HttpCaller, storage: HttpCaller = link) {
    this.#requests = new LayernextRequests(access, link);
    this.images = new LayernextImages(this.#requests, access, storage);
  }

  get generation(): Generation {
    return this.#requests.generation;
  }

  /** `GET client/getDetails/system`: sends no data, so it serves as a check of address and credentials. */
  async systemDetails(signal: AbortSignal): Promise<unknown> {
    const { answer, context } = await this.#requests.get("/client/getDetails/system", signal);
    return jsonAnswer(answer, context);
  }

  /** `GET client/sdk/compatibility/{version}`: what 1.x and 2.x clients ask first. */
  async compatibility(version: string, signal: AbortSignal): Promise<JsonObject> {
    return objectAnswer(await this.#requests.get(`/client/sdk/compatibility/${pathPart(version)}`, signal));
  }

  /** `GET client/jobs/{jobId}/getStatus`. A failed job is an answer, not an error: the vendor's clients call it done. */
  async jobStatus(jobId: string, signal: AbortSignal): Promise<JobState> {
    const answered = await this.#requests.get(`/client/jobs/${pathPart(jobId)}/getStatus`, signal);
    const fields = objectAnswer(answered);
    // A number that nobody has documented is no end: it is asked for again.
    const status = jobStatuses.get(numberOf(fields, "status", answered)) ?? "in-progress";
    const { progress } = fields;
    return { status, progress: typeof progress === "number" ? progress : 0 };
  }

  /**
   * `POST client/system/label/references`: what the server calls labels, their attributes and values. A label that it does
   * not know is missing from the answer.
   */
  async labelReferences(labels: WantedLabels, signal: AbortSignal): Promise<ReadonlyMap<string, LabelReference>> {
    const asked = [...labels].map(([label, attributes]) => {
      const values = [...attributes].map(([name, texts]) => [name, [...texts]]);
      return [label, Object.fromEntries(values)] as const;
    });
    const body = { labels: Object.fromEntries(asked) as object, userName: wire.userName };
    const answered = await this.#requests.post("/client/system/label/references", body, signal);
    // "No references": none of these labels.
    if (answered.answer.status === 204) return new Map();
    const found = Object.entries(objectAnswer(answered)).flatMap(([label, value]) => {
      const reference = labelReferenceOf(value, wire.reference);
      return reference === undefined ? [] : [[label, reference] as const];
    });
    return new Map(found);
  }

  /** `POST client/system/labels/create`: the answer is the new label's reference. */
  async createLabel(label: string, description: string, signal: AbortSignal): Promise<string> {
    const body = {
      label: { labelText: label, description, attributes: [], imgFiles: [], type: objectLabel },
      userName: wire.userName,
    };
    const answered = await this.#requests.post("/client/system/labels/create", body, signal);
    return idOf(objectAnswer(answered), "label", answered);
  }

  /** `POST client/metadata/getCollectionIdByName`, for collections of images. */
  async collectionId(name: string, signal: AbortSignal): Promise<string> {
    const body = { collectionName: name, objectType: imageCollection };
    const answered = await this.#requests.post("/client/metadata/getCollectionIdByName", body, signal);
    return idOf(objectAnswer(answered), "collectionId", answered);
  }

  /** `POST client/metadata/getCollectionDetails`: `itemDetails` with the fields that were asked for. */
  async collectionDetails(
    collectionId: string,
    signal: AbortSignal,
    wanted: readonly string[] = [wire.storagePath],
  ): Promise<JsonObject> {
    const requiredMetaObj = Object.fromEntries(wanted.map((field) => [field, true]));
    const body = { collectionId, requiredMetaObj };
    const fields = objectAnswer(await this.#requests.post("/client/metadata/getCollectionDetails", body, signal));
    return isObject(fields["itemDetails"]) ? fields["itemDetails"] : {};
  }

  /**
   * `POST metadata/operationdata/…/update`, at most 1,000 images a call: a model run or ground truth for images that the
   * server has. Status and body are checked, which the vendor's clients do not do. Fails with `LABEL_UNKNOWN` before
   * anything is sent, and with `PLATFORM_FAILED` when the server says that it did not succeed.
   */
  async uploadAnnotations(upload: AnnotationUpload, signal: AbortSignal): Promise<void> {
    const { images, operationId, isNormalized = false, nowMs } = upload;
    const { modeInPath } = this.generation;
    const mode = operationModes[upload.kind];
    const typed = modeInPath ? `${annotationOperation}/${mode}/` : "";
    const query = `${wire.isNormalized}=${pythonBoolean(isNormalized)}`;
    const path = `/metadata/operationdata/${typed}${pathPart(operationId)}/update?${query}`;
    const form = { ...upload, generation: this.generation, isGroundTruth: upload.kind === "groundTruth" };
    const updates = images.map((image) => imageUpdate(image, form));
    const sessionId = (nowMs / 1_000).toFixed(6);
    for (let at = 0; at < updates.length; at += imagesPerCallMax) {
      const batch = updates.slice(at, at + imagesPerCallMax);
      const body = {
        [wire.updates]: JSON.stringify(batch),
        [wire.sessionId]: sessionId,
        [wire.totalImages]: updates.length,
        [wire.uploadedImages]: at + batch.length,
        ...(modeInPath ? {} : { [wire.operationMode]: mode, [wire.operationType]: annotationOperation }),
      };
      objectAnswer(await this.#requests.post(path, body, signal));
      upload.onProgress?.(at + batch.length, updates.length);
    }
  }
}
