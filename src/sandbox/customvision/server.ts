import { violated, type SandboxTruth } from "../checks.ts";
import { HttpSandbox, type SandboxAnswer, type SandboxOptions, type SandboxRequest } from "../http-sandbox.ts";
import { isUuid, refusedWith, requireQuery, type SandboxVersion } from "./contract.ts";
import { operations } from "./operations.ts";
import { SandboxProject, spelledFor } from "./project.ts";
import { type CustomVisionSwitches, usualSwitches } from "./switches.ts";

export interface CustomVisionSandboxOptions extends SandboxOptions {
  readonly trainingKey: string;
  readonly projectId?: string;
  /** What the project is made for; ObjectDetection when absent. */
  readonly domainType?: "ObjectDetection" | "Classification";
  readonly classificationType?: "Multiclass" | "Multilabel";
  readonly switches?: Partial<CustomVisionSwitches>;
  /** Milliseconds of any clock, for the requests of a second. */
  readonly nowMs?: () => number;
}

/** One stored picture as tests look at it. */
export interface StoredCustomVisionImage {
  readonly id: string;
  readonly name: string;
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  readonly sizeBytes: number;
  /** Names of its tags. */
  readonly tags: readonly string[];
  /** In pixels of the image. */
  readonly boxes: SandboxTruth["boxes"];
  readonly metadata: Readonly<Record<string, string>>;
  /** More than once means that the same picture came again. */
  readonly times: number;
}

export const sandboxProjectId = "6a0c1f6e-0000-4000-8000-000000000001";
export const sandboxIterationId = "33333333-0000-4000-8000-000000000001";
const domains = [
  {
    id: "d0000000-0000-4000-8000-000000000001",
    name: "General",
    type: "Classification",
    exportable: false,
    enabled: true,
  },
  {
    id: "d0000000-0000-4000-8000-000000000002",
    name: "General",
    type: "ObjectDetection",
    exportable: false,
    enabled: true,
  },
] as const;
const projectPath = /^\/customvision\/(v1\.2\/Training|v3\.3\/training)(\/.*)?$/;

/** A stand-in for the training API of Custom Vision: one project, as v1.2 and v3.3 at the same time. */
export class CustomVisionSandbox extends HttpSandbox {
  readonly #options: CustomVisionSandboxOptions;
  readonly #project = new SandboxProject();
  readonly #truths = new Map<string, SandboxTruth>();
  readonly #offered = new Map<string, Buffer>();
  readonly #switches: CustomVisionSwitches;
  readonly #recentMs: number[] = [];

  constructor(options: CustomVisionSandboxOptions) {
    super(options);
    this.#options = options;
    this.#switches = { ...usualSwitches, ...options.switches };
  }

  /** From the next request on. */
  turn(switches: Partial<CustomVisionSwitches>): void {
    Object.assign(this.#switches, switches);
  }

  /** From now on an image with this hash must carry exactly these boxes, or their labels where there are no boxes. */
  expect(sha256: string, truth: SandboxTruth): void {
    this.#truths.set(sha256, truth);
  }

  /** An image that the service can fetch at this address, or has as a prediction with this id. */
  offer(urlOrId: string, bytes: Buffer): void {
    this.#offered.set(urlOrId, bytes);
  }

  /** Somebody else works on the project too. */
  addTag(name: string): string {
    return this.#project.addTag(name)?.id ?? violated(`there is a tag "${name}"`);
  }

  removeTag(name: string): void {
    for (const tag of this.#project.tags()) if (tag.name === name) this.#project.removeTag(tag.id);
  }

  tags(): readonly { readonly id: string; readonly name: string }[] {
    return this.#project.tags().map(({ id, name }) => ({ id, name }));
  }

  stored(): readonly StoredCustomVisionImage[] {
    const nameOf = (id: string) => this.#project.tag(id)?.name ?? id;
    return this.#project.images().map((image) => {
      const { id, name, sha256, width, height, sizeBytes, metadata, times } = image;
      const boxes = [...image.regions.values()].map((region) => ({
        label: nameOf(region.tagId),
        box: {
          left: region.left * width,
          top: region.top * height,
          width: region.width * width,
          height: region.height * height,
        },
      }));
      return {
        id,
        name,
        sha256,
        width,
        height,
        sizeBytes,
        tags: [...image.tagIds].map(nameOf),
        boxes,
        metadata,
        times,
      };
    });
  }

  protected override accepted(): number {
    return this.#project.accepted;
  }

