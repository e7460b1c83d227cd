import type {
  BatchOptions,
  ImageTagPair,
  NewImageRegion,
  NewRegion,
} from "../../../src/targets/customvision/models.ts";
import { usageError } from "../run-operation.ts";

/** What the command line's texts mean for Custom Vision. Ids and numbers are checked by the client. */

/** Comma list of ids. */
export function idList(text: string): readonly string[] {
  return text.split(",").map((id) => id.trim());
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usageError(`"${text}" is no whole number`);
  return Number(text);
}

/** `KEY=VALUE`, any number of times. */
export function metadataPair(text: string, before: unknown): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  if (at < 1) throw usageError(`--metadata ${text}: expected KEY=VALUE`);
  const earlier = (before ?? {}) as Readonly<Record<string, string>>;
  return { ...earlier, [text.slice(0, at)]: text.slice(at + 1) };
}

/** `IMAGE_ID=TAG_ID`. */
export function imageTagPair(text: string): ImageTagPair {
  const [imageId = "", tagId = ""] = text.split("=");
  if (imageId === "" || tagId === "") throw usageError(`${text}: expected IMAGE_ID=TAG_ID`);
  return { imageId, tagId };
}

/** `{"a.jpg":["<tag id>"]}`: by the image's name, address or id. */
export function tagsByImage(text: string): Readonly<Record<string, readonly string[]>> {
  const entries = Object.entries(objectOf(text, "--image-tags")).map(([name, ids]) => {
    const texts = Array.isArray(ids) ? ids.filter((id): id is string => typeof id === "string") : [];
    if (!Array.isArray(ids) || texts.length < ids.length) throw usageError(`--image-tags: ${name} has no list of ids`);
    return [name, texts] as const;
  });
  return Object.fromEntries(entries);
}

/** `{"a.jpg":[{"tagId":…,"left":…,"top":…,"width":…,"height":…}]}`. */
export function regionsByImage(text: string): Readonly<Record<string, readonly NewRegion[]>> {
  const entries = Object.entries(objectOf(text, "--regions")).map(([name, regions]) => {
    if (!Array.isArray(regions)) throw usageError(`--regions: ${name} has no list`);
    return [name, regions.map((region: unknown) => regionOf(region, "--regions"))] as const;
  });
  return Object.fromEntries(entries);
}

/** `[{"imageId":…,"tagId":…,"left":…}]`. */
export function imageRegions(text: string): readonly NewImageRegion[] {
  const value = jsonOf(text, "regions");
  if (!Array.isArray(value)) throw usageError("the regions are no list");
  return value.map((item: unknown) => {
    const imageId = fieldsOf(item, "regions")["imageId"];
    if (typeof imageId !== "string") throw usageError("a region has no imageId");
    return { imageId, ...regionOf(item, "regions") };
  });
}

/** Of an operation that creates images. */
export function batchOptions(options: Readonly<Record<string, unknown>>): BatchOptions {
  const tagIds = options["tagIds"] as readonly string[] | undefined;
  const metadata = options["metadata"] as Readonly<Record<string, string>> | undefined;
  return { ...(tagIds === undefined ? {} : { tagIds }), ...(metadata === undefined ? {} : { metadata }) };
}

/** Tags and regions of one image, where the person gave some. */
export function annotationsFor(
  name: string,
  options: Readonly<Record<string, unknown>>,
): { readonly tagIds?: readonly string[]; readonly regions?: readonly NewRegion[] } {
  const tagIds = (options["imageTags"] as ReturnType<typeof tagsByImage> | undefined)?.[name];
  const regions = (options["regions"] as ReturnType<typeof regionsByImage> | undefined)?.[name];
  return { ...(tagIds === undefined ? {} : { tagIds }), ...(regions === undefined ? {} : { regions }) };
}

function regionOf(value: unknown, what: string): NewRegion {
  const { tagId, left, top, width, height } = fieldsOf(value, what);
  if (typeof tagId !== "string") throw usageError(`${what}: a region has no tagId`);
  if ([left, top, width, height].some((side) => typeof side !== "number")) {
    throw usageError(`${what}: a region needs the numbers left, top, width and height`);
  }
  return { tagId, left: Number(left), top: Number(top), width: Number(width), height: Number(height) };
}

function objectOf(text: string, what: string): Readonly<Record<string, unknown>> {
  return fieldsOf(jsonOf(text, what), what);
}

function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw usageError(`${what} is no JSON object`);
  return value as Readonly<Record<string, unknown>>;
}

function jsonOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw usageError(`${what} is no JSON`);
  }
}
