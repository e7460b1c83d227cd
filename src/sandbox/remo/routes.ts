import { violated } from "../checks.ts";
import type { SandboxAnswer, SandboxRequest } from "../http-sandbox.ts";
import type { RemoSwitches } from "./switches.ts";
import type { AnnotationSet, Dataset, RemoWorld, StoredPicture } from "./world.ts";

/** One operation. `ids` are the groups of `path`, in its order. */
export interface Route {
  readonly operation: RegExp;
  /** Keys that the query may have. */
  readonly query?: readonly string[];
  judge(request: SandboxRequest, ids: readonly string[]): () => SandboxAnswer;
}

/** What the routes of all themes need. */
export class RouteTools {
  readonly world: RemoWorld;
  readonly switches: RemoSwitches;
  /** Scheme and host as the client sees them. */
  readonly origin: (request: SandboxRequest) => string;

  constructor(world: RemoWorld, switches: RemoSwitches) {
    this.world = world;
    this.switches = switches;
    this.origin = ({ headers }) => `http://${headers.host ?? "localhost"}`;
  }

  dataset(id: string | number | undefined): Dataset {
    return this.world.datasets.get(Number(id)) ?? violated(`there is no dataset ${id}`, 404);
  }

  set(id: string | undefined): AnnotationSet {
    return this.world.sets.get(Number(id)) ?? violated(`there is no annotation set ${id}`, 404);
  }

  picture(id: string | undefined): StoredPicture {
    return this.world.pictures.get(Number(id)) ?? violated(`there is no image ${id}`, 404);
  }

  /** With the address of the next page in the form that is switched on. */
  page(request: SandboxRequest, items: readonly object[]): SandboxAnswer {
    const { pageSize, nextPages } = this.switches;
    const limit = positive(request, "limit") ?? pageSize;
    const offset = Number(request.query.get("offset") ?? 0);
    const results = items.slice(offset, offset + limit);
    const following = new URLSearchParams(request.query);
    following.set("limit", String(limit));
    following.set("offset", String(offset + limit));
    const origin = { relative: "", absolute: this.origin(request), foreign: "http://127.0.0.1:9" }[nextPages];
    const next = offset + limit < items.length ? `${origin}${request.path}?${following.toString()}` : null;
    return { status: 200, body: { count: items.length, next, previous: null, results } };
  }
}

export function positive({ query }: SandboxRequest, key: string): number | undefined {
  const text = query.get(key);
  if (text === null) return undefined;
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : violated(`${key} is "${text}", no positive number`);
}

/** `true` or `false`, as clients in JavaScript and in Python write them. */
export function flag({ query }: SandboxRequest, key: string): boolean | undefined {
  const text = query.get(key);
  if (text === null) return undefined;
  if (!/^(true|false|True|False)$/.test(text)) violated(`${key} is "${text}"`);
  return text.toLowerCase() === "true";
}

export function noBody({ body }: SandboxRequest): void {
  if (body.length > 0) violated("this operation takes no body");
}

export function named(names: ReadonlyMap<number, string>, ids: Iterable<number>): readonly object[] {
  return [...ids].map((id) => ({ id, name: names.get(id) ?? "" }));
}
