import {
  isObject,
  jsonObjectBody,
  onlyKeys,
  strictBase64,
  violated,
  wholeJpeg,
  type JsonObject,
  type LabelledBox,
  type SandboxPicture,
} from "../checks.ts";
import { multipartBody, type SandboxPart } from "../multipart.ts";
import { parseLabel, type SandboxLabel } from "./contract.ts";

/** IoT.own's `data`, `file` and `command` as a strict server would read them, from the vendor's documents and client. */

export interface SandboxFile {
  readonly part: string;
  readonly fileName: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** A picture in a row, and what was said to be on it. */
export interface SandboxFrame extends SandboxPicture {
  readonly detected: readonly SandboxLabel[];
}

export interface SandboxData {
  readonly nid: string;
  /** As sent; a file-bearing value still lacks what the server adds. */
  readonly value: JsonObject;
  /** By the key of `value` that names them. */
  readonly files: ReadonlyMap<string, SandboxFile>;
  readonly frames: readonly SandboxFrame[];
}

/** `plain`: a value of `meta` has `type` and `file` and nothing else, which is all that is documented. */
export function parseData(contentType: string, body: Buffer, plain: boolean): SandboxData {
  return /^multipart\//i.test(contentType) ? parseForm(contentType, body, plain) : parseJson(contentType, body);
}

function parseJson(contentType: string, body: Buffer): SandboxData {
  const payload = jsonObjectBody(contentType, body);
  onlyKeys(payload, ["type", "nid", "data"], "the payload");
  if (payload["type"] !== "2") violated('"type" is not the string "2"');
  const { data } = payload;
  if (!isObject(data) || Object.keys(data).length === 0) return violated('"data" is no object with something in it');
  const detected = detectedIn(data);
  const frames = Object.entries(data).flatMap(([key, value]) => {
    if (typeof value !== "string" || !value.startsWith("/9j/")) return [];
    return [{ ...wholeJpeg(strictBase64(value, `"${key}"`)), detected }];
  });
  return { nid: nidOf(payload), value: data, files: new Map(), frames };
}

function parseForm(contentType: string, body: Buffer, plain: boolean): SandboxData {
  const parts = multipartBody(contentType, body);
  const texts = parts.slice(0, 3);
  if (texts.map(({ name }) => name).join() !== "type,nid,meta")
    violated("the form does not begin with type, nid, meta");
  if (texts.some(({ fileName }) => fileName !== undefined)) violated("type, nid or meta has a file name");
  const [type = "", nid = "", metaText = ""] = texts.map(({ body: bytes }) => bytes.toString("utf8"));
  if (type !== "2") violated('"type" is not "2"');
  const meta = metaOf(metaText);
  const parted = filesOf(parts.slice(3));
  const files = new Map<string, SandboxFile>();
  const frames: SandboxFrame[] = [];
  for (const [key, entry] of Object.entries(meta)) {
    if (!isObject(entry)) return violated(`meta "${key}" is no object`);
    if (plain) onlyKeys(entry, ["type", "file"], `meta "${key}"`);
    const { type: kind, file } = entry;
    if (typeof kind !== "string" || kind === "") return violated(`meta "${key}" has no type`);
    const part = typeof file === "string" ? parted.get(file) : undefined;
    if (part === undefined) return violated(`meta "${key}" names the file ${JSON.stringify(file)}, which is no part`);
    files.set(key, { part: part.name, fileName: part.fileName ?? "", type: kind, bytes: part.body });
    if (kind === "image") frames.push({ ...wholeJpeg(part.body), detected: detectedIn(entry) });
  }
  if (files.size !== parted.size) violated("a file is named by no meta, or by two");
  return { nid: nidOf({ nid }), value: meta, files, frames };
}

function metaOf(text: string): JsonObject {
  let meta: unknown;
  try {
    meta = JSON.parse(text);
  } catch {
    return violated("meta is no JSON");
  }
  return isObject(meta) && Object.keys(meta).length > 0 ? meta : violated("meta is no object with something in it");
}

function filesOf(parts: readonly SandboxPart[]): ReadonlyMap<string, SandboxPart> {
  const files = new Map<string, SandboxPart>();
  for (const part of parts) {
    if (part.name === "data") violated("data stands beside meta");
    if (part.fileName === undefined || part.fileName === "") violated(`the part "${part.name}" has no file name`);
    if (files.has(part.name)) violated(`two parts are named "${part.name}"`);
    files.set(part.name, part);
  }
  return files;
}

/** The vendor's convention: labels with a score. Absent is as good as empty. */
function detectedIn(value: JsonObject): readonly SandboxLabel[] {
  const { detected } = value;
  if (detected === undefined) return [];
  if (!Array.isArray(detected)) return violated("detected is no list");
  return detected.map((item: unknown) => {
    if (!isObject(item)) return violated("a detection is no object");
    onlyKeys(item, ["name", "x", "y", "w", "h", "score"], "a detection");
    const { score, ...label } = item;
    if (typeof score !== "number" || score < 0 || score > 1) return violated("a detection's score is no fraction");
    return parseLabel(label);
  });
}

export function framedBoxes({ detected, width, height }: SandboxFrame): readonly LabelledBox[] {
  return detected.map(({ name, x, y, w, h }) => ({
    label: name,
    box: { left: (x - w / 2) * width, top: (y - h / 2) * height, width: w * width, height: h * height },
  }));
}

/** A file of its own: one part, named after the data's key. */
export function parseFileUpload(contentType: string, body: Buffer): SandboxFile {
  const [part, ...others] = multipartBody(contentType, body);
  if (part === undefined || others.length > 0) return violated("the form is not one file");
  if (part.fileName !== part.name) violated("the file name is not the name of its part");
  return { part: part.name, fileName: part.name, type: "", bytes: part.body };
}

export interface SandboxCommand {
  readonly nid: string;
  readonly words: JsonObject;
  readonly lorawan: boolean;
}

export function parseCommand(contentType: string, body: Buffer): SandboxCommand {
  const words = jsonObjectBody(contentType, body);
  onlyKeys(words, ["nid", "type", "command"], "the command", ["lorawan"]);
  const { type, command, lorawan } = words;
  if (typeof command !== "string" || command === "") return violated("the command is empty");
  if (type !== "string" && type !== "hex") violated('the type is neither "string" nor "hex"');
  if (type === "hex" && !/^([0-9a-f]{2})+$/.test(command)) violated("the command is not lower-case hex");
  if (lorawan !== undefined) requireLorawan(lorawan);
  return { nid: nidOf(words), words, lorawan: lorawan !== undefined };
}

function requireLorawan(lorawan: unknown): void {
  if (!isObject(lorawan)) return violated("lorawan is no object");
  onlyKeys(lorawan, ["f_port"], "lorawan", ["confirmed"]);
  const { f_port: port, confirmed } = lorawan;
  // 1 to 223 are the application's (LoRaWAN 1.0.4, 4.3.2).
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 223) violated("f_port is no port");
  if (confirmed !== undefined && typeof confirmed !== "boolean") violated("confirmed is no boolean");
}

