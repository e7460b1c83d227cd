import { jsonObjectBody, violated } from "../checks.ts";
import type { SandboxAnswer, SandboxRequest } from "../http-sandbox.ts";
import { multipartBody } from "../multipart.ts";
import {
  idsOfQuery,
  isUuid,
  numberOfQuery,
  parseBatch,
  parseImageRegions,
  parsePairs,
  refusedWith,
  requireFewTags,
  requireQuery,
  type SandboxBatch,
  type SandboxVersion,
} from "./contract.ts";
import { type CreateContext, decoded, judgeCreate } from "./create.ts";
import { type SandboxImage, shownImage, shownTag, spelledFor } from "./project.ts";

/** What operations need beside what creating images does. */
export interface OperationContext extends CreateContext {
  readonly request: SandboxRequest;
  readonly iterationIds: readonly string[];
  /** Images that the service could fetch, and those that its prediction endpoint has stored. */
  readonly offered: ReadonlyMap<string, Buffer>;
}

type Judge = (context: OperationContext) => () => SandboxAnswer;

const v3: readonly SandboxVersion[] = ["v3.3"];
const both: readonly SandboxVersion[] = ["v1.2", "v3.3"];

/** By method and path behind the project. */
export const operations: Readonly<
  Record<string, { readonly versions: readonly SandboxVersion[]; readonly judge: Judge }>
> = {
  "POST /images": { versions: both, judge: createFromData },
  "POST /images/files": { versions: both, judge: createFromFiles },
  "POST /images/predictions": { versions: both, judge: (context) => createFromOffered(context, "id") },
  "POST /images/urls": { versions: both, judge: (context) => createFromOffered(context, "url") },
  "DELETE /images": { versions: both, judge: deleteImages },
  "DELETE /images/tags": { versions: both, judge: deleteImageTags },
  "POST /images/tags": { versions: both, judge: createImageTags },
  "GET /images/tagged": { versions: both, judge: (context) => listImages(context, true) },
  "GET /images/untagged": { versions: both, judge: (context) => listImages(context, false) },
  "POST /images/regions": { versions: v3, judge: createImageRegions },
  "DELETE /images/regions": { versions: v3, judge: deleteImageRegions },
  "GET /tags": { versions: both, judge: listTags },
  "POST /tags": { versions: both, judge: createTag },
};

function createFromData(context: OperationContext): () => SandboxAnswer {
  const { query, headers, body } = context.request;
  requireQuery(query, ["tagIds"]);
  const tagIds = idsOfQuery(query, "tagIds", 20);
  const images = dataImages(headers["content-type"] ?? "", body);
  const entries = images.map(({ name, bytes }) => ({ name, source: bytes, tagIds: [], regions: [] }));
  const bytesOf = ({ source }: { readonly source: unknown }) => (Buffer.isBuffer(source) ? source : undefined);
  return judgeCreate({ entries, tagIds, metadata: {} }, bytesOf, context);
}

function dataImages(contentType: string, body: Buffer): readonly { readonly name: string; readonly bytes: Buffer }[] {
  if (contentType === "application/octet-stream") return [{ name: "imageData", bytes: body }];
  const parts = multipartBody(contentType, body);
  if (parts.length < 1 || parts.length > 64) refusedWith("BadRequestExceededBatchSize", `${parts.length} files`);
  return parts.map(({ name, fileName, body: bytes }) => {
    if (name !== "imageData") violated(`a part is named "${name}", not imageData`);
    return { name: fileName ?? "imageData", bytes };
  });
}

function createFromFiles(context: OperationContext): () => SandboxAnswer {
  const batch = batchOf(context, "contents");
  const names = new Set(batch.entries.map(({ name }) => name));
  if (names.size < batch.entries.length) context.violate("two images of a batch have the same name");
  return judgeCreate(batch, (entry) => decoded(entry, context), context);
}

/** What nobody offered cannot be fetched. */
function createFromOffered(context: OperationContext, source: "id" | "url"): () => SandboxAnswer {
  return judgeCreate(batchOf(context, source), ({ name }) => context.offered.get(name), context);
}

function batchOf({ request, version }: OperationContext, source: "contents" | "url" | "id"): SandboxBatch {
  requireQuery(request.query, []);
  return parseBatch(version, jsonObjectBody(request.headers["content-type"] ?? "", request.body), source);
}

function deleteImages({ request, project }: OperationContext): () => SandboxAnswer {
  requireQuery(request.query, ["imageIds"]);
  requireNoBody(request);
  const ids = requiredIds(request, "imageIds", 256);
  return () => {
    for (const id of ids) project.remove(id);
    return { status: 204 };
  };
}

function deleteImageTags({ request, project }: OperationContext): () => SandboxAnswer {
  requireQuery(request.query, ["imageIds", "tagIds"]);
  requireNoBody(request);
  const [imageIds, tagIds] = [requiredIds(request, "imageIds", 64), requiredIds(request, "tagIds", 20)];
  return () => {
    for (const image of imageIds.flatMap((id) => project.image(id) ?? [])) {
      for (const tagId of tagIds) project.removeImageTag(image, tagId);
    }
    return { status: 204 };
  };
}

