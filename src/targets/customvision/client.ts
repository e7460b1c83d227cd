import { KeptBuffers } from "../../core/kept-buffers.ts";
import type { HttpBody, HttpCaller, HttpRequest } from "../../link/http.ts";
import { attemptedText, type HttpAnswer, type StatusContext } from "../../link/http-status.ts";
import { multipartBody } from "../../link/multipart.ts";
import { requireStatus } from "../platform-answer.ts";
import { parsedAnswer, requireAnswer } from "./answer.ts";
import { batchFields, imageFilesBody, listed, spelled } from "./bodies.ts";
import { requireBatch, requireImageFiles, requireRegions } from "./checks.ts";
import {
  customVisionLimits as limits,
  limitError,
  requireCount,
  requireTags,
  requireUuid,
  requireUuids,
  v12Url,
} from "./limits.ts";
import type * as models from "./models.ts";
import * as parse from "./parse.ts";

export interface CustomVisionAccess {
  readonly apiVersion: models.ApiVersion;
  /** Scheme and host without a trailing slash: of the resource; v1.2 has a default. */
  readonly url?: string | undefined;
  readonly trainingKey: string;
  readonly projectId: string;
}

const jsonType = "application/json; charset=utf-8";
/** 256 images with 300 regions each, or 64 with three signed addresses each. */
const listBytesMax = 32 * 1024 * 1024;
const downloadBytesMax = 32 * 1024 * 1024;
/** A body of several images; one more is only held while two requests are under way. */
const keptBodyBytesMax = 9 * 1024 * 1024;

const created = { "v1.2": [200], "v3.3": [200, 207] } as const;
const imagesDeleted = { "v1.2": [204], "v3.3": [202, 204] } as const;

/**
 * The training API of Azure Custom Vision, v1.2 and v3.3, one method each. Every method throws an AgentError: what the
 * document's limits forbid as `USAGE_CUSTOMVISION` before anything is sent, refusals by their status with the service's
 * own code in `facts.platformCode`. No text of an error holds the key. None retries. Sources: the user's document and
 * Microsoft's specification; what was compared with the vendor's clients is in this folder's README.
 */
export class CustomVisionClient {
  readonly #access: CustomVisionAccess;
  readonly #link: HttpCaller;
  readonly #buffers = new KeptBuffers(1, keptBodyBytesMax);

  constructor(access: CustomVisionAccess, link: HttpCaller) {
    this.#access = access;
    this.#link = link;
  }

  get apiVersion(): models.ApiVersion {
    return this.#access.apiVersion;
  }

  /**
   * createImagesFromData, `POST /images`: images as they are, all with the same tags. As multipart up to 64, as
   * octet-stream one. The vendor's clients send one image as multipart; the other forms are the document's word alone.
   */
  async createImagesFromData(
    images: readonly models.ImageData[],
    { tagIds = [], form = "multipart" }: models.DataOptions,
    signal: AbortSignal,
  ): Promise<models.ImageCreateSummary> {
    const operation = "createImagesFromData";
    const most = form === "multipart" ? limits.imagesPerRequest : 1;
    requireCount(operation, `images as ${form}`, images.length, most);
    requireTags(operation, tagIds);
    const contentType = "application/octet-stream";
    const { body, contentType: sentType } =
      form === "multipart"
        ? multipartBody(
            images.map(({ name, bytes }) => ({ name: "imageData", fileName: name, contentType, value: bytes })),
          )
        : { body: images[0]?.bytes ?? Buffer.alloc(0), contentType };
    const query = [...csv("tagIds", tagIds)];
    return this.#create({ path: "/images", query, body, contentType: sentType }, signal);
  }

