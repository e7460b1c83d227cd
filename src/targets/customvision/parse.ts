import type {
  CustomVisionDomain,
  CustomVisionImage,
  CustomVisionProject,
  CustomVisionTag,
  ImageCreateSummary,
  ImageRegion,
  ImageTagPair,
  PairSummary,
} from "./models.ts";

/** Answers of both versions, from what came over the wire. A parser throws an UnexpectedShape that names what is wrong. */

export class UnexpectedShape extends Error {
  override readonly name = "UnexpectedShape";
}

type Fields = Readonly<Record<string, unknown>>;

/** v1.2 spells every key with a capital; after this one parser reads both. */
export function withSmallKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withSmallKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key.charAt(0).toLowerCase() + key.slice(1), withSmallKeys(item)]),
  );
}

export function parseSummary(value: unknown): ImageCreateSummary {
  const summary = fieldsOf(value, "a summary");
  const images = listOf(summary["images"], "images").map((item) => {
    const entry = fieldsOf(item, "an image's result");
    const { image } = entry;
    return {
      sourceUrl: optionalText(entry, "sourceUrl") ?? "",
      status: text(entry, "status"),
      ...(image === undefined || image === null ? {} : { image: parseImage(image) }),
    };
  });
  return { isBatchSuccessful: summary["isBatchSuccessful"] === true, images };
}

export function parseImages(value: unknown): readonly CustomVisionImage[] {
  return listOf(value, "a list of images").map(parseImage);
}

function parseImage(value: unknown): CustomVisionImage {
  const image = fieldsOf(value, "an image");
  const imageUri = optionalText(image, "originalImageUri") ?? optionalText(image, "imageUri");
  const { metadata } = image;
  return {
    id: text(image, "id"),
    width: number(image, "width"),
    height: number(image, "height"),
    ...known({
      created: optionalText(image, "created"),
      imageUri,
      resizedImageUri: optionalText(image, "resizedImageUri"),
      thumbnailUri: optionalText(image, "thumbnailUri"),
      metadata: metadata === undefined || metadata === null ? undefined : parseMetadata(metadata),
    }),
    tags: optionalList(image, "tags").map((item) => {
      const tag = fieldsOf(item, "a tag of an image");
      return { tagId: text(tag, "tagId"), ...known({ tagName: optionalText(tag, "tagName") }) };
    }),
    regions: optionalList(image, "regions").map(parseRegion),
  };
}

function parseRegion(value: unknown): ImageRegion {
  const region = fieldsOf(value, "a region");
  return {
    ...known({ regionId: optionalText(region, "regionId"), tagName: optionalText(region, "tagName") }),
    tagId: text(region, "tagId"),
    left: number(region, "left"),
    top: number(region, "top"),
    width: number(region, "width"),
    height: number(region, "height"),
  };
}

function parseMetadata(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fieldsOf(value, "metadata")).map(([key, item]) => [key, String(item)]));
}

/** Of image-tag pairs and of regions alike. */
export function parsePairSummary(value: unknown): PairSummary {
  const summary = fieldsOf(value, "a summary");
  return {
    created: optionalList(summary, "created").map(parsePair),
    duplicated: optionalList(summary, "duplicated").map(parsePair),
    exceeded: optionalList(summary, "exceeded").map(parsePair),
  };
}

function parsePair(value: unknown): ImageTagPair {
  const pair = fieldsOf(value, "a pair");
  return { imageId: text(pair, "imageId"), tagId: text(pair, "tagId") };
}

/** v1.2 wraps the list in an object with totals. */
export function parseTags(value: unknown): readonly CustomVisionTag[] {
  const list = Array.isArray(value) ? value : fieldsOf(value, "a list of tags")["tags"];
  return listOf(list, "a list of tags").map(parseTag);
}

export function parseTag(value: unknown): CustomVisionTag {
  const tag = fieldsOf(value, "a tag");
  return {
    id: text(tag, "id"),
    name: text(tag, "name"),
    ...known({ description: optionalText(tag, "description"), type: optionalText(tag, "type") }),
    imageCount: typeof tag["imageCount"] === "number" ? tag["imageCount"] : 0,
  };
}

export function parseProject(value: unknown): CustomVisionProject {
  const project = fieldsOf(value, "a project");
  const settings = fieldsOf(project["settings"], "a project's settings");
  return {
    id: text(project, "id"),
    name: text(project, "name"),
    domainId: text(settings, "domainId"),
    ...known({ classificationType: optionalText(settings, "classificationType") }),
  };
}

export function parseDomains(value: unknown): readonly CustomVisionDomain[] {
  return listOf(value, "a list of domains").map(parseDomain);
}

export function parseDomain(value: unknown): CustomVisionDomain {
  const domain = fieldsOf(value, "a domain");
  const { exportable, enabled } = domain;
  return {
    id: text(domain, "id"),
    name: text(domain, "name"),
    ...known({
      type: optionalText(domain, "type"),
      exportable: typeof exportable === "boolean" ? exportable : undefined,
      enabled: typeof enabled === "boolean" ? enabled : undefined,
    }),
  };
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new UnexpectedShape(`${what} that is no object`);
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new UnexpectedShape(`${what} that is no list`);
}

function optionalList(fields: Fields, key: string): readonly unknown[] {
  const value = fields[key];
  return value === undefined || value === null ? [] : listOf(value, key);
}

function text(fields: Fields, key: string): string {
  const value = fields[key];
  if (typeof value === "string" && value !== "") return value;
  throw new UnexpectedShape(`no ${key} where one was due`);
}

function optionalText(fields: Fields, key: string): string | undefined {
  const value = fields[key];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function number(fields: Fields, key: string): number {
  const value = fields[key];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new UnexpectedShape(`no number ${key} where one was due`);
}

/** Without the keys whose value is undefined. */
function known<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
