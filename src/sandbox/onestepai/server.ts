import { SystemClock, type Clock } from "../../core/clock.ts";
import {
  jsonBody,
  jsonObjectBody,
  onlyKeys,
  requireTruth,
  violated,
  type LabelledBox,
  type SandboxTruth,
} from "../checks.ts";
import { HttpSandbox, type SandboxAnswer, type SandboxOptions, type SandboxRequest } from "../http-sandbox.ts";
import { ImageStore, type StoredImage } from "../image-store.ts";
import { parseChunk, type SandboxChunk } from "./chunk.ts";
import { SandboxDataset } from "./dataset.ts";

export interface OnestepaiSandboxOptions extends SandboxOptions {
  /** The access token that is right; compared whole. */
  readonly accessToken: string;
  /** How a sign-in is answered: the token alone, as a JSON string, or with a line end behind it. */
  readonly signInAnswer?: "text" | "quoted" | "line" | "bearer";
  readonly uploadIdAnswer?: "number" | "string" | "object";
  /** A second category of one name: refused with 400, or one more with an id of its own. */
  readonly sameCategory?: "refused" | "new";
  /** A lock without a new image is gone after this. 10 minutes when absent; nobody has published the real time. */
  readonly unlockAfterMs?: number;
  readonly clock?: Pick<Clock, "nowMs">;
  /** Called for every image stored, before the answer. */
  readonly onImage?: (chunk: SandboxChunk) => void;
}

/** There from the start, by the number that the document's own run prints. */
export const sandboxDatasetId = 514;

const [datasetsMax, chunksMax, tokensMax] = [1_000, 20_000, 1_000];

type Judged = () => SandboxAnswer;

/** A stand-in for OneStepAI's API, under `/api` as the real one. */
export class OnestepaiSandbox extends HttpSandbox {
  readonly #options: OnestepaiSandboxOptions;
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #store = new ImageStore<LabelledBox>();
  readonly #datasets = new Map<string, SandboxDataset>();
  readonly #chunks: SandboxChunk[] = [];
  /** Issued, and true while valid. */
  readonly #tokens = new Map<string, boolean>();
  #tokenCount = 0;
  #nextId = { dataset: sandboxDatasetId, category: 77, upload: 9031 };

  constructor(options: OnestepaiSandboxOptions) {
    super(options);
    this.#options = options;
    this.#clock = options.clock ?? new SystemClock();
    this.#addDataset("sandbox");
  }

  override async start(): Promise<{ readonly url: string }> {
    const { url } = await super.start();
    return { url: `${url}/api` };
  }

  /** From now on an image with this hash must carry exactly these boxes. */
  expect(sha256: string, truth: SandboxTruth): void {
    this.#store.expect(sha256, truth);
  }

  /** From now on this picture is answered with 400, which is no violation of the contract. */
  refuse(sha256: string): void {
    this.#store.refuse(sha256);
  }

  stored(): readonly StoredImage<LabelledBox>[] {
    return this.#store.images();
  }

