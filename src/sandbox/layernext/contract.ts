import { isObject, jsonObjectBody, onlyKeys, violated, type JsonObject } from "../checks.ts";

/**
 * LayerNext's requests as a strict server would read them. Written from what the vendor's documents and recorded clients
 * send, and never from our own encoder.
 */

/** `1.x` has its mode in the path of a data call and knows no jobs there; `layerx` is what came before 1.0. */
export type SandboxApi = "3.x" | "1.x" | "layerx";

export interface UploadRequest {
  readonly collection: string;
  readonly metadata: JsonObject;
  readonly names: readonly string[];
}

export function parseUpload(contentType: string, body: Buffer, api: SandboxApi): UploadRequest {
  const payload = jsonObjectBody(contentType, body);
  const newer = api === "layerx" ? [] : ["isOverrideMetaData", "storagePrefixPath"];
  const required = ["collectionType", "collectionName", "metaDataObject", "objectKeyList", ...newer];
  onlyKeys(payload, required, "the upload", api === "1.x" ? ["applicationCode"] : []);
  const { collectionType, metaDataObject, isOverrideMetaData = false, storagePrefixPath = null } = payload;
  if (collectionType !== 5) violated("collectionType is not 5, which means images");
  if (!isObject(metaDataObject)) return violated("metaDataObject is no object");
  if (typeof isOverrideMetaData !== "boolean") violated("isOverrideMetaData is no boolean");
  if (storagePrefixPath !== null && typeof storagePrefixPath !== "string") violated("storagePrefixPath is no text");
  const { objectKeyList } = payload;
  if (!Array.isArray(objectKeyList) || objectKeyList.length === 0) return violated("objectKeyList names no file");
  const names = objectKeyList.map((name: unknown) => fileName(name));
  if (new Set(names).size < names.length) violated("a file name occurs twice");
  return { collection: text(payload, "collectionName"), metadata: metaDataObject, names };
}

export interface FileRequest {
  readonly name: string;
  readonly collection: string;
  readonly uploadId: string;
}

export function parseInitialize(contentType: string, body: Buffer, api: SandboxApi): FileRequest {
  const payload = jsonObjectBody(contentType, body);
  const optional = api === "1.x" ? ["applicationCode"] : [];
  onlyKeys(payload, ["fileName", "collectionName", "uploadId"], "the request", optional);
  return {
    name: text(payload, "fileName"),
    collection: text(payload, "collectionName"),
    uploadId: text(payload, "uploadId"),
  };
}

export interface SignRequest {
  readonly fileId: string;
  readonly fileKey: string;
  /** What the PUT must say; null where it must say nothing. */
  readonly contentType: string | null;
}

export function parseSign(contentType: string, body: Buffer, api: SandboxApi): SignRequest {
  const payload = jsonObjectBody(contentType, body);
  const typed = api !== "layerx";
  onlyKeys(payload, ["fileId", "fileKey", "parts", ...(typed ? ["contentType"] : [])], "the request");
  if (payload["parts"] !== 1) violated("a picture has one part");
  if (typed && payload["contentType"] !== "image/jpeg")
    violated("contentType is not image/jpeg, which all images have");
  return {
    fileId: text(payload, "fileId"),
    fileKey: text(payload, "fileKey"),
    contentType: typed ? "image/jpeg" : null,
  };
}

export interface FinalizeRequest {
  readonly fileId: string;
  readonly fileKey: string;
  readonly uploadId: string;
  readonly etag: string;
  /** Empty where a finalizing is repeated. */
  readonly finalizeUrl: string;
}

export function parseFinalize(contentType: string, body: Buffer, api: SandboxApi): FinalizeRequest {
  const payload = jsonObjectBody(contentType, body);
  const typed = api !== "layerx";
  onlyKeys(payload, ["fileId", "fileKey", "parts", "uploadId", ...(typed ? ["finalizeUrl"] : [])], "the request");
  const { parts, finalizeUrl = "" } = payload;
  if (!Array.isArray(parts) || parts.length !== 1) return violated("a picture has one part");
  const part: unknown = parts[0];
  if (!isObject(part)) return violated("the part is no object");
  onlyKeys(part, ["PartNumber", "ETag"], "the part");
  if (part["PartNumber"] !== 1) violated("PartNumber is not 1");
  const etag = part["ETag"];
  if (typeof etag !== "string") return violated("ETag is no text");
  if (typeof finalizeUrl !== "string") return violated("finalizeUrl is no text");
  const [fileId, fileKey, uploadId] = [text(payload, "fileId"), text(payload, "fileKey"), text(payload, "uploadId")];
  return { fileId, fileKey, uploadId, etag, finalizeUrl };
}

/** Attribute values by attribute by label. */
export type ReferencesRequest = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

export function parseReferences(contentType: string, body: Buffer): ReferencesRequest {
  const payload = jsonObjectBody(contentType, body);
  onlyKeys(payload, ["labels", "userName"], "the request");
  text(payload, "userName");
  const { labels } = payload;
  if (!isObject(labels) || Object.keys(labels).length === 0) return violated("labels asks for nothing");
  return new Map(
    Object.entries(labels).map(([label, attributes]) => {
      if (label === "") violated("a label has no name");
      if (!isObject(attributes)) return violated(`the attributes of "${label}" are no object`);
      return [label, new Map(Object.entries(attributes).map(([name, values]) => [name, textList(values, name)]))];
    }),
  );
}

export function parseNewLabel(contentType: string, body: Buffer): string {
  const payload = jsonObjectBody(contentType, body);
  onlyKeys(payload, ["label", "userName"], "the request");
  const { label } = payload;
  if (!isObject(label)) return violated("label is no object");
  onlyKeys(label, ["labelText", "description", "attributes", "imgFiles", "type"], "the label");
  if (label["type"] !== 2) violated("the label's type is not 2");
  return text(label, "labelText");
}

export function text(payload: JsonObject, key: string): string {
  const value = payload[key];
  return typeof value === "string" && value !== "" ? value : violated(`${key} is no text`);
}

function textList(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value)) return violated(`the values of "${name}" are no list`);
  return value.map((item: unknown) => (typeof item === "string" ? item : violated(`a value of "${name}" is no text`)));
}

function fileName(value: unknown): string {
  if (typeof value !== "string" || value === "") return violated("a file has no name");
  if (!/\.(jpe?g|png)$/i.test(value)) violated(`"${value}" is no name of an image`);
  return value;
}
