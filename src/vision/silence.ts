import type { Detection } from "../core/types.ts";

/**
 * Whether a model has given any sign of life since it was loaded. A quantised file can load, run, and score nothing ever,
 * which looks like an empty scene. So nothing is said of many pictures without a detection: they are the reason to look
 * once at the scores far below every threshold. A model that works has some there on any picture, an empty or dark one
 * too; a dead one has none. After one sign of life nothing is counted any more.
 */
export class Silence {
  readonly #afterPictures: number;
  #pictures = 0;
  #heard = false;
  #silent = false;

  constructor(afterPictures: number) {
    this.#afterPictures = afterPictures;
  }

  /** A model that was loaded anew is judged anew. */
  forget(): void {
    this.#pictures = 0;
    this.#heard = false;
    this.#silent = false;
  }

  /** True when it is time to look closer at this picture. */
  isSuspicious(detections: readonly Detection[]): boolean {
    if (this.#heard) return false;
    if (detections.length > 0) {
      this.#heard = true;
      this.#silent = false;
      return false;
    }
    this.#pictures += 1;
    return !this.#silent && this.#pictures % this.#afterPictures === 0;
  }

  /** The highest score of any box on that picture; 0 when there is none. */
  judge(scoreMax: number): void {
    this.#heard = scoreMax > 0;
    this.#silent = !this.#heard;
  }

  get silent(): boolean {
    return this.#silent;
  }
}