  /** Every image stored, in order, repeats included. */
  chunks(): readonly SandboxChunk[] {
    return [...this.#chunks];
  }

  /** Id by name. */
  categories(datasetId = sandboxDatasetId): ReadonlyMap<string, number> {
    return this.#datasets.get(String(datasetId))?.categories ?? new Map<string, number>();
  }

  /** Upload id of whoever holds it. */
  lockOf(datasetId = sandboxDatasetId): string | undefined {
    const dataset = this.#datasets.get(String(datasetId));
    return dataset === undefined ? undefined : this.#holder(dataset);
  }

  /** Somebody else, a person in the web page for example, uploads to it. */
  lockByOther(datasetId = sandboxDatasetId): void {
    this.#datasets.get(String(datasetId))?.lock("somebody-else", this.#clock.nowMs());
  }

  unlock(datasetId = sandboxDatasetId): void {
    this.#datasets.get(String(datasetId))?.unlock();
  }

  /** What was issued so far is refused from now on. */
  expireTokens(): void {
    for (const token of this.#tokens.keys()) this.#tokens.set(token, false);
  }

  protected override accepted(): number {
    return this.#store.accepted;
  }

  protected override secrets(): readonly string[] {
    return [this.#options.accessToken, ...this.#tokens.keys()];
  }

  protected override refusal(status: number, sentence: string): SandboxAnswer {
    return { status, body: { status, title: sentence } };
  }

  protected override judge(request: SandboxRequest): Judged {
    const { method, path, query } = request;
    const operation = `${method} ${path}`;
    if (operation === "POST /api/Users/SignIn") return this.#judgeSignIn(request);
    const about = /^\/api\/Datasets\/([^/]+)\/(StartUploading|FinishUploading)$/.exec(path);
    const known = ["GET /api/Users", "POST /api/Datasets", "POST /api/Categories", "POST /api/Images/UploadChunk"];
    if (!known.includes(operation) && (about === null || method !== "POST")) violated("no such method and path", 404);
    const refused = this.#judgeToken(request);
    if (refused !== undefined) return () => refused;
    if (operation === "POST /api/Images/UploadChunk") return this.#judgeChunk(request);
    if (about?.[2] === "FinishUploading") return this.#judgeFinish(about[1] ?? "", request);
    if (query.size > 0) violated("this operation takes no query");
    if (about !== null) return this.#judgeStart(about[1] ?? "", request);
    if (operation === "GET /api/Users") return () => ({ status: 200, body: { id: 1, email: "sandbox@example.com" } });
    return operation === "POST /api/Datasets" ? this.#judgeDataset(request) : this.#judgeCategory(request);
  }

  #judgeSignIn({ query, headers, body }: SandboxRequest): Judged {
    if (query.size > 0) violated("a sign-in takes no query");
    const token = jsonBody(headers["content-type"] ?? "", body);
    if (typeof token !== "string") return violated("the body of a sign-in is not a JSON string");
    if (token !== this.#options.accessToken) violated("the access token is wrong", 401);
    return () => this.#issueToken();
  }

  #issueToken(): SandboxAnswer {
    this.#tokenCount += 1;
    const claims = Buffer.from(JSON.stringify({ sub: "sandbox", jti: this.#tokenCount })).toString("base64url");
    const token = `eyJhbGciOiJub25lIn0.${claims}.c2FuZGJveA`;
    this.#tokens.set(token, true);
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size > tokensMax && oldest !== undefined) this.#tokens.delete(oldest);
    const forms = { text: token, quoted: JSON.stringify(token), line: `${token}\r\n`, bearer: `Bearer ${token}` };
    const shape = this.#options.signInAnswer ?? "text";
    const type = shape === "quoted" ? "application/json" : "text/plain";
    return { status: 200, headers: { "Content-Type": `${type}; charset=utf-8` }, body: forms[shape] };
  }

  /** An expired token breaks no contract: nobody is told when it will be. */
  #judgeToken({ query, headers, body }: SandboxRequest): SandboxAnswer | undefined {
    const { accessToken } = this.#options;
    if (query.toString().includes(encodeURIComponent(accessToken)) || body.includes(accessToken)) {
      violated("the access token is sent outside of a sign-in");
    }
    const { authorization = "" } = headers;
    const token = /^Bearer (\S+)$/.exec(authorization)?.[1];
    const valid = token === undefined ? undefined : this.#tokens.get(token);
    if (valid === undefined) violated("the Authorization header is not Bearer with a token that was issued", 401);
    return valid ? undefined : { status: 401, body: { status: 401, title: "the token has expired" } };
  }

  #judgeDataset({ headers, body }: SandboxRequest): Judged {
    const fields = jsonObjectBody(headers["content-type"] ?? "", body);
    onlyKeys(fields, ["name"], "the dataset");
    const name = nonEmpty(fields["name"]);
    if (this.#datasets.size >= datasetsMax) violated(`there are ${datasetsMax} datasets`);
    return () => {
      const { id } = this.#addDataset(name);
      return { status: 200, body: { id, name } };
    };
  }

  #judgeCategory({ headers, body }: SandboxRequest): Judged {
    const fields = jsonObjectBody(headers["content-type"] ?? "", body);
    onlyKeys(fields, ["datasetId", "name"], "the category");
    const { datasetId } = fields;
    if (typeof datasetId !== "number") return violated("datasetId is not the number that the platform gave");
    const dataset = this.#datasetOf(String(datasetId));
    const name = nonEmpty(fields["name"]);
    if (dataset.categories.has(name) && this.#options.sameCategory !== "new") {
      return () => this.refusal(400, "a category of this name exists");
    }
    return () => {
      const id = this.#nextId.category;
      this.#nextId.category += 1;
      dataset.categories.set(name, id);
      dataset.categoryIds.add(String(id));
      return { status: 200, body: { id, datasetId, name } };
    };
  }

  #judgeStart(datasetId: string, { body }: SandboxRequest): Judged {
    if (body.length > 0) violated("the body of StartUploading is not empty");
    const dataset = this.#datasetOf(datasetId);
    if (this.#holder(dataset) !== undefined) return () => this.refusal(400, "the dataset is locked");
    return () => {
      const number = this.#nextId.upload;
      this.#nextId.upload += 1;
      const shape = this.#options.uploadIdAnswer ?? "number";
      const id = shape === "string" ? `upload-${number}` : number;
      dataset.lock(String(id), this.#clock.nowMs());
      dataset.issued.add(String(id));
      const answer = shape === "object" ? { id, datasetId: dataset.id } : id;
      return { status: 200, headers: { "Content-Type": "application/json" }, body: JSON.stringify(answer) };
    };
  }

  #judgeChunk(request: SandboxRequest): Judged {
    const chunk = parseChunk(request);
    const dataset = this.#datasetOf(chunk.datasetId);
    if (!dataset.categoryIds.has(chunk.categoryId)) violated("the category does not belong to this dataset");
    if (!dataset.issued.has(chunk.uploadId)) violated("the upload id was never given out for this dataset");
    if (this.#holder(dataset) !== chunk.uploadId) return () => this.refusal(400, "this upload is over");
    const { picture } = chunk;
    if (picture !== undefined && this.#store.refuses(picture.sha256)) {
      return () => this.refusal(400, "this picture is not taken");
    }
    const truth = picture === undefined ? undefined : this.#store.truthOf(picture.sha256);
    if (truth !== undefined) requireTruth(chunk.boxes ?? [], truth);
    else if (this.#store.knowsAllImages) violated("the image is none of those that were captured");
    return () => this.#keep(dataset, chunk);
  }

  #judgeFinish(datasetId: string, { query, body }: SandboxRequest): Judged {
    if (body.length > 0) violated("the body of FinishUploading is not empty");
    const uploadId = query.get("datasetUploadId");
    if (query.size !== 1 || uploadId === null) return violated("the query is not datasetUploadId alone");
    const dataset = this.#datasetOf(datasetId);
    if (!dataset.issued.has(uploadId)) violated("the upload id was never given out for this dataset");
    if (this.#holder(dataset) !== uploadId) return () => this.refusal(400, "this upload is over");
    return () => {
      dataset.unlock();
      return { status: 200 };
    };
  }

  #keep(dataset: SandboxDataset, chunk: SandboxChunk): SandboxAnswer {
    dataset.touch(this.#clock.nowMs());
    if (chunk.picture === undefined) return { status: 200 };
    this.#store.keep(chunk.picture, chunk.boxes ?? []);
    this.#chunks.push(chunk);
    if (this.#chunks.length > chunksMax) this.#chunks.shift();
    this.#options.onImage?.(chunk);
    return { status: 200 };
  }

  #holder(dataset: SandboxDataset): string | undefined {
    return dataset.holder(this.#clock.nowMs(), this.#options.unlockAfterMs ?? 10 * 60_000);
  }

  #datasetOf(id: string): SandboxDataset {
    return this.#datasets.get(id) ?? violated(`there is no dataset ${id}`);
  }

  #addDataset(name: string): SandboxDataset {
    const dataset = new SandboxDataset(this.#nextId.dataset, name);
    this.#nextId.dataset += 1;
    this.#datasets.set(String(dataset.id), dataset);
    return dataset;
  }
}

function nonEmpty(name: unknown): string {
  return typeof name === "string" && name.trim() !== "" ? name : violated('"name" is not a non-empty string');
}
