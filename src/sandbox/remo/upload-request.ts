import { ContractViolation, isObject, jsonObjectBody, onlyKeys, violated, wholeJpeg } from "../checks.ts";
import type { SandboxRequest } from "../http-sandbox.ts";
import { multipartBody, type SandboxPart } from "../multipart.ts";
import { taskNames, type RemoTaskName } from "./csv.ts";
import type { SessionFile } from "./sessions.ts";

/** What `POST /api/dataset/{id}/upload/` was given, before anything is known of dataset and session. */
export interface UploadRequest {
  readonly sessionId: string | undefined;
  readonly task: RemoTaskName | undefined;
  readonly folderId: number | undefined;
  readonly annotationSetId: number | undefined;
  readonly files: readonly UploadedFile[];
  readonly localFiles: readonly string[];
  readonly urls: readonly string[];
}

/** Annotation files are read later: for that the task and the images have to be known. */
export type UploadedFile = Exclude<SessionFile, { kind: "annotations" }> | { kind: "csv"; name: string; bytes: Buffer };

const textParts = ["annotation_task", "session_id", "folder_id", "class_encoding_type", "class_encoding_raw_content"];

export function uploadRequest(request: SandboxRequest): UploadRequest {
  const { headers, query, body } = request;
  for (const key of query.keys()) {
    if (key !== "annotation_set_id" && key !== "folder_id") violated(`the query has the unknown key "${key}"`);
    if (query.getAll(key).length > 1) violated(`the query has "${key}" twice`);
  }
  const contentType = headers["content-type"] ?? "";
  const given = contentType.startsWith("multipart/") ? fromMultipart(contentType, body) : fromJson(contentType, body);
  const inQuery = idIn(query.get("folder_id"), "folder_id");
  if (inQuery !== undefined && given.folderId !== undefined && inQuery !== given.folderId) {
    violated("folder_id differs between query and body");
  }
  return {
    ...given,
    folderId: given.folderId ?? inQuery,
    annotationSetId: idIn(query.get("annotation_set_id"), "annotation_set_id"),
  };
}

type Given = Omit<UploadRequest, "annotationSetId">;

function fromMultipart(contentType: string, body: Buffer): Given {
  const parts = multipartBody(contentType, body);
  const files = parts.filter(({ name }) => name === "files");
  const fields = parts.filter(({ name }) => name !== "files");
  for (const { name, fileName } of fields) {
    if (fileName !== undefined || !textParts.includes(name)) violated(`a part is named "${name}"`);
  }
  if (files.length === 0) violated('no part is named "files"');
  const text = (name: string): string | undefined => {
    const found = fields.filter((part) => part.name === name);
    if (found.length > 1) violated(`the part "${name}" comes twice`);
    return found[0]?.body.toString("utf8");
  };
  return {
    sessionId: text("session_id"),
    task: taskIn(text("annotation_task")),
    folderId: idIn(text("folder_id") ?? null, "folder_id"),
    files: files.map(fileOf),
    localFiles: [],
    urls: [],
  };
}

function fromJson(contentType: string, body: Buffer): Given {
  const json = jsonObjectBody(contentType, body);
  const known = ["local_files", "urls", "annotation_task", "folder_id", "class_encoding", "session_id"];
  onlyKeys(json, [], "the upload", known);
  const { folder_id: folderId, session_id: sessionId, annotation_task: task } = json;
  if (folderId !== undefined && typeof folderId !== "number") violated("folder_id is no number");
  if (sessionId !== undefined && typeof sessionId !== "string") violated("session_id is no text");
  if (task !== undefined && typeof task !== "string") violated("annotation_task is no text");
  const localFiles = textsIn(json["local_files"], "local_files");
  const urls = textsIn(json["urls"], "urls");
  if (localFiles.length + urls.length === 0) violated("the upload names neither local_files nor urls");
  for (const url of urls) if (!/^https?:\/\//.test(url)) violated(`"${url}" is no address`);
  return { sessionId, task: taskIn(task), folderId, files: [], localFiles, urls };
}

function fileOf({ fileName, body }: SandboxPart): UploadedFile {
  if (fileName === undefined || fileName === "") return violated('a part "files" has no filename');
  const name = fileName;
  const extension = /\.[a-z0-9]+$/.exec(name.toLowerCase())?.[0] ?? "";
  if ([".jpg", ".jpeg"].includes(extension)) return jpegFile(name, body);
  if ([".png", ".tiff", ".tif"].includes(extension)) {
    return { kind: "image", name, picture: { sha256: "", width: 0, height: 0, sizeBytes: body.length } };
  }
  if ([".csv", ".json", ".xml"].includes(extension)) return { kind: "csv", name, bytes: body };
  if ([".zip", ".tar", ".gz", ".bz2"].includes(extension)) return { kind: "archive", name };
  return { kind: "refused", name, error: "File content type not supported" };
}

/** A damaged picture is the server's finding, which its status tells. */
function jpegFile(name: string, body: Buffer): UploadedFile {
  try {
    return { kind: "image", name, picture: wholeJpeg(body), bytes: Buffer.from(body) };
  } catch (error) {
    if (!(error instanceof ContractViolation)) throw error;
    return { kind: "refused", name, error: `Failed to upload image, error: ${error.message}` };
  }
}

function taskIn(text: string | undefined): RemoTaskName | undefined {
  if (text === undefined) return undefined;
  return taskNames.find((name) => name === text) ?? violated(`annotation_task is "${text}"`);
}

function idIn(text: string | null, what: string): number | undefined {
  if (text === null) return undefined;
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : violated(`${what} is "${text}", no id`);
}

function textsIn(value: unknown, what: string): readonly string[] {
  if (value === undefined) return [];
  const texts: readonly unknown[] = Array.isArray(value) ? value : violated(`${what} is no list`);
  return texts.map((text) => (typeof text === "string" ? text : violated(`${what} holds something else than texts`)));
}

/** Whether a JSON body is an object with exactly a text `name`. */
export function nameIn(value: unknown, maxKeys: readonly string[] = ["name"]): string {
  if (!isObject(value)) return violated("the body is no object");
  onlyKeys(value, maxKeys, "the body");
  const { name } = value;
  return typeof name === "string" && name.trim() !== "" ? name : violated('"name" is no text');
}
