import { multipartBody, type FormPart, type MultipartBody } from "../../link/multipart.ts";
import { jsonWithBase64 } from "../../link/payload.ts";
import { badInput } from "./connection.ts";

/** The message type of `POST /api/v1.0/data`: a text, and the only one that the vendor's client and examples send. */
const messageType = "2";

type Allocate = (sizeBytes: number) => Buffer;

export interface NodeData {
  readonly nid: string;
  /** Any values. Not empty, unless there is a picture. */
  readonly data: Readonly<Record<string, unknown>>;
  /** A value that is a picture, as base64: what the vendor's camera example sends. Comes first in `data`. */
  readonly picture?: { readonly key: string; readonly jpeg: Buffer };
}

export interface NodeFiles {
  readonly nid: string;
  /** Key of the row → what it is (`image`, `video`) and the part that holds it. */
  readonly meta: Readonly<Record<string, NodeFileMeta>>;
  readonly files: readonly NodeFile[];
}

export interface NodeFileMeta {
  readonly type: string;
  /** Name of its part. */
  readonly file: string;
  readonly [further: string]: unknown;
}

export interface NodeFile {
  readonly part: string;
  readonly fileName: string;
  readonly bytes: Buffer;
}

export function iotownJsonBody({ nid, data, picture }: NodeData, allocate?: Allocate): Buffer {
  const opening = `{"type":"${messageType}","nid":${JSON.stringify(nid)},"data":`;
  const values = JSON.stringify(data);
  if (picture === undefined) {
    if (values === "{}") throw badInput(`sending data to ${nid}: there is none`);
    return filled(`${opening}${values}}`, allocate);
  }
  const before = `${opening}{${JSON.stringify(picture.key)}:"`;
  return jsonWithBase64(before, picture.jpeg, `"${values === "{}" ? "" : ","}${values.slice(1)}}`, allocate);
}

/** `type`, `nid` and `meta` before the files, as the vendor's client has them; without a node just the files. */
export function iotownFormBody(form: NodeFiles | { readonly files: readonly NodeFile[] }): MultipartBody {
  const texts: FormPart[] = "nid" in form ? textParts(form) : [];
  const files = form.files.map(({ part, fileName, bytes }) => ({ name: part, fileName, value: bytes }));
  return multipartBody([...texts, ...files]);
}

function textParts({ nid, meta, files }: NodeFiles): FormPart[] {
  const named = Object.values(meta).map(({ file }) => file);
  const missing = named.find((name) => files.filter(({ part }) => part === name).length !== 1);
  if (missing !== undefined) throw badInput(`sending files to ${nid}: meta names "${missing}", which is not one file`);
  const unnamed = files.find(({ part }) => !named.includes(part));
  if (unnamed !== undefined) throw badInput(`sending files to ${nid}: no meta names the file "${unnamed.part}"`);
  if (files.length === 0) throw badInput(`sending files to ${nid}: there is none`);
  return [
    { name: "type", value: messageType },
    { name: "nid", value: nid },
    { name: "meta", value: JSON.stringify(meta) },
  ];
}

function filled(text: string, allocate: Allocate = (sizeBytes) => Buffer.allocUnsafe(sizeBytes)): Buffer {
  const body = allocate(Buffer.byteLength(text));
  body.write(text);
  return body;
}
