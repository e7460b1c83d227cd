import type { HttpCaller } from "../../link/http.ts";
import { jsonAnswer, unexpectedAnswer } from "../platform-answer.ts";
import { isObject, type JsonObject } from "../json.ts";
import { emptyAnswer, idOf, objectAnswer, optionalIdOf, type Answered } from "./answers.ts";
import { type LayernextAccess, type LayernextRequests, pathPart } from "./api.ts";
import { imageCollection, imageContentType, pythonBoolean, wire } from "./names.ts";
import { putFile, signatureOf, storageTypeOf, type StorageType } from "./storage.ts";

export interface NewUpload {
  readonly collection: string;
  /** Unique within the collection. */
  readonly fileNames: readonly string[];
  readonly metadata?: JsonObject;
  /** Replaces what the files' metadata already says. */
  readonly overrideMetadata?: boolean;
  /** Folder in the bucket. */
  readonly storagePrefix?: string | undefined;
}

export interface Upload {
  readonly uploadId: string;
  readonly collection: string;
  /** Absent from servers that have no jobs. */
  readonly jobId?: string;
  readonly collectionId?: string;
  readonly storageType: StorageType;
}

export interface OpenFile {
  readonly fileId: string;
  readonly fileKey: string;
}

export type InitializedFile =
  | (OpenFile & { readonly kind: "open" })
  /** It is in the lake already: nothing is to be sent. */
  | { readonly kind: "existing"; readonly fileKey?: string }
  /** It was removed from this collection before; the server does not take it again. */
  | { readonly kind: "removed" };

/**
 * The steps of an image upload, in their order. Each throws an AgentError and retries nothing. A file travels in one part:
 * the vendor's clients cut at 100 MiB.
 */
export class LayernextImages {
  readonly #requests: LayernextRequests;
  readonly #access: LayernextAccess;
  readonly #storage: HttpCaller;

  constructor(requests: LayernextRequests, access: LayernextAccess, storage: HttpCaller) {
    this.#requests = requests;
    this.#access = access;
    this.#storage = storage;
  }

  /** Step 1. Makes the collection where its name is new. Fails with `STORAGE_UNSUPPORTED` for an unproven storage. */
  async begin(upload: NewUpload, signal: AbortSignal): Promise<Upload> {
    const { collection, fileNames, metadata = {}, overrideMetadata = false, storagePrefix } = upload;
    const { applicationCode, signsContentType } = this.#requests.generation;
    const answered = await this.#requests.post(
      "/client/uploadMetadataInCollection",
      {
        collectionType: imageCollection,
        collectionName: collection,
        metaDataObject: metadata,
        ...(signsContentType ? { isOverrideMetaData: overrideMetadata, storagePrefixPath: storagePrefix ?? null } : {}),
        objectKeyList: fileNames,
        ...(applicationCode ? { applicationCode: null } : {}),
      },
      signal,
    );
    const fields = objectAnswer(answered);
    const jobId = optionalIdOf(fields, "jobId", answered);
    const collectionId = optionalIdOf(fields, "collectionId", answered);
    return {
      uploadId: idOf(fields, "uploadId", answered),
      collection,
      storageType: storageTypeOf(idOf(fields, "storageType", answered), this.#access.otherStorage),
      ...(jobId === undefined ? {} : { jobId }),
      ...(collectionId === undefined ? {} : { collectionId }),
    };
  }

