import type { SandboxImage, SandboxLabel, SandboxTruth } from "./contract.ts";

/** One stored picture: its hash and labels, never its pixels, so that a day of uploads fits in memory. */
export interface StoredImage {
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  readonly sizeBytes: number;
  readonly labels: readonly SandboxLabel[];
  /** More than once means that the same picture came again. */
  readonly times: number;
}

const imagesMax = 20_000;
const violationsMax = 1_000;

/** What the sandbox remembers. Past its bounds the oldest picture is forgotten and later violations are only counted. */
export class SandboxStore {
  readonly #images = new Map<string, StoredImage>();
  readonly #truths = new Map<string, SandboxTruth>();
  readonly #violations: string[] = [];
  accepted = 0;
  violationCount = 0;

  keep(image: SandboxImage): void {
    const { jpeg, sha256, width, height, labels } = image;
    const times = (this.#images.get(sha256)?.times ?? 0) + 1;
    this.accepted += 1;
    this.#images.set(sha256, { sha256, width, height, labels, sizeBytes: jpeg.length, times });
    dropOldest(this.#images);
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

  violate(sentence: string): void {
    this.violationCount += 1;
    if (this.#violations.length < violationsMax) this.#violations.push(sentence);
  }

  images(): readonly StoredImage[] {
    return [...this.#images.values()];
  }

  violations(): readonly string[] {
    return [...this.#violations];
  }
}

function dropOldest(map: Map<string, unknown>): void {
  if (map.size <= imagesMax) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
