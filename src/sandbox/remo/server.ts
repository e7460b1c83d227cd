import { randomBytes } from "node:crypto";
import { requireTruth, violated, type LabelledBox, type SandboxTruth } from "../checks.ts";
import { HttpSandbox, type SandboxAnswer, type SandboxOptions, type SandboxRequest } from "../http-sandbox.ts";
import type { StoredImage } from "../image-store.ts";
import { asKept, type AnnotationRow } from "./csv.ts";
import { datasetRoutes } from "./dataset-routes.ts";
import { RouteTools, type Route } from "./routes.ts";
import { RemoUploadSessions } from "./sessions.ts";
import { setRoutes } from "./set-routes.ts";
import { defaultSwitches, type RemoSwitches } from "./switches.ts";
import { uploadRoutes } from "./upload-routes.ts";
import { RemoWorld, type AnnotationSet, type StoredPicture } from "./world.ts";

export interface RemoSandboxOptions extends SandboxOptions {
  readonly email: string;
  readonly password: string;
}

/** A stand-in for a remo server with one account and one empty dataset, whose id is 1. */
export class RemoSandbox extends HttpSandbox {
  readonly world = new RemoWorld();
  readonly switches: RemoSwitches = defaultSwitches();
  readonly sessions: RemoUploadSessions;
  readonly #options: RemoSandboxOptions;
  readonly #routes: readonly Route[];
  readonly #tokens = new Set<string>();
  readonly #expired = new Set<string>();
  readonly #truths = new Map<string, SandboxTruth>();
  readonly #received = new Map<string, number>();
  readonly #links: { readonly localFiles: readonly string[]; readonly urls: readonly string[] }[] = [];
  #logins = 0;
  #accepted = 0;

  constructor(options: RemoSandboxOptions) {
    super(options);
    this.#options = options;
    const tools = new RouteTools(this.world, this.switches);
    this.sessions = new RemoUploadSessions(this.world, this.switches, (set, picture) => this.#compare(set, picture));
    const log = {
      received: (file: { readonly kind: string; readonly name: string }) => {
        if (file.kind === "image") this.#accepted += 1;
        this.#received.set(file.name, (this.#received.get(file.name) ?? 0) + 1);
      },
      linked: (localFiles: readonly string[], urls: readonly string[]) => {
        if (localFiles.length + urls.length > 0) this.#links.push({ localFiles, urls });
      },
    };
    this.#routes = [...uploadRoutes(tools, this.sessions, log), ...setRoutes(tools), ...datasetRoutes(tools)];
    this.world.addDataset("sandbox");
  }

  /** From now on an image with this hash must carry exactly these boxes. */
  expect(sha256: string, truth: SandboxTruth): void {
    this.#truths.set(sha256, truth);
  }

  /** Different pictures in all datasets; `times` counts those of other names too. */
  stored(): readonly StoredImage<AnnotationRow>[] {
    const images = new Map<string, StoredImage<AnnotationRow>>();
    for (const picture of this.world.pictures.values()) {
      const { sha256, width, height, sizeBytes } = picture;
      const before = images.get(sha256);
      const labels = [...(before?.labels ?? []), ...this.labelsOf(picture)];
      images.set(sha256, { sha256, width, height, sizeBytes, labels, times: (before?.times ?? 0) + 1 });
    }
    return [...images.values()];
  }

  labelsOf(picture: StoredPicture): readonly AnnotationRow[] {
    return [...this.world.sets.values()].flatMap((set) => set.annotations.get(picture.id) ?? []);
  }

  /** How often a file of this name came over the wire. */
  timesReceived(fileName: string): number {
    return this.#received.get(fileName) ?? 0;
  }

  /** What was to be linked instead of uploaded. */
  links(): readonly { readonly localFiles: readonly string[]; readonly urls: readonly string[] }[] {
    return [...this.#links];
  }

  logins(): number {
    return this.#logins;
  }

  /** All tokens given so far are answered with 401 from now on. */
  expireTokens(): void {
    for (const token of this.#tokens) this.#expired.add(token);
    this.#tokens.clear();
  }

  protected override accepted(): number {
    return this.#accepted;
  }

  protected override secrets(): readonly string[] {
    return [this.#options.password, ...this.#tokens, ...this.#expired];
  }

  protected override refusal(status: number, sentence: string): SandboxAnswer {
    if (status === 401) return { status, body: { detail: sentence } };
    return { status, body: { error: sentence, errors: [sentence] } };
  }

  protected override judge(request: SandboxRequest): () => SandboxAnswer {
    const { method, path, query } = request;
    const operation = `${method} ${path}`;
    if (operation === "POST /api/rest-auth/login/") return this.#judgeLogin(request);
    const { route, ids } = this.#routeOf(operation, path);
    const refused = this.#refusedToken(request);
    if (refused !== undefined) return refused;
    for (const key of query.keys()) {
      if (route.query?.includes(key) !== true) violated(`this operation knows no "${key}" in the query`);
    }
    return route.judge(request, ids);
  }

  #routeOf(operation: string, path: string): { readonly route: Route; readonly ids: readonly string[] } {
    for (const route of this.#routes) {
      const match = route.operation.exec(operation);
      if (match !== null) return { route, ids: match.slice(1) };
    }
    return violated(path.endsWith("/") ? "no such method and path" : "the path does not end in a slash", 404);
  }

  #refusedToken({ headers }: SandboxRequest): (() => SandboxAnswer) | undefined {
    const given = headers.authorization ?? violated("Authentication credentials were not provided.", 401);
    const token = /^Token (\S+)$/.exec(given)?.[1] ?? violated("the Authorization is no Token", 401);
    if (this.#tokens.has(token)) return undefined;
    if (!this.#expired.has(token)) violated("Invalid token.", 401);
    return () => ({ status: 401, body: { detail: "Invalid token." } });
  }

  #judgeLogin({ headers, body, query }: SandboxRequest): () => SandboxAnswer {
    const contentType = headers["content-type"] ?? "";
    if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType))
      violated(`a login is a form, not ${contentType}`);
    if (query.size > 0) violated("a login takes no query");
    const form = new URLSearchParams(body.toString("utf8"));
    if ([...form.keys()].sort().join() !== "email,password") violated("a login is exactly email and password");
    const { email, password } = this.#options;
    const right = form.get("email")?.toLowerCase() === email.toLowerCase() && form.get("password") === password;
    // A wrong password is the operator's affair.
    if (!right) {
      return () => ({ status: 400, body: { non_field_errors: ["Unable to log in with provided credentials."] } });
    }
    return () => {
      const key = randomBytes(20).toString("hex");
      this.#tokens.add(key);
      this.#logins += 1;
      return { status: 200, body: { key } };
    };
  }

  #compare(set: AnnotationSet, picture: StoredPicture): void {
    const truth = this.#truths.get(picture.sha256);
    if (truth === undefined) return;
    const boxes = boxesOf(set.annotations.get(picture.id) ?? []);
    const kept = { boxes: truth.boxes.map((each) => ({ ...each, label: asKept(each.label) })) };
    try {
      requireTruth(boxes, kept);
    } catch (error) {
      this.violate(`annotations of ${picture.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** What encloses each annotation, in pixels. */
export function boxesOf(rows: readonly AnnotationRow[]): readonly LabelledBox[] {
  return rows.map(({ classes, points }) => {
    const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    return {
      label: classes.join(";"),
      box: { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top },
    };
  });
}