function createImageTags({ request, version, project }: OperationContext): () => SandboxAnswer {
  requireQuery(request.query, []);
  const pairs = parsePairs(version, jsonObjectBody(request.headers["content-type"] ?? "", request.body));
  const found = pairs.map((pair) => ({
    pair,
    image: project.image(pair.imageId) ?? refusedWith("BadRequestInvalidIds", `no image ${pair.imageId}`),
    tag: project.tag(pair.tagId) ?? refusedWith("BadRequestInvalidIds", `no tag ${pair.tagId}`),
  }));
  return () => {
    const summary = { created: [] as object[], duplicated: [] as object[], exceeded: null };
    for (const { pair, image, tag } of found) {
      (image.tagIds.has(tag.id) ? summary.duplicated : summary.created).push(pair);
      image.tagIds.add(tag.id);
    }
    return { status: 200, body: spelledFor(version, summary) };
  };
}

function createImageRegions({ request, project, detectsObjects }: OperationContext): () => SandboxAnswer {
  requireQuery(request.query, []);
  if (!detectsObjects) refusedWith("BadRequestImageRegions", "regions in a project that classifies");
  const regions = parseImageRegions(jsonObjectBody(request.headers["content-type"] ?? "", request.body));
  requireFewTags(regions.map(({ tagId }) => tagId));
  const found = regions.map(({ imageId, ...region }) => ({
    region,
    image: project.image(imageId) ?? refusedWith("BadRequestInvalidIds", `no image ${imageId}`),
  }));
  for (const { tagId } of regions) if (project.tag(tagId) === undefined) refusedWith("BadRequestInvalidIds", "no tag");
  return () => {
    const summary = { created: [] as object[], duplicated: [] as object[], exceeded: [] };
    for (const { region, image } of found) {
      summary[project.addRegion(image, region)].push({ imageId: image.id, ...region });
    }
    return { status: summary.duplicated.length === 0 ? 200 : 207, body: summary };
  };
}

function deleteImageRegions({ request, project }: OperationContext): () => SandboxAnswer {
  requireQuery(request.query, ["regionIds"]);
  requireNoBody(request);
  const ids = requiredIds(request, "regionIds", 64);
  return () => {
    for (const image of project.images()) for (const id of ids) image.regions.delete(id);
    return { status: 204 };
  };
}

function listImages(context: OperationContext, tagged: boolean): () => SandboxAnswer {
  const { request, project, version, origin } = context;
  const { query } = request;
  requireQuery(query, ["iterationId", "orderBy", "take", "skip", ...(tagged ? ["tagIds"] : [])]);
  requireIteration(context);
  const orderBy = query.get("orderBy") ?? "Newest";
  if (orderBy !== "Newest" && orderBy !== "Oldest") violated(`orderBy is "${orderBy}"`);
  const [take, skip] = [numberOfQuery(query, "take", 50, 256), numberOfQuery(query, "skip", 0, 1e9)];
  const tagIds = idsOfQuery(query, "tagIds", 20);
  const wanted = (image: SandboxImage) =>
    image.tagIds.size > 0 === tagged && (tagIds.length === 0 || tagIds.some((id) => image.tagIds.has(id)));
  return () => {
    const images = project.images().filter(wanted);
    images.sort((a, b) => (orderBy === "Newest" ? b.order - a.order : a.order - b.order));
    const shown = { tags: project.tags(), origin };
    const page = images.slice(skip, skip + take).map((image) => shownImage(version, image, shown));
    return { status: 200, body: spelledFor(version, page) };
  };
}

function listTags(context: OperationContext): () => SandboxAnswer {
  const { request, project, version } = context;
  requireQuery(request.query, ["iterationId"]);
  requireIteration(context);
  return () => {
    const images = project.images();
    const tags = project.tags().map((tag) => shownTag(version, tag, images));
    const untagged = images.filter(({ tagIds }) => tagIds.size === 0).length;
    const totals = { totalTaggedImages: images.length - untagged, totalUntaggedImages: untagged };
    return { status: 200, body: version === "v1.2" ? spelledFor(version, { tags, ...totals }) : tags };
  };
}

function createTag({ request, project, version }: OperationContext): () => SandboxAnswer {
  requireQuery(request.query, ["name", "description", ...(version === "v1.2" ? [] : ["type"])]);
  requireNoBody(request);
  const name = request.query.get("name") ?? "";
  if (name === "") violated("a tag without a name in the query");
  const type = request.query.get("type") ?? "Regular";
  if (!["Regular", "Negative", "GeneralProduct"].includes(type)) violated(`the type of a tag is "${type}"`);
  const taken = project.tags().some((tag) => tag.name.toLowerCase() === name.toLowerCase());
  if (taken) refusedWith("BadRequestTagNameNotUnique", `there is a tag "${name}"`);
  const description = request.query.get("description") ?? "";
  return () => {
    const tag = project.addTag(name, { description, type });
    return { status: 200, body: tag === undefined ? {} : spelledFor(version, shownTag(version, tag, [])) };
  };
}

function requireIteration({ request, iterationIds }: OperationContext): void {
  const id = request.query.get("iterationId");
  if (id === null) return;
  if (!isUuid(id)) violated(`iterationId is "${id}"`);
  if (!iterationIds.includes(id)) refusedWith("NotFoundIteration", `no iteration ${id}`, 404);
}

function requiredIds({ query }: SandboxRequest, name: string, most: number): readonly string[] {
  const ids = idsOfQuery(query, name, most);
  return ids.length === 0 ? violated(`${name} is missing`) : ids;
}

function requireNoBody({ body }: SandboxRequest): void {
  if (body.length > 0) violated("this operation takes no body");
}
