import type { PictureMeasures } from "./picture.ts";
import type { PrivacyMask } from "./privacy.ts";
import type { Box, Detection, ModelStamp } from "./types.ts";

/** The port of the vision process: pictures in; detections, measures and other pictures out. */

export interface ModelInfo extends ModelStamp {
  readonly family: string;
  /** What its detections can be called. */
  readonly labels: readonly string[];
  /** About label rules that speak of labels the model does not know, each in one sentence. */
  readonly warnings?: readonly string[];
}

/** Milliseconds spent in each stage inside the vision process; `round` is what the caller waited, all included. */
export interface VisionTimings {
  readonly decodeMs: number;
  /** Of a camera's pictures: whether anything moved, and the measures where they were wanted. */
  readonly measureMs?: number;
  readonly fillMs: number;
  readonly runMs: number;
  readonly postMs: number;
  readonly roundMs: number;
}

export interface DetectResult {
  /** Down to the floor of 0.05, best first, at most 100, clipped, in pixels of the upright image. */
  readonly detections: readonly Detection[];
  /** Of the upright image, EXIF rotation applied. */
  readonly width: number;
  readonly height: number;
  readonly model: ModelInfo;
  readonly timings: VisionTimings;
}

/** When a camera's picture need not be run through the model. */
export interface MotionGate {
  /** The model runs at least this often. */
  readonly detectEveryMs: number;
  /** Share of the picture that has to change, above 0. */
  readonly minAreaShare: number;
  /** Levels of 255 by which a place has to change. */
  readonly minContrastLevels: number;
}

export interface WatchOptions {
  readonly exact: boolean;
  readonly cameraId: string;
  /** Of the frame. */
  readonly monotonicMs: number;
  readonly gate?: MotionGate;
  /** Detect, moved or not. */
  readonly force: boolean;
  /** Say how the picture is. */
  readonly measure: boolean;
}

export type WatchResult =
  | (DetectResult & { readonly kind: "detected"; readonly measures?: PictureMeasures })
  /** Nothing has changed since the picture that the model saw last. */
  | {
      readonly kind: "still";
      readonly width: number;
      readonly height: number;
      readonly measures?: PictureMeasures;
      readonly timings: Pick<VisionTimings, "decodeMs" | "measureMs" | "roundMs">;
    };

export interface EncodedImage {
  readonly jpeg: Buffer;
  readonly width: number;
  readonly height: number;
}

export interface ReencodeOptions {
  /** 1 to 100. */
  readonly quality: number;
  /** The picture is reduced, never enlarged, to fit; its shape is kept. */
  readonly widthMax?: number;
  readonly heightMax?: number;
}

/**
 * The vision process. Every call has a deadline of its own; while the process is away they fail at once with
 * `VISION_UNAVAILABLE`, and the process comes back with back-off. One bad image costs its own call, never the next.
 */
export interface Vision {
  start(signal: AbortSignal): Promise<void>;
  /** Undefined until a model has loaded. */
  model(): ModelInfo | undefined;
  detect(jpeg: Buffer, options: { readonly exact: boolean }, signal: AbortSignal): Promise<DetectResult>;
  /**
   * `detect` for the pictures of one camera, in their order: it measures those for which that is wanted, and leaves the
   * model alone while nothing moves, where a gate is given.
   */
  watch(jpeg: Buffer, options: WatchOptions, signal: AbortSignal): Promise<WatchResult>;
  /** What can be told of a picture without a model. With a camera's id it is compared with that camera's last one. */
  measure(jpeg: Buffer, signal: AbortSignal, cameraId?: string): Promise<PictureMeasures>;
  /** A JPEG without metadata, EXIF rotation baked in. */
  reencode(jpeg: Buffer, options: ReencodeOptions, signal: AbortSignal): Promise<EncodedImage>;
  thumbnail(
    jpeg: Buffer,
    options: { readonly sideMax: number; readonly quality: number },
    signal: AbortSignal,
  ): Promise<EncodedImage>;
  /**
   * A JPEG with the mask's polygons filled black, without metadata, EXIF rotation baked in. Fails with
   * `IMAGE_MASK_MISFIT` when the upright picture has not the mask's size.
   */
  paint(jpeg: Buffer, mask: PrivacyMask, signal: AbortSignal): Promise<EncodedImage>;
  /** The same with these boxes, in pixels of the upright picture, made of a few squares. */
  pixelate(jpeg: Buffer, boxes: readonly Box[], signal: AbortSignal): Promise<EncodedImage>;
  /** Draws an SVG scene of our own making as a JPEG: the simulated camera, and pictures with boxes. */
  render(
    svg: string,
    options: { readonly quality: number; readonly under?: Buffer },
    signal: AbortSignal,
  ): Promise<EncodedImage>;
  health(): VisionHealth;
  stop(): Promise<void>;
}

export interface VisionHealth {
  readonly state: "starting" | "ready" | "backoff" | "stopped";
  readonly pid?: number;
  readonly restarts: number;
  readonly rssPeakBytes: number;
  /** The model runs, but gave no score at all on many pictures: it is most likely dead. */
  readonly silent?: true;
  readonly lastError?: { readonly code: string; readonly message: string };
}
