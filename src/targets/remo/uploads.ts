import { multipartBody, type FormPart, type MultipartBody } from "../../link/multipart.ts";
import type { HttpAnswer, StatusContext } from "../../link/http-status.ts";
import { jsonAnswer, jsonOf, refusalError } from "../platform-answer.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { RemoCalls } from "./calls.ts";
import { answerError, objectOf, textOf } from "./parse.ts";
import { sessionStatusOf, type RemoSessionStatus } from "./session-status.ts";

/** The three tasks, in the exact words of the API. */
export const remoTasks = ["Object detection", "Instance segmentation", "Image classification"] as const;

export type RemoTask = (typeof remoTasks)[number];

export interface RemoFile {
  readonly name: string;
  readonly bytes: Buffer;
  /** The vendor's client sends one for pictures and archives, and none for annotation files. */
  readonly contentType?: string;
}

export interface UploadOptions {
  readonly annotationSetId?: number | undefined;
  readonly annotationTask?: RemoTask | undefined;
  readonly folderId?: number | undefined;
  /** Of `openSession`. Without one, servers since 2020 put the files into a session that nobody completes. */
  readonly sessionId?: string | undefined;
}

/** Uploads into a dataset, and the sessions that bind them together. */
export class RemoUploads {
  readonly #calls: RemoCalls;

  constructor(calls: RemoCalls) {
    this.#calls = calls;
  }

  /**
   * `POST /api/dataset/{id}/upload/` with files: images, annotation files and archives, in parts named `files`. The set
   * goes into the query. The folder goes into query and body alike: the document and the vendor's client disagree which of
   * the two is read.
   */
  async files(
    datasetId: number,
    files: readonly RemoFile[],
    options: UploadOptions,
    signal: AbortSignal,
  ): Promise<JsonObject> {
    const { annotationTask, sessionId, folderId } = options;
    const parts: FormPart[] = [
      ...field("annotation_task", annotationTask),
      ...field("session_id", sessionId),
      ...field("folder_id", folderId),
      ...files.map(({ name, bytes, contentType }) => ({
        name: "files",
        fileName: name,
        ...(contentType === undefined ? {} : { contentType }),
        value: bytes,
      })),
    ];
    return this.#upload(datasetId, { form: multipartBody(parts) }, options, signal);
  }

  /**
   * `POST /api/dataset/{id}/upload/` with JSON: files and folders that lie on the server's own disk (`localFiles`, never
   * on this machine's), and addresses of images, annotation files and archives that the server fetches (`urls`).
   */
  async link(
    datasetId: number,
    { localFiles, urls }: { readonly localFiles: readonly string[]; readonly urls: readonly string[] },
    options: UploadOptions,
    signal: AbortSignal,
  ): Promise<JsonObject> {
    const { annotationTask, sessionId, folderId } = options;
    const json = {
      ...(localFiles.length === 0 ? {} : { local_files: localFiles }),
      ...(urls.length === 0 ? {} : { urls }),
      ...(annotationTask === undefined ? {} : { annotation_task: annotationTask }),
      ...(folderId === undefined ? {} : { folder_id: folderId }),
      ...(sessionId === undefined ? {} : { session_id: sessionId }),
    };
    return this.#upload(datasetId, { json }, options, signal);
  }

  /** `POST /api/v1/ui/uploads/` (vendor's client, since 2020-05): the session's id. Nothing in it counts before `completeSession`. */
  async openSession(datasetId: number, signal: AbortSignal): Promise<string> {
    const path = "/api/v1/ui/uploads/";
    const answer = objectOf(
      await this.#calls.json({ method: "POST", path, json: { dataset_id: datasetId } }, signal),
      path,
    );
    const id = textOf(answer["session_id"], "session_id", path);
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw answerError(path, "a session_id of a strange form");
    return id;
  }

  /**
   * `POST /api/v1/ui/uploads/{sid}/complete/`: the server begins to work on what the session holds. True when it did so
   * now; false when it knows no such session or has begun before, which it answers alike with 404.
   */
  async completeSession(sessionId: string, signal: AbortSignal): Promise<boolean> {
    const path = `/api/v1/ui/uploads/${encodeURIComponent(sessionId)}/complete/`;
    const { answer, context } = await this.#calls.answer({ method: "POST", path }, signal);
    if (answer.status >= 200 && answer.status < 300) return true;
    if (answer.status === 404 && isObject(jsonOf(answer.body))) return false;
    throw refusalError(answer, context);
  }

  /** `GET /api/v1/ui/uploads/{sid}/status/`; undefined when the server knows no such session. */
  async sessionStatus(sessionId: string, signal: AbortSignal): Promise<RemoSessionStatus | undefined> {
    const path = `/api/v1/ui/uploads/${encodeURIComponent(sessionId)}/status/`;
    const { answer, context } = await this.#calls.answer({ method: "GET", path }, signal);
    if (answer.status === 404 && isObject(jsonOf(answer.body))) return undefined;
    return sessionStatusOf(jsonAnswer(answer, context), path);
  }

  async #upload(
    datasetId: number,
    body: { readonly json: object } | { readonly form: MultipartBody },
    { annotationSetId, folderId }: UploadOptions,
    signal: AbortSignal,
  ): Promise<JsonObject> {
    const path = `/api/dataset/${datasetId}/upload/`;
    const query = { annotation_set_id: annotationSetId, folder_id: folderId };
    const { answer, context } = await this.#calls.answer({ method: "POST", path, query, ...body }, signal);
    return uploadAnswer(answer, context);
  }
}

/** An upload that answers 200 may say in `errors` that it failed. */
function uploadAnswer(answer: HttpAnswer, context: StatusContext): JsonObject {
  const value = jsonAnswer(answer, context, [200, 201, 202]);
  return objectOf(value, context.attempted);
}

function field(name: string, value: string | number | undefined): readonly FormPart[] {
  return value === undefined ? [] : [{ name, value: String(value) }];
}
