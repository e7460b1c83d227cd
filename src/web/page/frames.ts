import { pageLimits } from "../../core/page-limits.ts";
import type { PictureId, SeenPicture } from "./ports.ts";

export interface KnownPicture extends SeenPicture {
  readonly id: PictureId;
}

/**
 * The newest frame of each camera. While pages are open also those that they were told of last, so that a picture and its
 * boxes are always of the same frame, however slowly it is fetched.
 */
export class LatestFrames {
  readonly #newest = new Map<string, KnownPicture>();
  /** Oldest first. */
  readonly #held = new Map<PictureId, KnownPicture>();
  #heldBytes = 0;
  #last: PictureId;

  /** The first frame gets the id after that. */
  constructor(last: PictureId = 0) {
    this.#last = last;
  }

  get last(): PictureId {
    return this.#last;
  }

  add(seen: SeenPicture): KnownPicture {
    this.#last += 1;
    const known = { ...seen, id: this.#last };
    this.#newest.set(seen.camera, known);
    return known;
  }

  /** Those of other cameras are forgotten. */
  keepOnly(cameras: readonly string[]): void {
    for (const camera of this.#newest.keys()) if (!cameras.includes(camera)) this.#newest.delete(camera);
  }

  /** The newest of all cameras, for pages that will ask for the pictures. */
  announce(): readonly KnownPicture[] {
    const newest = [...this.#newest.values()];
    for (const frame of newest) this.#hold(frame);
    const countMax = newest.length * pageLimits.heldFramesPerCamera;
    for (const [id, frame] of this.#held) {
      if (this.#held.size <= countMax && this.#heldBytes <= pageLimits.heldBytesMax) break;
      // The newest ones were told of just now.
      if (this.#newest.get(frame.camera) === frame) continue;
      this.#held.delete(id);
      this.#heldBytes -= frame.jpeg.length;
    }
    return newest;
  }

  picture(id: PictureId): Buffer | undefined {
    return this.#held.get(id)?.jpeg;
  }

  quiet(): void {
    this.#held.clear();
    this.#heldBytes = 0;
  }

  #hold(frame: KnownPicture): void {
    if (this.#held.has(frame.id)) return;
    this.#held.set(frame.id, frame);
    this.#heldBytes += frame.jpeg.length;
  }
}
