import { randomUUID } from "node:crypto";
import { requireTruth, violated, type LabelledBox, type SandboxTruth } from "../checks.ts";
import { ImageStore, type StoredImage } from "../image-store.ts";
import type { FileRequest, FinalizeRequest, SandboxApi, SignRequest, UploadRequest } from "./contract.ts";
import type { DataCall, SandboxAddress, SandboxShape, UpdatedImage } from "./data-call.ts";
import type { Labels } from "./labels.ts";
import type { StorageSandbox, StoredObject } from "./storage.ts";

/** How the server's jobs end from now on. */
export type JobsEnd = "complete" | "fail" | "never";

interface Collection {
  readonly id: string;
  readonly name: string;
}

interface LakeFile {
  readonly fileId: string;
  readonly fileKey: string;
  readonly name: string;
  readonly upload: LakeUpload;
  finalized: StoredObject | undefined;
}

interface LakeUpload {
  readonly uploadId: string;
  readonly collection: Collection;
  readonly names: readonly string[];
  /** Finalized, there already, or not taken. */
  readonly settled: Set<string>;
  readonly job: Job;
}

interface Job {
  readonly jobId: string;
  end: JobsEnd | undefined;
  polls: number;
}

export interface SandboxAnnotations {
  readonly operationId: string;
  readonly mode: number;
  readonly objectKey: string;
  /** Of the image. */
  readonly sha256: string;
  readonly shapes: readonly SandboxShape[];
}

/** What the lake holds and which step of which upload may come next. Methods that begin with `may` change nothing. */
export class Lake {
  readonly #api: SandboxApi;
  readonly #storage: StorageSandbox;
  readonly #labels: Labels;
  readonly #jobPolls: number;
  readonly #store = new ImageStore<never>();
  readonly #collections = new Map<string, Collection>();
  readonly #uploads = new Map<string, LakeUpload>();
  readonly #files = new Map<string, LakeFile>();
  /** Finalized ones by their unique name. */
  readonly #objects = new Map<string, StoredObject>();
  readonly #jobs = new Map<string, Job>();
  readonly #sessions = new Map<string, { readonly total: number; readonly uploaded: number }>();
  readonly #annotations = new Map<string, SandboxAnnotations>();
  readonly #removed = new Set<string>();
  readonly #refused = new Set<string>();
  jobsEnd: JobsEnd = "complete";

  constructor(api: SandboxApi, storage: StorageSandbox, labels: Labels, jobPolls: number) {
    this.#api = api;
    this.#storage = storage;
    this.#labels = labels;
    this.#jobPolls = jobPolls;
  }

  get accepted(): number {
    return this.#store.accepted;
  }

  expect(sha256: string, truth: SandboxTruth): void {
    this.#store.expect(sha256, truth);
  }

  images(): readonly StoredImage<never>[] {
    return this.#store.images();
  }

