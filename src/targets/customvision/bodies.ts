import { jsonOfPieces } from "../../link/payload.ts";
import type { ApiVersion, BatchOptions, ImageFile } from "./models.ts";

/** Request bodies in the spelling of each version; what is absent is left out, never null. */

/** v1.2 demands a capital on every key, v3.3 a small letter. */
export function spelled(version: ApiVersion, value: unknown): unknown {
  if (version !== "v1.2") return value;
  if (Array.isArray(value)) return value.map((item) => spelled(version, item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key.charAt(0).toUpperCase() + key.slice(1), spelled(version, item)]),
  );
}

/** The body of createImagesFromFiles: any number of images as base64, in one Buffer. */
export function imageFilesBody(
  version: ApiVersion,
  images: readonly ImageFile[],
  options: BatchOptions,
  allocate?: (sizeBytes: number) => Buffer,
): Buffer {
  const json = (value: unknown) => JSON.stringify(spelled(version, value));
  const key = (name: string) =>
    JSON.stringify(version === "v1.2" ? name.charAt(0).toUpperCase() + name.slice(1) : name);
  const pieces: (string | Buffer)[] = [`{${key("images")}:[`];
  for (const [at, { name, contents, tagIds, regions }] of images.entries()) {
    const rest = { ...listed("tagIds", tagIds), ...listed("regions", regions) };
    pieces.push(`${at === 0 ? "" : ","}{${key("name")}:${JSON.stringify(name)},${key("contents")}:"`, contents);
    pieces.push(`"${continued(json(rest))}`);
  }
  pieces.push(`]${continued(json(batchFields(options)))}`);
  return jsonOfPieces(pieces, allocate);
}

/** Of a whole batch, without its images. */
export function batchFields({ tagIds, metadata }: BatchOptions): object {
  return { ...listed("tagIds", tagIds), ...(metadata === undefined ? {} : { metadata }) };
}

export function listed<K extends string, T>(key: K, items: readonly T[] | undefined): { [key in K]?: readonly T[] } {
  return (items === undefined || items.length === 0 ? {} : { [key]: items }) as { [key in K]?: readonly T[] };
}

/** `{"a":1}` as what follows other keys: `,"a":1}`. */
function continued(object: string): string {
  return object === "{}" ? "}" : `,${object.slice(1)}`;
}
