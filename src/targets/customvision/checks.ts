import { customVisionLimits as limits, limitError, requireCount, requireTags } from "./limits.ts";
import type { ApiVersion, BatchOptions, ImageFile, NewRegion } from "./models.ts";

/** What a batch of images must keep to, so that the service's answer is about its images and not about the batch. */

interface Entry {
  readonly tagIds?: readonly string[];
  readonly regions?: readonly NewRegion[];
}

export function requireBatch(
  operation: string,
  version: ApiVersion,
  images: readonly Entry[],
  { tagIds = [], metadata }: BatchOptions,
): void {
  requireCount(operation, "images", images.length, limits.imagesPerRequest);
  if (version === "v1.2") {
    if (metadata !== undefined) throw limitError(operation, "v1.2 has no metadata");
    if (images.some(({ regions }) => regions !== undefined)) throw limitError(operation, "v1.2 has no regions");
  }
  requireTags(operation, [...tagIds, ...images.flatMap(tagsOf)]);
  for (const { regions = [] } of images) {
    if (regions.length > limits.regionsPerImage) {
      throw limitError(operation, `${regions.length} regions on an image; the service takes ${limits.regionsPerImage}`);
    }
    requireRegions(operation, regions);
  }
  requireMetadata(operation, metadata ?? {});
}

export function requireImageFiles(version: ApiVersion, images: readonly ImageFile[], options: BatchOptions): void {
  const operation = "createImagesFromFiles";
  requireBatch(operation, version, images, options);
  const names = new Set(images.map(({ name }) => name));
  // By the name an answer finds its image: the order is not promised.
  if (names.size < images.length || names.has("")) throw limitError(operation, "every image needs a name of its own");
  const empty = images.find(({ contents }) => contents.length === 0);
  if (empty !== undefined) throw limitError(operation, `${empty.name} is empty`);
}

export function requireRegions(operation: string, regions: readonly NewRegion[]): void {
  for (const { left, top, width, height } of regions) {
    const numbers = [left, top, width, height];
    const inside = numbers.every((value) => Number.isFinite(value) && value >= 0 && value <= 1);
    if (!inside || width === 0 || height === 0) {
      throw limitError(operation, `a region of [${numbers.join(", ")}] is none: fractions of the image, with an area`);
    }
  }
}

export function tagsOf({ tagIds = [], regions = [] }: Entry): readonly string[] {
  return [...tagIds, ...regions.map(({ tagId }) => tagId)];
}

function requireMetadata(operation: string, metadata: Readonly<Record<string, string>>): void {
  const pairs = Object.entries(metadata);
  if (pairs.length > limits.metadataPairs) {
    throw limitError(operation, `${pairs.length} pairs of metadata; the service takes ${limits.metadataPairs}`);
  }
  for (const [key, value] of pairs) {
    if (key.length > limits.metadataKeyChars || value.length > limits.metadataValueChars) {
      throw limitError(operation, `the metadata "${key.slice(0, 40)}" is too long`);
    }
  }
}