export interface SandboxDeletion {
  readonly nid?: string;
  readonly id?: string;
  readonly from?: string;
  readonly to?: string;
}

export function parseDeletion(contentType: string, body: Buffer): SandboxDeletion {
  const selection = jsonObjectBody(contentType, body);
  onlyKeys(selection, [], "the selection", ["nid", "_id", "from", "to"]);
  const { nid, _id: id, from, to } = selection;
  if (nid === undefined && id === undefined) violated("neither nid nor _id");
  // With both, nid wins.
  return {
    ...(nid === undefined ? { id: textIn(id, "_id") } : { nid: textIn(nid, "nid") }),
    ...(from === undefined ? {} : { from: timeIn(from, "from") }),
    ...(to === undefined ? {} : { to: timeIn(to, "to") }),
  };
}

/** UTC, ISO 8601 with `Z`. */
export function timeIn(value: unknown, what: string): string {
  const text = textIn(value, what);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/.test(text) && !Number.isNaN(Date.parse(text));
  return isTime ? text : violated(`${what} is no time in UTC with Z`);
}

function nidOf({ nid }: JsonObject): string {
  return textIn(nid, "nid");
}

function textIn(value: unknown, what: string): string {
  return typeof value === "string" && value !== "" ? value : violated(`${what} is no text with something in it`);
}
