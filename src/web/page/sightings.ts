import { pageLimits } from "../../core/page-limits.ts";
import type { KnownPicture } from "./frames.ts";
import type { PictureId } from "./ports.ts";

export interface Sighting extends Omit<KnownPicture, "jpeg"> {
  /** Until its thumbnail is made; undefined also where others took its room. */
  readonly hasPicture: boolean;
}

type MakeThumbnail = (jpeg: Buffer) => Promise<Buffer>;

interface Kept {
  readonly seen: Omit<KnownPicture, "jpeg">;
  jpeg: Buffer | undefined;
  thumbnail: Promise<Buffer | undefined> | undefined;
}

/** The latest frames with detections. A thumbnail is made when a page first asks for it; then the picture is let go. */
export class Sightings {
  /** Newest first. */
  #kept: Kept[] = [];

  add({ jpeg, ...seen }: KnownPicture): void {
    const last = this.#kept.find((kept) => kept.seen.camera === seen.camera);
    const apartMs = last === undefined ? Infinity : Math.abs(seen.atMs - last.seen.atMs);
    if (apartMs < pageLimits.sightingEveryMs) return;
    this.#kept = [{ seen, jpeg, thumbnail: undefined }, ...this.#kept].slice(0, pageLimits.sightingsMax);
    let bytes = 0;
    for (const kept of this.#kept) {
      bytes += kept.jpeg?.length ?? 0;
      if (bytes > pageLimits.sightingBytesMax) kept.jpeg = undefined;
    }
  }

  /** Those of other cameras are forgotten. */
  keepOnly(cameras: readonly string[]): void {
    this.#kept = this.#kept.filter(({ seen }) => cameras.includes(seen.camera));
  }

  /** Newest first. */
  list(): readonly Sighting[] {
    return this.#kept.map(({ seen, jpeg, thumbnail }) => ({
      ...seen,
      hasPicture: jpeg !== undefined || thumbnail !== undefined,
    }));
  }

  async thumbnail(id: PictureId, make: MakeThumbnail): Promise<Buffer | undefined> {
    const kept = this.#kept.find(({ seen }) => seen.id === id);
    if (kept === undefined) return undefined;
    const { jpeg } = kept;
    if (kept.thumbnail === undefined && jpeg !== undefined) kept.thumbnail = this.#made(kept, make(jpeg));
    return kept.thumbnail;
  }

  async #made(kept: Kept, making: Promise<Buffer>): Promise<Buffer | undefined> {
    try {
      const thumbnail = await making;
      kept.jpeg = undefined;
      return thumbnail;
    } catch (error) {
      // The vision process may be away for the moment: the next page asks again.
      kept.thumbnail = undefined;
      throw error;
    }
  }
}
