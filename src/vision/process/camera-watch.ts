import { visionLimits } from "../../core/vision-limits.ts";
import type { PictureMeasures } from "../../core/picture.ts";
import type { MotionGate } from "../../core/vision-port.ts";
import type { Pixels, PictureSize } from "./imaging.ts";
import { changedShare, measure } from "./measures.ts";
import type { MotionMeter } from "./motion.ts";
import type { Thumbnail, ThumbnailMaker } from "./thumbnail.ts";

/**
 * One camera's pictures, in their order: how each differs from the one before, and which of them the model has to see.
 *
 * Motion is told from the last picture that the model saw, not from an average: nothing can creep in unseen, however
 * slowly it comes, and a picture let pass as still is one that the model has judged, but for noise and light. A camera
 * without such a picture, after a restart or a change of size, is simply detected.
 */

/** What the model made of a picture. */
export interface Sighting {
  readonly monotonicMs: number;
  /** Detections at or above the threshold. */
  readonly shown: number;
  /** Something scored only just below the threshold. */
  readonly doubtful: boolean;
}

export class CameraWatch {
  readonly #maker: ThumbnailMaker;
  readonly #meter: MotionMeter;
  /** The newest picture, the last that the model saw, and the last that was measured: often the same. */
  #newest: Thumbnail | undefined;
  #judged: Thumbnail | undefined;
  #measured: Thumbnail | undefined;
  /** All three at most, to be used again. */
  readonly #kept: Thumbnail[] = [];
  #sighting: Sighting | undefined;
  #size: PictureSize | undefined;
  #holdLeft = 0;
  #doubtLeft = 0;

  constructor(maker: ThumbnailMaker, meter: MotionMeter) {
    this.#maker = maker;
    this.#meter = meter;
  }

  /** The next picture of this camera. Its size is not known from its pixels, which may have been reduced. */
  take(pixels: Pixels, { width, height }: PictureSize): void {
    if (this.#size?.width !== width || this.#size.height !== height) this.#forget({ width, height });
    const free = this.#kept.findIndex((one) => one !== this.#judged && one !== this.#measured);
    const now = this.#maker.take(pixels.rgb, pixels.width, pixels.height, this.#kept[free], { width, height });
    this.#kept[free === -1 ? this.#kept.length : free] = now;
    this.#newest = now;
  }

  /**
   * Of the picture that was taken last. It is compared with the one measured before, not with the one before it: some
   * cameras hand over every picture twice, which only looks frozen.
   */
  measure(pixels: Pixels): PictureMeasures {
    const { width, height } = this.#size ?? pixels;
    const [now, before] = [this.#newest, this.#measured];
    if (now === undefined) throw new Error("no picture was taken");
    this.#measured = now;
    const changed = before?.key === now.key ? changedShare(now, before) : undefined;
    const measured = measure(pixels.rgb, pixels.width, pixels.height, now);
    return { width, height, ...measured, ...(changed === undefined ? {} : { changedShare: changed }) };
  }

  /** Pictures of another size are another scene, even where they are reduced to the same. */
  #forget(size: PictureSize): void {
    this.#size = size;
    this.#newest = undefined;
    this.#judged = undefined;
    this.#measured = undefined;
    this.#kept.length = 0;
  }

  /** Whether the model has to see the picture that was taken last. */
  needsModel(monotonicMs: number, gate: MotionGate): boolean {
    const [now, judged, sighting] = [this.#newest, this.#judged, this.#sighting];
    if (now === undefined || judged?.key !== now.key || sighting === undefined) return true;
    // With something in the picture half as much motion is enough: it may be about to leave, or another to come.
    const enough = sighting.shown > 0 ? gate.minAreaShare / 2 : gate.minAreaShare;
    if (this.#meter.movedShare(now, judged, gate.minContrastLevels) >= enough) {
      this.#holdLeft = visionLimits.motionHoldFrames;
      this.#doubtLeft = visionLimits.motionDoubtFrames;
      return true;
    }
    if (this.#holdLeft > 0) {
      this.#holdLeft -= 1;
      return true;
    }
    if (sighting.doubtful && this.#doubtLeft > 0) {
      this.#doubtLeft -= 1;
      return true;
    }
    const sinceMs = monotonicMs - sighting.monotonicMs;
    return sinceMs >= gate.detectEveryMs || sinceMs < 0;
  }

  /** The model has seen the picture that was taken last. */
  saw(sighting: Sighting): void {
    this.#judged = this.#newest;
    this.#sighting = sighting;
  }
}

/** A watch for each camera, as many as a config may have. */
export class CameraWatches {
  readonly #maker: ThumbnailMaker;
  readonly #meter: MotionMeter;
  readonly #watches = new Map<string, CameraWatch>();

  constructor(maker: ThumbnailMaker, meter: MotionMeter) {
    this.#maker = maker;
    this.#meter = meter;
  }

  of(cameraId: string): CameraWatch {
    const known = this.#watches.get(cameraId);
    if (known !== undefined) return known;
    const [oldest] = this.#watches.keys();
    if (oldest !== undefined && this.#watches.size >= visionLimits.watchedCamerasMax) this.#watches.delete(oldest);
    const watch = this.one();
    this.#watches.set(cameraId, watch);
    return watch;
  }

  /** For a picture that belongs to no camera. */
  one(): CameraWatch {
    return new CameraWatch(this.#maker, this.#meter);
  }
}