  /** Step 2, for each file. */
  async initialize({ uploadId, collection }: Upload, fileName: string, signal: AbortSignal): Promise<InitializedFile> {
    const { applicationCode } = this.#requests.generation;
    const answered = await this.#requests.post(
      "/client/fileUpload/initializeMultipartUpload",
      { fileName, collectionName: collection, uploadId, ...(applicationCode ? { applicationCode: null } : {}) },
      signal,
    );
    const fields = objectAnswer(answered);
    if (fields["uploadRemovedFile"] === true) return { kind: "removed" };
    if (fields["isExisting"] === true) {
      const fileKey = optionalIdOf(fields, "fileKey", answered);
      return { kind: "existing", ...(fileKey === undefined ? {} : { fileKey }) };
    }
    return { kind: "open", fileId: idOf(fields, "fileId", answered), fileKey: idOf(fields, "fileKey", answered) };
  }

  /** Step 3: where to PUT the file, once. */
  async signedUrl({ fileId, fileKey }: OpenFile, signal: AbortSignal): Promise<string> {
    const typed = this.#requests.generation.signsContentType;
    const answered = await this.#requests.post(
      "/client/fileUpload/getMultipartPreSignedUrls",
      { fileId, fileKey, parts: 1, ...(typed ? { contentType: imageContentType } : {}) },
      signal,
    );
    const { parts } = objectAnswer(answered);
    const { answer, context } = answered;
    const [part] = Array.isArray(parts) ? (parts as readonly unknown[]) : [];
    const url = isObject(part) && part["PartNumber"] === 1 ? part["signedUrl"] : undefined;
    if (typeof url === "string" && /^https?:\/\//.test(url) && URL.canParse(url)) return url;
    // It may hold an address in another form, and an address is a secret.
    throw unexpectedAnswer("no signed address", { ...answer, body: Buffer.alloc(0) }, context);
  }

  /** Step 4: the bytes, without credentials. The answer is the ETag. Fails with `HTTP_403` when the address expired. */
  async put({ storageType }: Upload, signedUrl: string, bytes: Buffer, signal: AbortSignal): Promise<string> {
    const typed = this.#requests.generation.signsContentType;
    return putFile(this.#storage, { storageType, signedUrl, bytes, typed }, signal);
  }

  /** Step 5. `finalizeUrl` is the signed address; empty when a finalizing is repeated later, as the vendor's clients do. */
  async finalize(
    { uploadId }: Upload,
    { fileId, fileKey, etag }: OpenFile & { readonly etag: string },
    finalizeUrl: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { signsContentType } = this.#requests.generation;
    const parts = [{ PartNumber: 1, ETag: etag }];
    const { answer, context } = await this.#requests.post(
      "/client/fileUpload/finalizeMultipartUpload",
      { fileId, fileKey, parts, uploadId, ...(signsContentType ? { finalizeUrl } : {}) },
      signal,
    );
    const signature = finalizeUrl === "" ? [] : signatureOf(finalizeUrl);
    emptyAnswer({ answer, context: { ...context, secrets: [...(context.secrets ?? []), ...signature] } });
  }

  /** Step 6: begins the job. The answer is the file's unique name, where there is one file and the server tells it. */
  async complete({ uploadId }: Pick<Upload, "uploadId">, fileCount: number, signal: AbortSignal) {
    const asked = this.#requests.generation.addressesJobs
      ? `?${wire.isReturnedUniqueName}=${pythonBoolean(fileCount === 1)}`
      : "";
    const path = `/client/collectionUploadingStatus/${pathPart(uploadId)}/complete${asked}`;
    const answered = await this.#requests.get(path, signal);
    return { uniqueName: uniqueNameIn(answered) };
  }

  /** How far the server is with a collection, 0 to 100 (optional in the vendor's clients). */
  async progress(collection: string, signal: AbortSignal): Promise<JsonObject> {
    const query = `collectionName=${encodeURIComponent(collection)}`;
    return objectAnswer(await this.#requests.get(`/client/collection/getuploadProgress?${query}`, signal));
  }
}

function uniqueNameIn(answered: Answered): string | undefined {
  const { answer, context } = answered;
  if (answer.status === 204) return undefined;
  const body = jsonAnswer(answer, context);
  if (isObject(body) && body["isSuccess"] === false) objectAnswer(answered);
  const [name] =
    isObject(body) && Array.isArray(body["uploadedFileList"]) ? (body["uploadedFileList"] as unknown[]) : [];
  return typeof name === "string" ? name : undefined;
}
