import type { AgentError } from "../core/errors.ts";
import type { PictureMeasures } from "../core/picture.ts";
import type { EncodedImage, ModelInfo, VisionTimings } from "../core/vision-port.ts";
import type { Detection, KeepReason, StoredRecord } from "../core/types.ts";
import type { KeepRefusal } from "../keep/decide.ts";

/**
 * A frame as the detector saw it: upright, without metadata, boxes in its pixels. What the chain hands out of it shows
 * nothing that the camera's privacy settings hide.
 */
export interface SeenFrame {
  readonly cameraId: string;
  readonly capturedAtMs: number;
  readonly monotonicMs: number;
  readonly image: EncodedImage;
  /** False when the detector was away. */
  readonly labelled: boolean;
  /** Down to the floor, best first. */
  readonly detections: readonly Detection[];
  /** Absent when the detector was away, or the labels were given. */
  readonly model?: ModelInfo;
  readonly timings?: VisionTimings;
  /** Where the camera's pictures are watched. */
  readonly measures?: PictureMeasures;
}

/** A frame that the model did not have to see: nothing moved since the last one that it saw. */
export interface StillFrame {
  readonly cameraId: string;
  readonly measures?: PictureMeasures;
  readonly timings: Pick<VisionTimings, "decodeMs" | "measureMs" | "roundMs">;
}

/** What became of one frame. */
export type Processed =
  | {
      readonly kind: "stored";
      readonly seen: SeenFrame;
      readonly reason: KeepReason;
      readonly owedTo: readonly string[];
      readonly record: StoredRecord;
    }
  /** A dry run: it would have been stored. */
  | {
      readonly kind: "kept";
      readonly seen: SeenFrame;
      readonly reason: KeepReason;
      readonly owedTo: readonly string[];
    }
  | { readonly kind: "not-kept"; readonly seen: SeenFrame; readonly why: KeepRefusal }
  /** Never one that was asked for. */
  | { readonly kind: "still"; readonly still: StillFrame }
  /** No target takes such a record. */
  | { readonly kind: "not-owed"; readonly seen: SeenFrame; readonly reason: KeepReason }
  /** The spool would not take it. */
  | { readonly kind: "refused"; readonly seen: SeenFrame; readonly reason: KeepReason; readonly error: AgentError }
  /** There is no picture that may be stored. */
  | { readonly kind: "dropped"; readonly why: DropReason; readonly error: AgentError };

/** `not-blurred`: what has to be made unrecognisable in it could not be. */
export type DropReason = "image-corrupt" | "orientation-unapplied" | "not-blurred" | "failed";
