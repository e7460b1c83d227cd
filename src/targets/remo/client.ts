import { remoLimits } from "../../core/platform-limits.ts";
import type { HttpCaller } from "../../link/http.ts";
import { isObject, type JsonObject } from "../json.ts";
import { RemoAnnotationSets } from "./annotation-sets.ts";
import { RemoCalls, type RemoAccess } from "./calls.ts";
import { imageOf, namedOf, objectOf, type RemoImage, type RemoNamed } from "./parse.ts";
import { RemoUploads } from "./uploads.ts";

export interface DatasetFilter {
  readonly isPublic?: boolean | undefined;
  readonly isArchived?: boolean | undefined;
  /** Datasets of one page. */
  readonly limit?: number | undefined;
}

/** A rectangle of an image in pixels, made smaller by the factor `downscale` (0.7: 70 % of width and height). */
export interface RemoFragment {
  readonly sourceX: number;
  readonly sourceY: number;
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  readonly downscale: number;
}

/**
 * The operations of a remo server, one method each. `uploads` and `sets` have those of their themes. Every method throws
 * an AgentError, whose code is in core/outcome.ts; its text never holds the password or the token. None retries, but for
 * the one repeat after a token that is no longer good. Sources: the user's document of the API, the vendor's Python client
 * `remo-python` and the server itself, as this folder's README tells apart.
 */
export class RemoClient {
  readonly uploads: RemoUploads;
  readonly sets: RemoAnnotationSets;
  readonly #calls: RemoCalls;

  constructor(access: RemoAccess, link: HttpCaller) {
    this.#calls = new RemoCalls(access, link);
    this.uploads = new RemoUploads(this.#calls);
    this.sets = new RemoAnnotationSets(this.#calls);
  }

  /** `POST /api/rest-auth/login/`: a new token, used from now on. Fails with `HTTP_401` where the account is refused. */
  login(signal: AbortSignal): Promise<void> {
    return this.#calls.login(signal);
  }

  /** `POST /api/dataset/` (vendor's client). */
  async createDataset(name: string, signal: AbortSignal): Promise<RemoNamed> {
    const path = "/api/dataset/";
    return namedOf(await this.#calls.json({ method: "POST", path, json: { name } }, signal), path);
  }

  /** `GET /api/v1/ui/datasets/`, one page, as the server answers it. */
  async listDatasets({ isPublic, isArchived, limit }: DatasetFilter, signal: AbortSignal): Promise<JsonObject> {
    const path = "/api/v1/ui/datasets/";
    const query = { is_public: isPublic, is_archived: isArchived, limit };
    return objectOf(await this.#calls.json({ method: "GET", path, query }, signal), path);
  }

  /** `GET /api/v1/ui/datasets/{id}/` (vendor's client). */
  async dataset(datasetId: number, signal: AbortSignal): Promise<RemoNamed> {
    const path = `/api/v1/ui/datasets/${datasetId}/`;
    return namedOf(await this.#calls.json({ method: "GET", path }, signal), path);
  }

  /** `GET /api/v1/ui/datasets/{id}/contents/`, of one folder where it is given: one page, as the server answers it. */
  async contents(
    datasetId: number,
    { folderId, limit }: { readonly folderId?: number | undefined; readonly limit?: number | undefined },
    signal: AbortSignal,
  ): Promise<JsonObject> {
    const folder = folderId === undefined ? "" : `${folderId}/`;
    const path = `/api/v1/ui/datasets/${datasetId}/contents/${folder}`;
    return objectOf(await this.#calls.json({ method: "GET", path, query: { limit } }, signal), path);
  }

  /** The image of exactly this file name (the search of the contents, which finds names that contain it). */
  async imageNamed(datasetId: number, name: string, signal: AbortSignal): Promise<RemoImage | undefined> {
    const path = `/api/v1/ui/datasets/${datasetId}/contents/`;
    const query = { image_name: name, limit: 100 };
    for await (const item of this.#calls.pages({ method: "GET", path, query }, signal, foundMax)) {
      const image = isObject(item) ? item["image"] : undefined;
      if (isObject(image) && image["name"] === name) return imageOf(image, path);
    }
    return undefined;
  }

  /** `GET /api/v1/sdk/datasets/{id}/images/` (vendor's client): every image, page by page. */
  async *images(datasetId: number, signal: AbortSignal, pageSize = 500): AsyncGenerator<RemoImage> {
    const path = `/api/v1/sdk/datasets/${datasetId}/images/`;
    const query = { limit: pageSize };
    for await (const item of this.#calls.pages({ method: "GET", path, query }, signal)) yield imageOf(item, path);
  }

  /** The file of an image, from the address that it came with. Another server is never asked. */
  async imageFile({ url = "", name }: RemoImage, signal: AbortSignal): Promise<Buffer> {
    const { pathname, searchParams } = new URL(this.#calls.sameOrigin(url, `the file of ${name}`));
    const query = Object.fromEntries(searchParams);
    const call = { method: "GET", path: pathname, query, answerBytesMax: remoLimits.fileBytesMax } as const;
    return (await this.#calls.bytes(call, signal)).body;
  }

  /** `GET /api/v1/ui/images/{id}/cache/`: has the server prepare a large image for zooming. */
  cacheImage(imageId: number, signal: AbortSignal): Promise<void> {
    return this.#calls.done({ method: "GET", path: `/api/v1/ui/images/${imageId}/cache/` }, signal);
  }

  /** `GET /api/v1/ui/images/{id}/downsample/`: the bytes of a picture. */
  async downsampleImage(imageId: number, fragment: RemoFragment, signal: AbortSignal): Promise<Buffer> {
    const path = `/api/v1/ui/images/${imageId}/downsample/`;
    const { sourceX, sourceY, sourceWidth, sourceHeight, downscale } = fragment;
    const query = {
      source_x: sourceX,
      source_y: sourceY,
      source_width: sourceWidth,
      source_height: sourceHeight,
      downscale,
    };
    const call = { method: "GET", path, query, answerBytesMax: remoLimits.fileBytesMax } as const;
    return (await this.#calls.bytes(call, signal)).body;
  }
}

/** Names that contain one of ours are few: they end in a number and `.jpg`. */
const foundMax = 1_000;