  protected override secrets(): readonly string[] {
    return [this.#options.trainingKey];
  }

  protected override refusal(status: number, sentence: string): SandboxAnswer {
    const [, code = codeOf(status), message = sentence] = /^([A-Za-z]+): (.*)$/s.exec(sentence) ?? [];
    switch (this.#switches.errorShape) {
      case "service":
        return { status, body: { code, message } };
      case "gateway":
        return { status, body: { error: { code: String(status), message } } };
      case "status-code":
        return { status, body: { statusCode: status, message } };
    }
  }

  protected override judge(request: SandboxRequest): () => SandboxAnswer {
    const { method, path, body, headers } = request;
    if (path.startsWith("/blobs/")) return this.#judgeBlob(request);
    if (body.length > this.#switches.bodyBytesMax) return () => this.refusal(413, "Request Entity Too Large");
    if (this.#tooMany()) {
      const refusal = this.refusal(429, "Rate limit is exceeded. Try again in 1 second.");
      return () => ({ ...refusal, headers: { "Retry-After": "1" } });
    }
    const [, api, rest = ""] = projectPath.exec(path) ?? violated("no such path", 404);
    const version: SandboxVersion = api === "v1.2/Training" ? "v1.2" : "v3.3";
    this.#requireKey(request);
    if (/^\/domains(\/|$)/.test(rest)) return judgeDomains(method, rest, version);
    const [, projectId = "", operation = ""] =
      /^\/projects\/([^/]+)(\/.*)?$/.exec(rest) ?? violated("no such path", 404);
    if (!isUuid(projectId)) refusedWith("BadRequestInvalidIds", `the project id is "${projectId}"`);
    if (projectId !== (this.#options.projectId ?? sandboxProjectId))
      refusedWith("NotFoundProject", "no such project", 404);
    if (method === "GET" && operation === "") return this.#judgeProject(request, version);
    const known = operations[`${method} ${operation}`];
    if (known?.versions.includes(version) !== true) return violated("no such method and path", 404);
    return known.judge({
      ...{ version, request, project: this.#project, switches: this.#switches },
      ...{ detectsObjects: this.#detectsObjects && version !== "v1.2", offered: this.#offered },
      oneTagOnly: !this.#detectsObjects && this.#options.classificationType === "Multiclass",
      origin: `http://${headers.host ?? "127.0.0.1"}`,
      iterationIds: [sandboxIterationId],
      truthOf: (sha256) => this.#truths.get(sha256),
      violate: (sentence) => this.violate(`${method} ${path}: ${sentence}`),
    });
  }

  get #detectsObjects(): boolean {
    return (this.#options.domainType ?? "ObjectDetection") === "ObjectDetection";
  }

  #requireKey({ headers, query, body }: SandboxRequest): void {
    const { trainingKey } = this.#options;
    if (body.includes(trainingKey)) violated("the training key is in the body");
    if ([...query.values()].includes(trainingKey)) violated("the training key is in the query", 401);
    if (headers.authorization !== undefined) violated("an Authorization header came along", 401);
    if (headers["training-key"] !== trainingKey) violated("Access denied due to invalid subscription key", 401);
  }

  #tooMany(): boolean {
    const nowMs = (this.#options.nowMs ?? (() => performance.now()))();
    while ((this.#recentMs[0] ?? nowMs) <= nowMs - 1_000) this.#recentMs.shift();
    if (this.#recentMs.length >= this.#switches.requestsPerSecondMax) return true;
    if (Number.isFinite(this.#switches.requestsPerSecondMax)) this.#recentMs.push(nowMs);
    return false;
  }

  #judgeProject({ query }: SandboxRequest, version: SandboxVersion): () => SandboxAnswer {
    requireQuery(query, []);
    const domain = domains[this.#detectsObjects ? 1 : 0];
    const { projectId = sandboxProjectId, classificationType = "Multilabel" } = this.#options;
    const settings = {
      domainId: domain.id,
      ...(version === "v1.2" || this.#detectsObjects ? {} : { classificationType }),
    };
    return () => ({ status: 200, body: spelledFor(version, { id: projectId, name: "sandbox", settings }) });
  }

  /** Images lie with another service, which wants a signature and must never see the key. */
  #judgeBlob({ method, path, query, headers }: SandboxRequest): () => SandboxAnswer {
    if (headers["training-key"] !== undefined) violated("the training key went to the store of images");
    if (method !== "GET" || query.get("sig") !== "sandbox-signature") violated("no valid signature", 403);
    const bytes = this.#project.image(path.slice("/blobs/".length))?.bytes;
    if (bytes === undefined) return () => ({ status: 404 });
    return () => ({ status: 200, headers: { "Content-Type": "image/jpeg" }, body: bytes });
  }
}

function judgeDomains(method: string, path: string, version: SandboxVersion): () => SandboxAnswer {
  if (method !== "GET") violated("no such method and path", 404);
  const shown = domains.map(({ type, ...domain }) => (version === "v1.2" ? domain : { ...domain, type }));
  if (path === "/domains") return () => ({ status: 200, body: spelledFor(version, shown) });
  const found = shown.find(({ id }) => path === `/domains/${id}`);
  if (found === undefined) refusedWith("NotFoundDomain", "no such domain", 404);
  return () => ({ status: 200, body: spelledFor(version, found) });
}

function codeOf(status: number): string {
  switch (status) {
    case 401:
      return "Unauthorized";
    case 404:
      return "NotFound";
    default:
      return "BadRequest";
  }
}
