import type { Clock } from "../core/clock.ts";
import { imageLimits } from "../core/vision-limits.ts";
import {
  faultTexts,
  type ImageHealth,
  isTrouble,
  judgeMeasures,
  type PictureFault,
  type PictureMeasures,
} from "../core/picture.ts";
import type { Logger, Seams } from "../core/ports.ts";

type ImageState = ImageHealth["state"];

/** What the last pictures say, while it differs from the state: they have to agree for a while. */
interface Change {
  readonly to: ImageState;
  readonly sinceMs: number;
  readonly frames: number;
}

/**
 * How the picture of one camera is, from the measures of its pictures. A state begins and ends only after several
 * pictures in a row and some seconds, and is said once; it never restarts anything.
 */
export class ImageWatch {
  readonly #cameraId: string;
  readonly #mayRepeat: boolean;
  readonly #clock: Clock;
  readonly #log: Logger;
  #health: ImageHealth | undefined;
  #change: Change | undefined;
  #seenAtMs: number | undefined;

  /** `mayRepeat`: a replayed or drawn source, whose pictures are never frozen. */
  constructor(
    camera: { readonly id: string; readonly mayRepeat: boolean },
    { clock, log }: Pick<Seams, "clock" | "log">,
  ) {
    this.#cameraId = camera.id;
    this.#mayRepeat = camera.mayRepeat;
    this.#clock = clock;
    this.#log = log;
  }

  /** Undefined before the first picture. */
  health(): ImageHealth | undefined {
    return this.#health;
  }

  /** Whether it is time to measure a picture again that is decoded anyway, or one that is decoded for that `alone`. */
  isDue(monotonicMs: number, { alone = false } = {}): boolean {
    const everyMs = alone ? imageLimits.measureAloneEveryMs : imageLimits.measureEveryMs;
    return this.#seenAtMs === undefined || monotonicMs - this.#seenAtMs >= everyMs;
  }

  see(measures: PictureMeasures, monotonicMs: number): void {
    this.#seenAtMs = monotonicMs;
    const { state = "good", sinceMs = this.#clock.nowMs() } = this.#health ?? {};
    this.#health = { state, sinceMs, measures };
    const told = this.#told(measures, state);
    if (told === state) {
      this.#change = undefined;
      return;
    }
    const { sinceMs: firstMs, frames } = this.#change?.to === told ? this.#change : { sinceMs: monotonicMs, frames: 0 };
    this.#change = { to: told, sinceMs: firstMs, frames: frames + 1 };
    const [framesMin, leastMs] =
      told === "frozen"
        ? [imageLimits.frozenFrames, imageLimits.frozenMs]
        : [imageLimits.changeFrames, imageLimits.changeMs];
    if (this.#change.frames < framesMin || monotonicMs - firstMs < leastMs) return;
    this.#change = undefined;
    this.#health = { state: told, sinceMs: this.#clock.nowMs(), measures };
    this.#say(told, state, measures);
  }

  /** A picture in which nothing can be told about the state leaves it as it is. */
  #told(measures: PictureMeasures, state: ImageState): ImageState {
    const found = judgeMeasures(measures, state).filter((fault) => fault !== "frozen" || !this.#mayRepeat);
    const [worst] = found;
    if (worst !== undefined) return worst;
    const isUntold =
      (state === "blurred" && measures.sharpness === undefined) ||
      (state === "frozen" && measures.changedShare === undefined);
    return isUntold ? state : "good";
  }

  #say(now: ImageState, before: ImageState, measures: PictureMeasures): void {
    const fields = { camera: this.#cameraId, was: before, ...measures };
    if (now === "good") this.#log.info("camera.image_good", fields);
    else this.#log[isTrouble(now) ? "warn" : "info"](eventOf(now), { ...fields, message: faultTexts[now] });
  }
}

function eventOf(fault: PictureFault): string {
  return `camera.image_${fault.replace("-", "_")}`;
}
