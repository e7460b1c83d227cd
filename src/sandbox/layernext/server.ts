import { jsonObjectBody, onlyKeys, violated, type SandboxTruth } from "../checks.ts";
import { HttpSandbox, type SandboxAnswer, type SandboxOptions, type SandboxRequest } from "../http-sandbox.ts";
import type { StoredImage } from "../image-store.ts";
import {
  parseFinalize,
  parseInitialize,
  parseNewLabel,
  parseReferences,
  parseSign,
  parseUpload,
  text,
  type SandboxApi,
} from "./contract.ts";
import { parseDataCall } from "./data-call.ts";
import { Labels } from "./labels.ts";
import { Lake, type JobsEnd, type SandboxAnnotations } from "./lake.ts";
import { StorageSandbox, type SandboxStorageType } from "./storage.ts";

export interface LayernextSandboxOptions extends SandboxOptions {
  readonly apiKey: string;
  readonly secret: string;
  /** 3.x when absent. */
  readonly api?: SandboxApi;
  /** Before `/api`: nothing on 3.x and `/datalake` before, when absent. */
  readonly basePath?: string;
  readonly storageType?: SandboxStorageType;
  /** The labels that exist; all when absent. */
  readonly labels?: readonly string[];
  /** Polls that find a job unfinished: queued, then in progress. 2 when absent. */
  readonly jobPolls?: number;
}

const stepsMax = 100_000;

type Effect = () => SandboxAnswer;

const ok = (body: unknown): SandboxAnswer => ({ status: 200, body });

/** Older servers write it so. */
const oldStorageNames: Readonly<Record<SandboxStorageType, string>> = {
  aws_s3: "AWS_S3",
  gcs: "GCP",
  azure_blob: "AZURE",
};

/** A stand-in for a LayerNext data lake, with its storage at a port of its own. */
export class LayernextSandbox extends HttpSandbox {
  /** Its faults and counts are its own. */
  readonly storage: StorageSandbox;
  readonly #options: LayernextSandboxOptions;
  readonly #api: SandboxApi;
  readonly #labels: Labels;
  readonly #lake: Lake;
  readonly #steps: string[] = [];

  constructor(options: LayernextSandboxOptions) {
    super(options);
    this.#options = options;
    this.#api = options.api ?? "3.x";
    this.storage = new StorageSandbox(options.storageType ?? "aws_s3");
    this.#labels = new Labels(options.labels);
    this.#lake = new Lake(this.#api, this.storage, this.#labels, options.jobPolls ?? 2);
  }

  override async start(): Promise<{ readonly url: string }> {
    await this.storage.start();
    return super.start();
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.storage.stop();
  }

  /** An image with this hash must carry exactly these boxes in a model run, and one with another hash is a violation. */
  expect(sha256: string, truth: SandboxTruth): void {
    this.#lake.expect(sha256, truth);
  }

  stored(): readonly StoredImage<never>[] {
    return this.#lake.images();
  }

  annotations(): readonly SandboxAnnotations[] {
    return this.#lake.annotations();
  }

  /** How jobs end that are begun from now on. */
  endJobs(end: JobsEnd): void {
    this.#lake.jobsEnd = end;
  }

  /** A file of this name is refused. */
  refuseFile(name: string): void {
    this.#lake.refuse(name);
  }