  /** createImagesFromFiles, `POST /images/files`: up to 64 images as base64, with tags, and regions in v3.3. */
  async createImagesFromFiles(
    images: readonly models.ImageFile[],
    options: models.BatchOptions,
    signal: AbortSignal,
  ): Promise<models.ImageCreateSummary> {
    const { apiVersion } = this.#access;
    requireImageFiles(apiVersion, images, options);
    const body = imageFilesBody(apiVersion, images, options, (sizeBytes) => this.#buffers.take(sizeBytes));
    return this.#create({ path: "/images/files", kept: body, contentType: jsonType }, signal);
  }

  /** createImagesFromPredictions, `POST /images/predictions`: images that the prediction endpoint has stored. */
  async createImagesFromPredictions(
    images: readonly models.ImageOfPrediction[],
    options: models.BatchOptions,
    signal: AbortSignal,
  ): Promise<models.ImageCreateSummary> {
    const operation = "createImagesFromPredictions";
    requireBatch(operation, this.#access.apiVersion, images, options);
    for (const { id } of images) requireUuid(operation, "prediction id", id);
    return this.#create({ path: "/images/predictions", json: entries(images, options) }, signal);
  }

  /** createImagesFromUrls, `POST /images/urls`: images that the service fetches by itself. */
  async createImagesFromUrls(
    images: readonly models.ImageOfUrl[],
    options: models.BatchOptions,
    signal: AbortSignal,
  ): Promise<models.ImageCreateSummary> {
    const operation = "createImagesFromUrls";
    requireBatch(operation, this.#access.apiVersion, images, options);
    for (const { url } of images) {
      if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw limitError(operation, `"${url}" is no http address`);
    }
    return this.#create({ path: "/images/urls", json: entries(images, options) }, signal);
  }

  /** deleteImageTags, `DELETE /images/tags`: takes up to 20 tags from up to 64 images. */
  async deleteImageTags(imageIds: readonly string[], tagIds: readonly string[], signal: AbortSignal): Promise<void> {
    const operation = "deleteImageTags";
    requireUuids(operation, "image id", imageIds, limits.imagesPerRequest);
    requireUuids(operation, "tag id", tagIds, limits.tagsPerRequest);
    const query = [...csv("imageIds", imageIds), ...csv("tagIds", tagIds)];
    await this.#delete({ path: "/images/tags", query }, [204], signal);
  }

  /**
   * deleteImages, `DELETE /images`: up to 256. The flags of v3.3 that delete everything (allImages, allIterations) are
   * never sent.
   */
  async deleteImages(imageIds: readonly string[], signal: AbortSignal): Promise<void> {
    requireUuids("deleteImages", "image id", imageIds, limits.imagesPerDelete);
    await this.#delete(
      { path: "/images", query: [...csv("imageIds", imageIds)] },
      imagesDeleted[this.#access.apiVersion],
      signal,
    );
  }

  /** getTaggedImages, `GET /images/tagged`: a page of images with tags, newest first. */
  async getTaggedImages(
    list: models.TaggedImageList,
    signal: AbortSignal,
  ): Promise<readonly models.CustomVisionImage[]> {
    const { tagIds = [] } = list;
    requireTags("getTaggedImages", tagIds);
    return this.#images("getTaggedImages", "/images/tagged", list, csv("tagIds", tagIds), signal);
  }

  /** getUntaggedImages, `GET /images/untagged`: a page of images without tags, newest first. */
  async getUntaggedImages(list: models.ImageList, signal: AbortSignal): Promise<readonly models.CustomVisionImage[]> {
    return this.#images("getUntaggedImages", "/images/untagged", list, [], signal);
  }

  /** postImageTags (createImageTags in v3.3), `POST /images/tags`: up to 128 pairs of image and tag. */
  async postImageTags(pairs: readonly models.ImageTagPair[], signal: AbortSignal): Promise<models.PairSummary> {
    const operation = "postImageTags";
    requireCount(operation, "pairs of image and tag", pairs.length, limits.imageTagPairsPerRequest);
    for (const { imageId, tagId } of pairs) {
      requireUuid(operation, "image id", imageId);
      requireUuid(operation, "tag id", tagId);
    }
    const tags = pairs.map(({ imageId, tagId }) => ({ imageId, tagId }));
    return this.#call({ method: "POST", path: "/images/tags", json: { tags } }, parse.parsePairSummary, signal);
  }

  /** createImageRegions of v3.3, `POST /images/regions`: up to 64 boxes on images of an object-detection project. */
  async createImageRegions(
    regions: readonly models.NewImageRegion[],
    signal: AbortSignal,
  ): Promise<models.PairSummary> {
    const operation = "createImageRegions";
    this.#requireV3(operation);
    requireCount(operation, "regions", regions.length, limits.regionsPerRequest);
    requireRegions(operation, regions);
    for (const { imageId } of regions) requireUuid(operation, "image id", imageId);
    const request: Operation = {
      method: "POST",
      path: "/images/regions",
      json: { regions },
      statuses: created["v3.3"],
    };
    return this.#call(request, parse.parsePairSummary, signal);
  }

  /** deleteImageRegions of v3.3, `DELETE /images/regions`: up to 64. */
  async deleteImageRegions(regionIds: readonly string[], signal: AbortSignal): Promise<void> {
    this.#requireV3("deleteImageRegions");
    requireUuids("deleteImageRegions", "region id", regionIds, limits.regionsPerRequest);
    await this.#delete({ path: "/images/regions", query: [...csv("regionIds", regionIds)] }, [204], signal);
  }

  /** `GET /tags`: all tags of the project with the number of their images. */
  async listTags(
    { iterationId }: { readonly iterationId?: string },
    signal: AbortSignal,
  ): Promise<readonly models.CustomVisionTag[]> {
    if (iterationId !== undefined) requireUuid("listTags", "iteration id", iterationId);
    return this.#call(
      { method: "GET", path: "/tags", query: pair("iterationId", iterationId) },
      parse.parseTags,
      signal,
    );
  }

  /** `POST /tags`: everything in the query, nothing in the body. A name that exists: `BadRequestTagNameNotUnique`. */
  async createTag(
    name: string,
    { description, type }: { readonly description?: string; readonly type?: string },
    signal: AbortSignal,
  ): Promise<models.CustomVisionTag> {
    if (name.trim() === "") throw limitError("createTag", "the name is empty");
    if (type !== undefined) this.#requireV3("createTag with a type");
    const query = [...pair("name", name), ...pair("description", description), ...pair("type", type)];
    return this.#call({ method: "POST", path: "/tags", query }, parse.parseTag, signal);
  }

  /** `GET /projects/{projectId}`: sends no data, so it serves as a check. */
  async getProject(signal: AbortSignal): Promise<models.CustomVisionProject> {
    return this.#call({ method: "GET", path: "" }, parse.parseProject, signal);
  }

  /** `GET /domains`: what projects can be made for. */
  async getDomains(signal: AbortSignal): Promise<readonly models.CustomVisionDomain[]> {
    return this.#call({ method: "GET", path: "/domains", ofProject: false }, parse.parseDomains, signal);
  }

  /** `GET /domains/{id}`; v1.2 does not say its type. */
  async getDomain(domainId: string, signal: AbortSignal): Promise<models.CustomVisionDomain> {
    requireUuid("getDomain", "domain id", domainId);
    const path = `/domains/${encodeURIComponent(domainId)}`;
    return this.#call({ method: "GET", path, ofProject: false }, parse.parseDomain, signal);
  }

  /**
   * The bytes of an image that a list named. They lie with another service, to which the key does not go; the address
   * holds a signature and is valid for a while only.
   */
  async downloadImage({ id, imageUri }: models.CustomVisionImage, signal: AbortSignal): Promise<Buffer> {
    const uri = imageUri ?? "";
    if (!/^https?:\/\//.test(uri)) throw limitError("downloadImage", `image ${id} has no address`);
    const request = { method: "GET", url: uri, headers: { Accept: "*/*" }, answerBytesMax: downloadBytesMax } as const;
    const answer = await this.#link.request(request, signal);
    const secrets = [...new URL(uri).searchParams.values()];
    requireStatus(answer, { attempted: attemptedText("GET", uri), secrets });
    return answer.body;
  }

  async #create(operation: Omit<Operation, "method">, signal: AbortSignal): Promise<models.ImageCreateSummary> {
    const statuses = created[this.#access.apiVersion];
    return this.#call({ method: "POST", statuses, ...operation }, parse.parseSummary, signal);
  }

  async #images(
    operation: string,
    path: string,
    { iterationId, orderBy, take = limits.takeDefault, skip = 0 }: models.ImageList,
    tagIds: readonly Pair[],
    signal: AbortSignal,
  ): Promise<readonly models.CustomVisionImage[]> {
    if (iterationId !== undefined) requireUuid(operation, "iteration id", iterationId);
    if (!Number.isInteger(take) || take < 1 || take > limits.takeMax) {
      throw limitError(operation, `take is ${take}; the service takes 1 to ${limits.takeMax}`);
    }
    if (!Number.isInteger(skip) || skip < 0) throw limitError(operation, `skip is ${skip}`);
    // The vendor's clients send take and skip with their defaults too.
    const page = [...pair("orderBy", orderBy), ...pair("take", String(take)), ...pair("skip", String(skip))];
    const query = [...pair("iterationId", iterationId), ...tagIds, ...page];
    return this.#call({ method: "GET", path, query }, parse.parseImages, signal);
  }

  #requireV3(operation: string): void {
    if (this.#access.apiVersion === "v1.2") throw limitError(operation, "v1.2 has none");
  }

  async #call<T>(operation: Operation, read: (value: unknown) => T, signal: AbortSignal): Promise<T> {
    const { answer, context } = await this.#exchange(operation, signal);
    const { statuses = [200] } = operation;
    return parsedAnswer(answer, context, { version: this.#access.apiVersion, statuses, parse: read });
  }

  async #delete(operation: Omit<Operation, "method">, statuses: readonly number[], signal: AbortSignal): Promise<void> {
    const { answer, context } = await this.#exchange({ method: "DELETE", ...operation }, signal);
    requireAnswer(answer, context, statuses);
  }

  async #exchange(
    { method, path, query = [], json, body: given, kept, contentType = jsonType, ofProject = true }: Operation,
    signal: AbortSignal,
  ): Promise<{ readonly answer: HttpAnswer; readonly context: StatusContext }> {
    const { apiVersion, url: base, trainingKey, projectId } = this.#access;
    const root = `${base ?? v12Url}/customvision/${apiVersion === "v1.2" ? "v1.2/Training" : `${apiVersion}/training`}`;
    const project = ofProject ? `/projects/${encodeURIComponent(projectId)}` : "";
    const url = `${root}${project}${path}${queryText(query)}`;
    const body = json === undefined ? (kept ?? given) : Buffer.from(JSON.stringify(spelled(apiVersion, json)));
    const request: HttpRequest = {
      method,
      url,
      headers: {
        Accept: "application/json",
        "Training-Key": trainingKey,
        ...(body === undefined ? {} : { "Content-Type": contentType }),
      },
      ...(body === undefined ? {} : { body }),
      answerBytesMax: listBytesMax,
    };
    const answer = await this.#link.request(request, signal);
    // After a failure the connection may still be reading it.
    if (kept !== undefined && answer.requestSent === true) this.#buffers.giveBack(kept);
    return { answer, context: { attempted: attemptedText(method, url), secrets: [trainingKey] } };
  }
}

type Pair = readonly [name: string, value: string];

interface Operation {
  readonly method: HttpRequest["method"];
  /** Under the project, or under the API where `ofProject` is false. */
  readonly path: string;
  readonly query?: readonly Pair[];
  /** Spelled for the version. */
  readonly json?: object;
  readonly body?: HttpBody;
  /** A body that is one of the Buffers that are used again. */
  readonly kept?: Buffer;
  readonly contentType?: string;
  readonly ofProject?: boolean;
  /** 200 alone when absent. */
  readonly statuses?: readonly number[];
}

function entries(images: readonly (models.ImageOfUrl | models.ImageOfPrediction)[], options: models.BatchOptions) {
  const listedImages = images.map(({ tagIds, regions, ...own }) => ({
    ...own,
    ...listed("tagIds", tagIds),
    ...listed("regions", regions),
  }));
  return { images: listedImages, ...batchFields(options) };
}

/** A list is one parameter, its ids parted by commas. */
function csv(name: string, ids: readonly string[]): readonly Pair[] {
  return ids.length === 0 ? [] : [[name, ids.join(",")]];
}

function pair(name: string, value: string | undefined): readonly Pair[] {
  return value === undefined ? [] : [[name, value]];
}

/** Commas stay as they are: 256 ids would otherwise not fit into the address line of some servers. */
function queryText(pairs: readonly Pair[]): string {
  if (pairs.length === 0) return "";
  return `?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2C", ",")}`).join("&")}`;
}
