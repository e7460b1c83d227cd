import type { SandboxPicture, SandboxTruth } from "./checks.ts";

/** One stored picture: its hash and labels, never its pixels, so that a day of uploads fits in memory. */
export interface StoredImage<Label> extends SandboxPicture {
  /** As the platform got them. */
  readonly labels: readonly Label[];
  /** More than once means that the same picture came again. */
  readonly times: number;
}

const imagesMax = 20_000;

/** What a sandbox remembers of pictures. Past its bounds the oldest picture is forgotten. */
export class ImageStore<Label> {
  readonly #images = new Map<string, StoredImage<Label>>();
  readonly #truths = new Map<string, SandboxTruth>();
  readonly #refused = new Set<string>();
  #accepted = 0;

  get accepted(): number {
    return this.#accepted;
  }

  keep(picture: SandboxPicture, labels: readonly Label[]): void {
    const { sha256, width, height, sizeBytes } = picture;
    const times = (this.#images.get(sha256)?.times ?? 0) + 1;
    this.#accepted += 1;
    this.#images.set(sha256, { sha256, width, height, labels, sizeBytes, times });
    dropOldest(this.#images);
  }

  /** A picture that the platform takes for none, for a reason of its own. */
  refuse(sha256: string): void {
    this.#refused.add(sha256);
  }

  refuses(sha256: string): boolean {
    return this.#refused.has(sha256);
  }

  expect(sha256: string, truth: SandboxTruth): void {
    this.#truths.set(sha256, truth);
    dropOldest(this.#truths);
  }

  truthOf(sha256: string): SandboxTruth | undefined {
    return this.#truths.get(sha256);
  }

  /** Images are expected, and none of them is forgotten yet. */
  get knowsAllImages(): boolean {
    return this.#truths.size > 0 && this.#truths.size < imagesMax;
  }

  images(): readonly StoredImage<Label>[] {
    return [...this.#images.values()];
  }
}

function dropOldest(map: Map<string, unknown>): void {
  if (map.size <= imagesMax) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
