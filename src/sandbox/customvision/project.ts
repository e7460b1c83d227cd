import { randomUUID } from "node:crypto";
import type { SandboxPicture } from "../checks.ts";
import type { SandboxRegion, SandboxVersion } from "./contract.ts";

export interface SandboxTag {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly type: string;
}

/** One image of the project: its facts, and its bytes while there is room for them. */
export interface SandboxImage extends SandboxPicture {
  readonly id: string;
  readonly name: string;
  /** Counts up; the higher, the newer. */
  readonly order: number;
  readonly tagIds: Set<string>;
  readonly regions: Map<string, SandboxRegion>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly bytes?: Buffer;
  /** How often it came. */
  times: number;
}

const imagesMax = 20_000;
/** Pictures that can be fetched again. */
const keptBytesMax = 64 * 1024 * 1024;
const createdMs = Date.UTC(2026, 0, 1);

/** What a project holds. The same bytes are one image, whatever their names; the oldest goes beyond the bound. */
export class SandboxProject {
  readonly #images = new Map<string, SandboxImage>();
  readonly #byHash = new Map<string, SandboxImage>();
  readonly #tags = new Map<string, SandboxTag>();
  #order = 0;
  #keptBytes = 0;
  #accepted = 0;

  get accepted(): number {
    return this.#accepted;
  }

  images(): readonly SandboxImage[] {
    return [...this.#images.values()];
  }

  image(id: string): SandboxImage | undefined {
    return this.#images.get(id);
  }

  tags(): readonly SandboxTag[] {
    return [...this.#tags.values()];
  }

  tag(id: string): SandboxTag | undefined {
    return this.#tags.get(id);
  }

  holds(sha256: string): boolean {
    return this.#byHash.has(sha256);
  }

  /** Undefined where the name is taken. */
  addTag(name: string, { description = "", type = "Regular" } = {}): SandboxTag | undefined {
    if (this.tags().some((tag) => tag.name.toLowerCase() === name.toLowerCase())) return undefined;
    const tag = { id: randomUUID(), name, description, type };
    this.#tags.set(tag.id, tag);
    return tag;
  }

  removeTag(id: string): void {
    this.#tags.delete(id);
    for (const image of this.images()) this.removeImageTag(image, id);
  }

  /** Bytes that are there already only gain tags and regions. */
  keep(
    picture: SandboxPicture,
    given: {
      readonly name: string;
      readonly tagIds: readonly string[];
      readonly regions: readonly SandboxRegion[];
      readonly metadata: Readonly<Record<string, string>>;
      readonly bytes?: Buffer;
    },
  ): SandboxImage {
    this.#accepted += 1;
    const known = this.#byHash.get(picture.sha256);
    const image = known ?? this.#added(picture, given);
    image.times += 1;
    for (const tagId of given.tagIds) image.tagIds.add(tagId);
    for (const region of given.regions) this.addRegion(image, region);
    return image;
  }

  addRegion(image: SandboxImage, region: SandboxRegion): "created" | "duplicated" {
    image.tagIds.add(region.tagId);
    const same = [...image.regions.values()].some((other) => sameRegion(other, region));
    if (same) return "duplicated";
    image.regions.set(randomUUID(), region);
    return "created";
  }

  removeImageTag(image: SandboxImage, tagId: string): void {
    image.tagIds.delete(tagId);
    for (const [id, region] of image.regions) if (region.tagId === tagId) image.regions.delete(id);
  }

  remove(imageId: string): void {
    const image = this.#images.get(imageId);
    if (image === undefined) return;
    this.#images.delete(imageId);
    this.#byHash.delete(image.sha256);
    this.#keptBytes -= image.bytes?.length ?? 0;
  }

  #added(
    { sha256, width, height, sizeBytes }: SandboxPicture,
    { name, metadata, bytes }: Pick<SandboxImage, "name" | "metadata" | "bytes">,
  ): SandboxImage {
    this.#order += 1;
    const hasRoom = bytes !== undefined && this.#keptBytes + bytes.length <= keptBytesMax;
    if (hasRoom) this.#keptBytes += bytes.length;
    const image: SandboxImage = {
      ...{ id: randomUUID(), name, order: this.#order, sha256, width, height, sizeBytes, metadata, times: 0 },
      ...{ tagIds: new Set(), regions: new Map() },
      // A copy: a view would keep the whole request.
      ...(hasRoom ? { bytes: Buffer.from(bytes) } : {}),
    };
    this.#images.set(image.id, image);
    this.#byHash.set(sha256, image);
    const [oldest] = this.#images.keys();
    if (this.#images.size > imagesMax && oldest !== undefined) this.remove(oldest);
    return image;
  }
}

function sameRegion(a: SandboxRegion, b: SandboxRegion): boolean {
  return a.tagId === b.tagId && a.left === b.left && a.top === b.top && a.width === b.width && a.height === b.height;
}

/** An image as an answer shows it; `origin` is where its bytes can be fetched. */
export function shownImage(
  version: SandboxVersion,
  image: SandboxImage,
  { tags, origin }: { readonly tags: readonly SandboxTag[]; readonly origin: string },
): object {
  const { id, order, width, height, tagIds, regions, metadata } = image;
  const created = new Date(createdMs + order * 1_000).toISOString();
  const nameOf = (tagId: string) => tags.find((tag) => tag.id === tagId)?.name ?? "";
  const uri = `${origin}/blobs/${id}?sig=sandbox-signature`;
  if (version === "v1.2") {
    const shownTags = [...tagIds].map((tagId) => ({ tagId, created }));
    return { id, created, width, height, imageUri: uri, thumbnailUri: uri, tags: shownTags, predictions: null };
  }
  return {
    ...{ id, created, width, height, resizedImageUri: uri, thumbnailUri: uri, originalImageUri: uri },
    tags: [...tagIds].map((tagId) => ({ tagId, tagName: nameOf(tagId), created })),
    regions: [...regions].map(([regionId, region]) => ({
      ...{ regionId, tagName: nameOf(region.tagId), created },
      ...region,
    })),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

export function shownTag(version: SandboxVersion, tag: SandboxTag, images: readonly SandboxImage[]): object {
  const { id, name, description, type } = tag;
  const imageCount = images.filter(({ tagIds }) => tagIds.has(id)).length;
  const shown = { id, name, description: description === "" ? null : description, imageCount };
  return version === "v1.2" ? shown : { ...shown, type };
}

/** In the capitals of v1.2, all the way down. */
export function spelledFor(version: SandboxVersion, value: unknown): unknown {
  if (version !== "v1.2") return value;
  if (Array.isArray(value)) return value.map((item) => spelledFor(version, item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name.charAt(0).toUpperCase() + name.slice(1),
      spelledFor(version, item),
    ]),
  );
}
