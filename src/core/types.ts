import type { JpegFacts } from "./jpeg.ts";

/** The words every part shares. Boxes are pixels of the stored JPEG everywhere; a target's encoder converts last. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Pixels of the stored JPEG, floating point, origin top-left (COCO's order and meaning), clipped to the image. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface Detection {
  readonly label: string;
  /** 0 to 1. */
  readonly score: number;
  readonly box: Box;
  /** Outline in pixels of the stored JPEG, where the model gives one. */
  readonly polygon?: readonly Point[];
  /** An open line in pixels of the stored JPEG, as people draw them: 2 to 64 points, from its one end to the other. */
  readonly line?: readonly Point[];
}

/** A JPEG fresh from a camera. Only `src/capture` makes frames, and only of complete, valid JPEGs. */
export interface Frame {
  readonly cameraId: string;
  /** Counts the frames of this camera since the process started, from 1. */
  readonly sequence: number;
  readonly jpeg: Buffer;
  /** As stored in the file, before any EXIF rotation. */
  readonly width: number;
  readonly height: number;
  /** Wall clock; may be wrong on a gateway without a battery clock. */
  readonly capturedAtMs: number;
  readonly monotonicMs: number;
  /** Of the walk that judged it, so that nobody has to walk it again. */
  readonly facts?: JpegFacts;
  /** Of a source that is made of files: without its folder. */
  readonly fileName?: string;
}

/** `synchronised`: the system clock was set by a time source since boot; `unsynchronised`: it was not; `unknown`: cannot tell. */
export type ClockQuality = "synchronised" | "unsynchronised" | "unknown";

/** `corrected`: reckoned from the monotonic time, once the clock was right. Never on disk, where a record stays as it is. */
export type TimeQuality = ClockQuality | "corrected";

/** One moment on both clocks. */
export interface ClockStamp {
  readonly capturedAtMs: number;
  readonly monotonicMs: number;
}

/** A picture in overlapping parts, each looked at by itself. */
export interface TileGrid {
  readonly columns: number;
  readonly rows: number;
  /** Share of a tile that it has in common with its neighbour. */
  readonly overlap: number;
}

/** What produced the detections of a record: enough to repeat them. */
export interface ModelStamp {
  readonly name: string;
  readonly sha256: string;
  readonly inputWidth: number;
  readonly inputHeight: number;
  /** Detections at or above this score are shown and sent; those between the floor and it are only stored. */
  readonly threshold: number;
  /** The same for single labels. */
  readonly thresholds?: Readonly<Record<string, number>>;
  readonly nmsIou: number;
  /** For example `onnxruntime-node 1.30.0`. */
  readonly runtime: string;
  /** Looked at beside the whole picture; absent when there were none. */
  readonly tiles?: TileGrid;
}

/** Why a frame became a record: the rule that fired, for example `label:person`, `new:person` or `negative:every-50`. */
export interface KeepReason {
  readonly rule: string;
  /** Higher goes first and is evicted last. 0 is ordinary. */
  readonly priority: number;
}

/** Everything about a record that is known before the spool takes it in. */
export interface RecordDraft {
  readonly cameraId: string;
  readonly capturedAtMs: number;
  readonly monotonicMs: number;
  /** Where `monotonicMs` begins; of records without this, which versions before this field made, with their process. */
  readonly monotonicFrom?: "boot";
  readonly bootId: string;
  readonly clockQuality: TimeQuality;
  readonly imageWidth: number;
  readonly imageHeight: number;
  /** False when the vision process was away: then the absence of detections means nothing. */
  readonly labelled: boolean;
  /** Down to the floor of 0.05, best first, at most 100. */
  readonly detections: readonly Detection[];
  readonly model?: ModelStamp;
  /** Version of the privacy mask that was painted before anything was stored; absent when none is configured. */
  readonly maskVersion?: string;
  readonly reason: KeepReason;
  readonly agentVersion: string;
}

/** One kept frame as it lies in the spool. The JPEG itself is read on demand. */
export interface StoredRecord extends RecordDraft {
  /** ULID: unique across devices. Sorts by the wall clock, which may jump: what has an order is ordered by `sequence`. */
  readonly id: string;
  /** `{device}-{spoolId}-{sequence}.jpg`, frozen at append: the name every target uses. */
  readonly name: string;
  readonly device: string;
  /** Position in this spool, from 1, never reused. */
  readonly sequence: number;
  readonly imageBytes: number;
  readonly imageSha256: string;
}

/** Where a deferred delivery stands: at most 512 bytes that the spool keeps beside it. */
export type Cursor = string;
