import { isObject, type JsonObject } from "../json.ts";
import type { IotownLabel } from "./encode.ts";

/**
 * What IoT.own answers, from `unknown`. A parser calls `fail` with what it found instead; the client makes an error of
 * it that names the request.
 */

type Fail = (what: string) => never;

export interface AnnotatedImage {
  /** Addresses the picture; the answer also has an `_id`, which does not. */
  readonly id: string;
  readonly labels: readonly IotownLabel[];
}

/** One row of stored data, as the server gave it. */
export interface StorageRow extends JsonObject {
  readonly _id?: unknown;
  /** What was sent as `data`, or `meta` with `file_id`, `file_size` and `file_type` for each file. */
  readonly value?: unknown;
}

export interface StoragePage {
  readonly data: readonly StorageRow[];
  /** For the next page; absent on the last. */
  readonly lastKey?: string;
}

export interface UploadedFile {
  readonly fileId: string;
  readonly sizeBytes?: number;
}

/** `{"result":[{"id":…,"labels":[{"name","x","y","w","h"}…]}…]}`; the vendor's consumer also takes numbers in strings. */
export function annotatedImages(answer: unknown, fail: Fail): readonly AnnotatedImage[] {
  return listIn(answer, "result", fail).map((item, at) => {
    if (!isObject(item)) return fail(`a result ${at} that is no object`);
    const id = textOf(item["id"]) ?? fail(`a result ${at} without an id`);
    const { labels } = item;
    if (!Array.isArray(labels)) return fail(`a result ${at} without labels`);
    return { id, labels: labels.map((label: unknown) => labelOf(label, at, fail)) };
  });
}

export function storagePage(answer: unknown, fail: Fail): StoragePage {
  const data = listIn(answer, "data", fail).map((row, at) => (isObject(row) ? row : fail(`a row ${at} of no object`)));
  const key = isObject(answer) ? answer["lastKey"] : undefined;
  if (key === undefined || key === null) return { data };
  return { data, lastKey: textOf(key) ?? fail("a lastKey that is no text") };
}

/** `{"files":[{"file_id":…,"file_size":…}]}`; the vendor's client uses the first. */
export function uploadedFile(answer: unknown, fail: Fail): UploadedFile {
  const [first] = listIn(answer, "files", fail);
  if (!isObject(first)) return fail("no file");
  const fileId = textOf(first["file_id"]) ?? fail("a file without file_id");
  const sizeBytes = numberOf(first["file_size"]);
  return sizeBytes === undefined ? { fileId } : { fileId, sizeBytes };
}

export function nodeList(answer: unknown, fail: Fail): readonly JsonObject[] {
  return listIn(answer, "nodes", fail).map((node, at) => (isObject(node) ? node : fail(`a node ${at} of no object`)));
}

/** Undefined where the server knows no such node and says so with success. */
export function nodeIn(answer: unknown): JsonObject | undefined {
  const node = isObject(answer) ? answer["node"] : undefined;
  return isObject(node) && Object.keys(node).length > 0 ? node : undefined;
}

/** `{"command":[{"fCnt":…,…}…]}`: what has not been sent yet. */
export function pendingCommands(answer: unknown, fail: Fail): readonly JsonObject[] {
  return listIn(answer, "command", fail).map((entry, at) =>
    isObject(entry) ? entry : fail(`a command ${at} of no object`),
  );
}

/** The LoRaWAN frame counter of a queued command. */
export function frameCounter(answer: unknown): number | undefined {
  return isObject(answer) ? numberOf(answer["fCnt"]) : undefined;
}

/** By the first bytes: a server that lost a picture may answer with anything. */
export function isImage(bytes: Buffer): boolean {
  const head = bytes.toString("latin1", 0, 12);
  return /^(\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM|RIFF....WEBP)/s.test(head);
}

function labelOf(label: unknown, at: number, fail: Fail): IotownLabel {
  if (!isObject(label)) return fail(`a label of result ${at} that is no object`);
  const name = textOf(label["name"]) ?? fail(`a label of result ${at} without a name`);
  const number = (key: string): number =>
    numberOf(label[key]) ?? fail(`a label of result ${at} whose ${key} is no number`);
  return { name, x: number("x"), y: number("y"), w: number("w"), h: number("h") };
}

function listIn(answer: unknown, key: string, fail: Fail): readonly unknown[] {
  const list = isObject(answer) ? answer[key] : undefined;
  return Array.isArray(list) ? list : fail(`no list "${key}"`);
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}
