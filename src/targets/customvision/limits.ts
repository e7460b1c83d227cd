import { AgentError } from "../../core/errors.ts";

/** The only host that the user's document knows; v3.3 is reached at the resource's own. */
export const v12Url = "https://southcentralus.api.cognitive.microsoft.com";

/**
 * What the service documents of one request and one image; checked before anything is sent, because its own answer to
 * too much is a bare 400. Sources: the user's document, Microsoft's "Limits and quotas" and the service's specification.
 */
export const customVisionLimits = {
  imagesPerRequest: 64,
  /** Distinct tags over a whole batch, its entries and its regions. */
  tagsPerRequest: 20,
  imageTagPairsPerRequest: 128,
  regionsPerRequest: 64,
  /** Of deleteImages; deleteImageTags takes 64. */
  imagesPerDelete: 256,
  takeDefault: 50,
  takeMax: 256,
  metadataPairs: 10,
  metadataKeyChars: 128,
  metadataValueChars: 256,
  /** "6 MB" in the smaller of its two readings. */
  imageBytesMax: 6_000_000,
  imageSideMax: 10_240,
  imageAspectMax: 25,
  regionsPerImage: 300,
} as const;

/** For an operation that breaks a limit, or uses what its version lacks. Nothing was sent. */
export function limitError(operation: string, what: string): AgentError {
  return new AgentError("USAGE_CUSTOMVISION", `${operation}: ${what}; nothing was sent`, { disposition: "fatal" });
}

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Ids go into paths and comma lists, so each must be one. The text "null" of the document's samples is none. */
export function requireUuid(operation: string, what: string, id: string): void {
  if (!uuidForm.test(id)) throw limitError(operation, `${what} "${id.slice(0, 64)}" is no UUID`);
}

export function requireUuids(operation: string, what: string, ids: readonly string[], most: number): void {
  if (ids.length === 0) throw limitError(operation, `needs at least one ${what}`);
  if (ids.length > most)
    throw limitError(operation, `${ids.length} times ${what}; the service takes ${most} a request`);
  for (const id of ids) requireUuid(operation, what, id);
}

export function requireCount(operation: string, what: string, count: number, most: number): void {
  if (count === 0) throw limitError(operation, `needs at least one ${what}`);
  if (count > most) throw limitError(operation, `${count} of ${what}; the service takes ${most} a request`);
}

/** Those of a whole request, each counted once. */
export function requireTags(operation: string, tagIds: Iterable<string>): void {
  const distinct = new Set(tagIds);
  for (const id of distinct) requireUuid(operation, "tag id", id);
  const { tagsPerRequest } = customVisionLimits;
  if (distinct.size > tagsPerRequest) {
    throw limitError(operation, `${distinct.size} different tags; the service takes ${tagsPerRequest} a request`);
  }
}