  /** The last word of the path of every request that came whole, met by a fault or not. */
  steps(): readonly string[] {
    return [...this.#steps];
  }

  /** A file of this name counts as removed and is not taken again. */
  removeFile(name: string): void {
    this.#lake.remove(name);
  }

  protected override accepted(): number {
    return this.#lake.accepted;
  }

  protected override secrets(): readonly string[] {
    const { apiKey, secret } = this.#options;
    return [secret, Buffer.from(`${apiKey}:${secret}`).toString("base64")];
  }

  protected override refusal(status: number, sentence: string): SandboxAnswer {
    return { status, body: { error: { message: sentence } } };
  }

  protected override judge(request: SandboxRequest): Effect {
    const { basePath = this.#api === "3.x" ? "" : "/datalake" } = this.#options;
    const { method, path, headers, body } = request;
    if (this.#steps.length < stepsMax) this.#steps.push(path.split("/").at(-1) ?? "");
    const root = `${basePath}/api/`;
    if (!path.startsWith(root)) violated("no such method and path", 404);
    this.#checkAccess(headers, body);
    const parts = path.slice(root.length).split("/").map(decoded);
    const route = `${method} ${parts.join("/")}`;
    if (method === "POST" && parts[0] === "metadata" && parts[1] === "operationdata")
      return this.#update(parts, request);
    if (method === "GET") return this.#read(parts, request);
    if (request.query.size > 0) violated("this operation takes no query");
    return this.#write(route, headers["content-type"] ?? "", body);
  }

  #checkAccess(headers: SandboxRequest["headers"], body: Buffer): void {
    const { apiKey, secret } = this.#options;
    const [scheme, encoded = ""] = (headers.authorization ?? "").split(" ");
    if (scheme !== "Basic") violated("the Authorization header is not Basic", 401);
    if (Buffer.from(encoded, "base64").toString("utf8") !== `${apiKey}:${secret}`) violated("Invalid credentials", 401);
    if (body.includes(secret)) violated("the secret is in the body");
  }

  #write(route: string, contentType: string, body: Buffer): Effect {
    switch (route) {
      case "POST client/uploadMetadataInCollection": {
        const upload = parseUpload(contentType, body, this.#api);
        const { storageType = "aws_s3" } = this.#options;
        const named = this.#api === "3.x" ? storageType : oldStorageNames[storageType];
        return () => ok({ storageType: named, ...this.#lake.begin(upload) });
      }
      case "POST client/fileUpload/initializeMultipartUpload": {
        const file = parseInitialize(contentType, body, this.#api);
        const upload = this.#lake.mayInitialize(file);
        return () => ok(this.#lake.initialize(upload, file.name));
      }
      case "POST client/fileUpload/getMultipartPreSignedUrls": {
        const wanted = parseSign(contentType, body, this.#api);
        this.#lake.maySign(wanted);
        return () => {
          const signedUrl = this.storage.sign(wanted.fileId, wanted.contentType);
          return ok({ parts: [{ PartNumber: 1, signedUrl }] });
        };
      }
      case "POST client/fileUpload/finalizeMultipartUpload": {
        const proven = (this.#options.storageType ?? "aws_s3") === "aws_s3";
        const file = this.#lake.mayFinalize(parseFinalize(contentType, body, this.#api), proven);
        return () => {
          this.#lake.finalize(file);
          return { status: 204 };
        };
      }
      default:
        return this.#look(route, contentType, body);
    }
  }

  /** What is asked about labels and collections. */
  #look(route: string, contentType: string, body: Buffer): Effect {
    switch (route) {
      case "POST client/system/label/references": {
        const wanted = parseReferences(contentType, body);
        return () => {
          const found = this.#labels.answer(wanted);
          return found === undefined ? { status: 204 } : ok(found);
        };
      }
      case "POST client/system/labels/create": {
        const label = parseNewLabel(contentType, body);
        return () => ok({ label: this.#labels.create(label) });
      }
      case "POST client/metadata/getCollectionIdByName": {
        const payload = jsonObjectBody(contentType, body);
        onlyKeys(payload, ["collectionName", "objectType"], "the request");
        if (payload["objectType"] !== 5) violated("objectType is not 5");
        const collection = this.#lake.collectionOf(text(payload, "collectionName"));
        return () => (collection === undefined ? { status: 204 } : ok({ collectionId: collection.id }));
      }
      case "POST client/metadata/getCollectionDetails": {
        const payload = jsonObjectBody(contentType, body);
        onlyKeys(payload, ["collectionId", "requiredMetaObj"], "the request");
        const collection = this.#lake.collectionById(text(payload, "collectionId"));
        if (collection === undefined) return violated("no such collection", 406);
        return () => ok({ isSuccess: true, itemDetails: { storagePath: collection.name, name: collection.name } });
      }
      default:
        return violated("no such method and path", 404);
    }
  }

  #read(parts: readonly string[], { query }: SandboxRequest): Effect {
    const [, kind, id = "", last] = parts;
    const route = parts.map((part, at) => (at === 2 && parts.length === 4 ? "*" : part)).join("/");
    if (route === "client/collectionUploadingStatus/*/complete") return this.#complete(id, query);
    if (route === "client/collection/getuploadProgress") {
      onlyQuery(query, ["collectionName"]);
      const collection = this.#lake.collectionOf(query.get("collectionName") ?? "");
      return () => (collection === undefined ? { status: 204 } : ok({ isSuccess: true, progress: 100 }));
    }
    onlyQuery(query, []);
    if (route === "client/jobs/*/getStatus") {
      const job = this.#lake.mayPoll(id);
      return () => ok(this.#lake.poll(job));
    }
    if (route === "client/getDetails/system") return () => ok({ isSuccess: true, name: "sandbox" });
    if (kind === "sdk" && id === "compatibility" && last !== undefined && parts.length === 4) {
      return () => ok({ isCompatible: true, message: "" });
    }
    return violated("no such method and path", 404);
  }

  #complete(uploadId: string, query: URLSearchParams): Effect {
    const upload = this.#lake.mayComplete(uploadId);
    const asks = this.#api === "3.x";
    onlyQuery(query, asks ? ["isReturnedUniqueName"] : []);
    const names = query.get("isReturnedUniqueName");
    if (asks && names !== (upload.names.length === 1 ? "True" : "False")) {
      violated("isReturnedUniqueName is True for one file and False for several");
    }
    return () => {
      const answer = this.#lake.complete(upload);
      return ok(names === "False" ? { isSuccess: true } : answer);
    };
  }

  #update(parts: readonly string[], { query, headers, body }: SandboxRequest): Effect {
    const typed = this.#api === "3.x" ? [] : parts.slice(2, 4);
    if (parts.length !== 4 + typed.length || parts.at(-1) !== "update") violated("no such method and path", 404);
    if (typed.length > 0 && (typed[0] !== "1" || !/^[12]$/.test(typed[1] ?? "")))
      violated("no such type and mode", 404);
    onlyQuery(query, ["isNormalized"]);
    const normalized = query.get("isNormalized");
    if (normalized !== "True" && normalized !== "False") violated("isNormalized is neither True nor False");
    const operationId = parts.at(-2) ?? "";
    if (operationId === "") violated("the operation has no id", 404);
    const modeInPath = typed[1] === undefined ? undefined : Number(typed[1]);
    const { mode, ...call } = parseDataCall(headers["content-type"] ?? "", body, this.#api, modeInPath);
    this.#lake.mayUpdate(call, operationId, mode, normalized === "True");
    return () => {
      this.#lake.update(call, operationId, mode);
      return ok({ isSuccess: true });
    };
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return violated("the path is wrongly encoded");
  }
}

function onlyQuery(query: URLSearchParams, wanted: readonly string[]): void {
  const given = [...query.keys()];
  if (given.length !== wanted.length || wanted.some((name) => !given.includes(name))) {
    violated(`the query is not ${wanted.join(" and ") || "empty"}`);
  }
}
