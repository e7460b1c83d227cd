import { isObject, onlyKeys, violated, type JsonObject } from "../checks.ts";

/**
 * Requests of the training API as a strict server would read them: everything that the specification says is demanded,
 * and some of what the real service may forgive (an unknown property, a wrong capital) is refused on purpose.
 */

export type SandboxVersion = "v1.2" | "v3.3";

/** Keys in the spelling of v3.3. */
export interface SandboxEntry {
  readonly name: string;
  /** Contents, url or id: as it was sent. */
  readonly source: unknown;
  readonly tagIds: readonly string[];
  readonly regions: readonly SandboxRegion[];
}

export interface SandboxRegion {
  readonly tagId: string;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface SandboxBatch {
  readonly entries: readonly SandboxEntry[];
  readonly tagIds: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

const imagesMax = 64;
const tagsMax = 20;
const regionsMax = 300;

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return uuidForm.test(text);
}

/** The key of v3.3 as this version spells it. */
function key(version: SandboxVersion, name: string): string {
  return version === "v1.2" ? name.charAt(0).toUpperCase() + name.slice(1) : name;
}

/** `source` is the key that says where the image comes from. */
export function parseBatch(version: SandboxVersion, body: JsonObject, source: "contents" | "url" | "id"): SandboxBatch {
  const k = (name: string) => key(version, name);
  const ofV3 = (name: string) => (version === "v1.2" ? [] : [name]);
  onlyKeys(body, [k("images")], "the batch", [k("tagIds"), ...ofV3("metadata")]);
  const images = body[k("images")];
  if (!Array.isArray(images)) return violated(`"${k("images")}" is not an array`);
  if (images.length < 1 || images.length > imagesMax) {
    refusedWith("BadRequestExceededBatchSize", `${images.length} images in a batch`);
  }
  const required = source === "contents" ? [k("name"), k("contents")] : [k(source)];
  const entries = images.map((item: unknown) => {
    if (!isObject(item)) return violated("an image is not an object");
    onlyKeys(item, required, "an image", [k("tagIds"), ...ofV3("regions")]);
    const name = item[source === "contents" ? k("name") : k(source)];
    if (typeof name !== "string" || name === "") return violated("an image has no name");
    return {
      name,
      source: item[k(source)],
      tagIds: idList(item[k("tagIds")], `"${k("tagIds")}"`),
      regions: parseRegions(item["regions"], regionsMax),
    };
  });
  const tagIds = idList(body[k("tagIds")], `"${k("tagIds")}"`);
  requireFewTags([...tagIds, ...entries.flatMap((entry) => [...entry.tagIds, ...entry.regions.map((r) => r.tagId)])]);
  return { entries, tagIds, metadata: parseMetadata(body["metadata"]) };
}

export function requireFewTags(tagIds: readonly string[]): void {
  const distinct = new Set(tagIds).size;
  if (distinct > tagsMax) refusedWith("BadRequestImageTags", `${distinct} different tags in a request`);
}

export function parseRegions(value: unknown, most: number): readonly SandboxRegion[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return violated('"regions" is not an array');
  if (value.length > most) refusedWith("BadRequestImageRegions", `${value.length} regions`);
  return value.map((item: unknown) => {
    if (!isObject(item)) return violated("a region is not an object");
    onlyKeys(item, ["tagId", "left", "top", "width", "height"], "a region");
    return parseRegion(item);
  });
}

/** The service reads floats of 32 bits, and sums above 1 are refused after that rounding. */
export function parseRegion(region: JsonObject): SandboxRegion {
  const [left, top, width, height] = ["left", "top", "width", "height"].map((side) => {
    const value = region[side];
    if (typeof value !== "number" || !Number.isFinite(value)) return violated(`a region's ${side} is not a number`);
    if (value < 0 || value > 1) refusedWith("BadRequestImageRegions", `a region's ${side} is ${value}`);
    return value;
  }) as [number, number, number, number];
  if (Math.fround(width) <= 0 || Math.fround(height) <= 0) refusedWith("BadRequestImageRegions", "a region is empty");
  const sums = [Math.fround(left) + Math.fround(width), Math.fround(top) + Math.fround(height)];
  for (const sum of sums) {
    if (Math.fround(sum) > 1) refusedWith("BadRequestImageRegions", `a region ends at ${sum}, outside of the image`);
  }
  return { tagId: uuid(region["tagId"], "a region's tagId"), left, top, width, height };
}

/** Of `POST /images/tags`: pairs of image and tag. */
export function parsePairs(
  version: SandboxVersion,
  body: JsonObject,
): readonly { readonly imageId: string; readonly tagId: string }[] {
  const k = (name: string) => key(version, name);
  onlyKeys(body, [k("tags")], "the batch");
  const pairs = body[k("tags")];
  if (!Array.isArray(pairs)) return violated(`"${k("tags")}" is not an array`);
  if (pairs.length < 1 || pairs.length > 128) refusedWith("BadRequestExceededBatchSize", `${pairs.length} pairs`);
  return pairs.map((item: unknown) => {
    if (!isObject(item)) return violated("a pair is not an object");
    onlyKeys(item, [k("imageId"), k("tagId")], "a pair");
    return { imageId: uuid(item[k("imageId")], k("imageId")), tagId: uuid(item[k("tagId")], k("tagId")) };
  });
}

/** Of `POST /images/regions`: boxes on stored images. */
export function parseImageRegions(body: JsonObject): readonly (SandboxRegion & { readonly imageId: string })[] {
  onlyKeys(body, ["regions"], "the batch");
  const { regions } = body;
  if (!Array.isArray(regions)) return violated('"regions" is not an array');
  if (regions.length < 1 || regions.length > 64)
    refusedWith("BadRequestExceededBatchSize", `${regions.length} regions`);
  return regions.map((item: unknown) => {
    if (!isObject(item)) return violated("a region is not an object");
    onlyKeys(item, ["imageId", "tagId", "left", "top", "width", "height"], "a region");
    return { imageId: uuid(item["imageId"], "a region's imageId"), ...parseRegion(item) };
  });
}

/** Only these parameters, each once; a list is one parameter with commas. */
export function requireQuery(query: URLSearchParams, allowed: readonly string[]): void {
  for (const name of query.keys()) {
    if (/^all(Images|Iterations)$/i.test(name)) violated(`${name} was sent: it deletes everything`);
    if (!allowed.includes(name)) violated(`the query has the unknown parameter "${name}"`);
    if (query.getAll(name).length > 1) violated(`"${name}" came more than once instead of with commas`);
  }
}

/** Absent: no ids. */
export function idsOfQuery(query: URLSearchParams, name: string, most: number): readonly string[] {
  const text = query.get(name);
  if (text === null) return [];
  const ids = text.split(",").map((id) => uuid(id, name));
  if (ids.length > most) refusedWith("BadRequestInvalidIds", `${ids.length} ids in ${name}`);
  return ids;
}

export function numberOfQuery(query: URLSearchParams, name: string, fallback: number, most: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  if (!/^\d{1,9}$/.test(text) || Number(text) > most) violated(`${name} is "${text}"`);
  return Number(text);
}

export function uuid(value: unknown, what: string): string {
  if (typeof value === "string" && isUuid(value)) return value.toLowerCase();
  return refusedWith("BadRequestInvalidIds", `${what} is ${JSON.stringify(value)}, not a UUID`);
}

/** The service's own word for it stands first, where `refusal` finds it. */
export function refusedWith(code: string, sentence: string, status?: number): never {
  return violated(`${code}: ${sentence}`, status);
}

function idList(value: unknown, what: string): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return violated(`${what} is not an array`);
  return value.map((id: unknown) => uuid(id, what));
}

function parseMetadata(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (!isObject(value)) return violated('"metadata" is not an object');
  const pairs = Object.entries(value).map(([name, item]): [string, string] => {
    if (typeof item !== "string") return violated("metadata that is no text");
    if (name.length > 128 || item.length > 256) violated("metadata is too long");
    return [name, item];
  });
  if (pairs.length > 10) violated(`${pairs.length} pairs of metadata`);
  return Object.fromEntries(pairs);
}
