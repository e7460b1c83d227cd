/** One dataset of the stand-in: its categories, and who holds its lock. */
export class SandboxDataset {
  readonly id: number;
  readonly name: string;
  /** Id by name. */
  readonly categories = new Map<string, number>();
  readonly categoryIds = new Set<string>();
  /** Every upload id that was ever given out for it. */
  readonly issued = new Set<string>();
  #lock: { readonly uploadId: string; sinceMs: number } | undefined;

  constructor(id: number, name: string) {
    this.id = id;
    this.name = name;
  }

  lock(uploadId: string, nowMs: number): void {
    this.#lock = { uploadId, sinceMs: nowMs };
  }

  /** An image came. */
  touch(nowMs: number): void {
    if (this.#lock !== undefined) this.#lock.sinceMs = nowMs;
  }

  unlock(): void {
    this.#lock = undefined;
  }

  /** Whose it is now. One without a new image for `unlockAfterMs` is gone. */
  holder(nowMs: number, unlockAfterMs: number): string | undefined {
    if (this.#lock !== undefined && nowMs - this.#lock.sinceMs >= unlockAfterMs) this.#lock = undefined;
    return this.#lock?.uploadId;
  }
}