  annotations(): readonly SandboxAnnotations[] {
    return [...this.#annotations.values()];
  }

  /** A file of this name is not taken. */
  refuse(name: string): void {
    this.#refused.add(name);
  }

  /** A file of this name was removed: it is not taken again. */
  remove(name: string): void {
    this.#removed.add(name);
  }

  collectionOf(name: string): Collection | undefined {
    return this.#collections.get(name);
  }

  collectionById(id: string): Collection | undefined {
    return [...this.#collections.values()].find((collection) => collection.id === id);
  }

  begin({ collection: name, names }: UploadRequest): object {
    const collection = this.#collections.get(name) ?? { id: randomUUID(), name };
    this.#collections.set(name, collection);
    const job: Job = { jobId: randomUUID(), end: undefined, polls: 0 };
    const upload: LakeUpload = { uploadId: randomUUID(), collection, names, settled: new Set(), job };
    this.#uploads.set(upload.uploadId, upload);
    this.#jobs.set(job.jobId, job);
    return { uploadId: upload.uploadId, collectionId: collection.id, jobId: job.jobId };
  }

  mayInitialize({ name, collection, uploadId }: FileRequest): LakeUpload {
    const upload = this.#uploads.get(uploadId) ?? violated("no such upload", 406);
    if (upload.collection.name !== collection) violated("the upload is another collection's");
    if (!upload.names.includes(name)) violated(`"${name}" was not in objectKeyList`);
    if (this.#refused.has(name)) violated(`"${name}" is not taken`);
    return upload;
  }

  initialize(upload: LakeUpload, name: string): object {
    const fileKey = this.#keyOf(upload.collection.name, name);
    if (this.#removed.has(name)) {
      upload.settled.add(name);
      return { uploadRemovedFile: true };
    }
    const fileId = randomUUID();
    if (this.#objects.has(fileKey)) {
      upload.settled.add(name);
      return { fileId, fileKey, isExisting: true };
    }
    this.#files.set(fileId, { fileId, fileKey, name, upload, finalized: undefined });
    return { fileId, fileKey, isExisting: false };
  }

  maySign({ fileId, fileKey }: SignRequest): void {
    const file = this.#files.get(fileId) ?? violated("no such file", 406);
    if (file.fileKey !== fileKey) violated("the key is another file's");
    if (file.finalized !== undefined) violated("the file is finalized");
  }

  /** `proven`: the storage is one that gives an ETag. */
  mayFinalize(request: FinalizeRequest, proven: boolean): LakeFile {
    const file = this.#files.get(request.fileId) ?? violated("no such file", 406);
    if (file.fileKey !== request.fileKey) violated("the key is another file's");
    if (file.upload.uploadId !== request.uploadId) violated("the file is another upload's");
    const stored = this.#storage.object(request.fileId) ?? violated("nothing was stored for this file", 406);
    if (request.etag !== (proven ? stored.etag : ""))
      violated("ETag is not the one that the storage gave, without quotes");
    if (request.finalizeUrl !== "" && request.finalizeUrl !== this.#storage.addressOf(file.fileId)) {
      violated("finalizeUrl is not the last address of this file");
    }
    if (this.#store.knowsAllImages && this.#store.truthOf(stored.sha256) === undefined) {
      violated("the image is none of those that were captured");
    }
    return file;
  }

  /** A second time it changes nothing: an answer may have been lost. */
  finalize(file: LakeFile): void {
    const stored = this.#storage.object(file.fileId);
    if (stored === undefined || file.finalized !== undefined) return;
    file.finalized = stored;
    file.upload.settled.add(file.name);
    this.#objects.set(file.fileKey, stored);
    this.#store.keep(stored, []);
  }

  mayComplete(uploadId: string): LakeUpload {
    const upload = this.#uploads.get(uploadId) ?? violated("no such upload", 406);
    const missing = upload.names.filter((name) => !upload.settled.has(name));
    if (missing.length > 0) violated(`${missing.length} files are not finalized, among them ${missing[0] ?? ""}`);
    return upload;
  }

  complete(upload: LakeUpload): object {
    upload.job.end ??= this.jobsEnd;
    return { uploadedFileList: upload.names.map((name) => this.#keyOf(upload.collection.name, name)) };
  }

  mayPoll(jobId: string): Job {
    return this.#jobs.get(jobId) ?? violated("no such job", 406);
  }

  /** 3 is queued, 1 in progress, 2 done, 4 failed. */
  poll(job: Job): object {
    const status = this.#statusOf(job);
    if (job.end !== undefined) job.polls += 1;
    return { isSuccess: true, status, progress: status === 2 ? 100 : 0 };
  }

  mayUpdate(call: DataCall, operationId: string, mode: number, normalized: boolean): void {
    const before = this.#sessions.get(`${operationId} ${call.sessionId}`);
    const isOpen = before !== undefined && before.uploaded < before.total;
    const earlier = isOpen ? before.uploaded : 0;
    if (call.uploaded !== earlier + call.images.length) violated("uploadedImageCount is not cumulative");
    if (call.uploaded > call.total) violated("uploadedImageCount exceeds totalImageCount");
    if (earlier > 0 && before?.total !== call.total) violated("totalImageCount changed within a session");
    for (const image of call.images) this.#checkImage(image, mode, normalized);
  }

  update(call: DataCall, operationId: string, mode: number): void {
    this.#sessions.set(`${operationId} ${call.sessionId}`, { total: call.total, uploaded: call.uploaded });
    for (const { address, shapes } of call.images) {
      const { key: objectKey, picture } = this.#find(address);
      const { sha256 } = picture;
      this.#annotations.set(`${operationId} ${objectKey}`, { operationId, mode, objectKey, sha256, shapes });
    }
  }

  #checkImage({ address, shapes }: UpdatedImage, mode: number, normalized: boolean): void {
    const { picture } = this.#find(address);
    const [width, height] = normalized ? [1, 1] : [picture.width, picture.height];
    for (const shape of shapes) {
      this.#labels.check(shape);
      const outside = shape.points.some(([x, y]) => x < -1e-6 || y < -1e-6 || x > width + 1e-6 || y > height + 1e-6);
      if (outside) violated(`a ${shape.type} "${shape.labelText}" lies outside its image`);
    }
    const truth = this.#store.truthOf(picture.sha256);
    if (truth !== undefined && mode === 2) requireTruth(shapes.map(labelledBox), truth);
  }

  #find(address: SandboxAddress): { readonly key: string; readonly picture: StoredObject } {
    const key = this.#keyAt(address);
    const picture = this.#objects.get(key) ?? violated(`there is no image ${key}`, 406);
    return { key, picture };
  }

  #keyAt(address: SandboxAddress): string {
    switch (address.by) {
      case "key":
        return address.objectKey;
      case "path": {
        const at = address.storagePath.lastIndexOf("/");
        return this.#keyOf(address.storagePath.slice(0, at), address.storagePath.slice(at + 1));
      }
      case "job": {
        if (this.#api !== "3.x") violated("this generation finds no image by its job");
        const upload = [...this.#uploads.values()].find(({ job }) => job.jobId === address.jobId);
        if (upload === undefined) return violated("no such job", 406);
        if (this.#statusOf(upload.job) !== 2) violated("the job is not done", 406);
        if (!upload.names.includes(address.fileName)) violated("the job has no such file", 406);
        return this.#keyOf(upload.collection.name, address.fileName);
      }
    }
  }

  #statusOf({ end, polls }: Job): 1 | 2 | 3 | 4 {
    if (end === undefined || polls === 0) return this.#jobPolls === 0 && end === "complete" ? 2 : 3;
    if (end === "never" || polls < this.#jobPolls) return 1;
    return end === "fail" ? 4 : 2;
  }

  get #join(): string {
    return this.#api === "layerx" ? "/" : "_";
  }

  #keyOf(collection: string, name: string): string {
    return `${collection}${this.#join}${name}`;
  }
}

function labelledBox({ labelText: label, points }: SandboxShape): LabelledBox {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return { label, box: { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top } };
}
