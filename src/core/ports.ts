import type { Clock } from "./clock.ts";
import type { AgentError } from "./errors.ts";
import type { Outcome } from "./outcome.ts";
import type { PictureMeasures } from "./picture.ts";
import type { Cursor, Detection, Frame, ModelStamp, RecordDraft, StoredRecord } from "./types.ts";

export type LogFields = Readonly<Record<string, unknown>>;

/** One JSON line an event. The logger redacts; callers still never hand it image data or tokens. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
  /** The text as a line would show it: secrets masked, cut to a line's length. For texts that leave by another way. */
  redacted(text: string): string;
}

/** Uniform in [0, 1). */
export type Random = () => number;

/** What every long-lived part gets from outside. */
export interface Seams {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

// ---------------------------------------------------------------------------------------------------------- capture

/** What a driver hands over: bytes that claim to be a JPEG. The supervisor judges them. */
export type Shot =
  | {
      readonly kind: "image";
      readonly jpeg: Buffer;
      /** Where the picture lay, for whoever has to be told that it is bad. */
      readonly fileName?: string;
    }
  | { readonly kind: "end" };

/**
 * How one kind of frame source is read. A driver never retries, paces, validates or logs: its supervisor does.
 *
 * - `start` may be called again after `stop` or after a failure. Constructors only assign.
 * - `shot` resolves with a picture taken after the call, or `end` once a finite source is used up. A driver on a
 *   continuous stream drains it all the time and answers with the first frame that completes after the call.
 * - `stop` is safe at any time, also twice; it ends a shot that is under way, and leaves no process, descriptor or file
 *   behind.
 * - Errors are AgentErrors with a `CAMERA_…` code whose text holds no secret. `CAMERA_BAD_IMAGE` says that this one
 *   picture was worthless: the next `shot` goes on. After any other error the driver is stopped and started again.
 * - In an `every` source the next `shot` says that the picture before it was dealt with.
 */
export interface CameraDriver {
  readonly kind: string;
  /** `newest`: unread frames are replaced. `every`: a finite or claimed source, whose frames must all be taken. */
  readonly pace: "newest" | "every";
  /**
   * What one picture may rightly take beyond the watchdog's own time: a warm-up, or `Infinity` where nothing may come
   * for days (a watched folder). 0 when absent.
   */
  readonly shotTimeMs?: number;
  /** What a start may rightly take, where that may be longer than usual. */
  readonly startTimeMs?: number;
  /** True where the same picture twice is no alarm: replayed and drawn sources. */
  readonly mayRepeat?: boolean;
  /** Of a source that sends frames all the time, since its last start. Absent where a picture is made when asked for. */
  readonly stream?: CameraStream;
  start(signal: AbortSignal): Promise<void>;
  shot(signal: AbortSignal): Promise<Shot>;
  /**
   * The picture of this name, handed over last, turned out to be none (its pixels cannot be decoded): it is set aside
   * instead of being removed as dealt with. Nothing happens when it was not the last one. For sources made of files.
   */
  refuse?(fileName: string, why: string): Promise<void>;
  stop(): Promise<void>;
}

/** What a supervisor watches of a continuous source between two shots, which may be minutes apart. */
export interface CameraStream {
  /** Between two frames as configured; 0 when nobody knows. */
  readonly framePeriodMs: number;
  /** Frames that came since the start, taken or not. */
  framesSeen(): number;
  /** What came since the last frame, as a phrase for an error text: redacted. */
  silence?(): string;
  /** Calls back once, as soon as the stream is broken for good. The answer stops that. */
  onBroken(watcher: (error: AgentError) => void): () => void;
}

export type CameraState = "starting" | "running" | "stalled" | "backoff" | "stopped" | "ended";

export interface CameraHealth {
  readonly id: string;
  readonly driver: string;
  readonly state: CameraState;
  readonly framesCaptured: number;
  /** Frames that a newer one replaced before anybody took them. */
  readonly framesSkipped: number;
  /** Pictures that were cut, damaged or of an impossible size. */
  readonly framesBad?: number;
  readonly restarts: number;
  /** Its pictures have been the same to the byte for a minute: an alarm, never a reason to restart. */
  readonly frozen?: boolean;
  readonly lastFrameAtMs?: number;
  /** Of a camera that is stopped by its schedule: the wall clock's time when it opens again. */
  readonly opensAtMs?: number;
  /** Redacted. */
  readonly lastError?: { readonly code: string; readonly message: string; readonly atMs: number };
}

/** A supervised frame source. */
export interface Camera {
  readonly id: string;
  /** Its driver's: of an `every` camera no frame may be given up for what will pass. */
  readonly pace: CameraDriver["pace"];
  start(signal: AbortSignal): Promise<void>;
  /** The newest frame nobody has taken yet; waits for one. `undefined` once a finite source is used up. */
  nextFrame(signal: AbortSignal): Promise<Frame | undefined>;
  /**
   * Says that a frame, although a complete JPEG, could not be decoded: it counts as bad, and a source made of files
   * sets the file aside. To be called before the next frame is asked for; never fails.
   */
  refuse?(frame: Frame, why: string): Promise<void>;
  health(): CameraHealth;
  stop(): Promise<void>;
}

// ----------------------------------------------------------------------------------------------------------- vision

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

// ------------------------------------------------------------------------------------------------------------ spool

/** One record owed to one target, leased to its delivery loop. */
export interface Delivery {
  readonly record: StoredRecord;
  /** Failed tries charged to this record so far, for this target. */
  readonly attempts: number;
  readonly cursor?: Cursor;
  /** Reads and verifies the JPEG; fails with `RECORD_UNREADABLE` when the envelope is damaged. */
  image(): Promise<Buffer>;
}

export interface LeaseLimit {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** How a leased delivery ends. `release` puts it back unchanged. */
export type Settlement =
  | { readonly kind: "accepted"; readonly remoteId?: string }
  | { readonly kind: "rejected"; readonly code: string; readonly message: string }
  | {
      readonly kind: "retry";
      /** Wall clock does not matter: a delay from now. */
      readonly afterMs: number;
      /** True counts an attempt against the record. */
      readonly charged: boolean;
      /** Absent keeps the cursor there is; an empty one clears it. */
      readonly cursor?: Cursor;
      readonly code: string;
      readonly message: string;
    }
  | { readonly kind: "release" };

export interface TargetBacklog {
  readonly targetId: string;
  readonly pending: number;
  readonly leased: number;
  /** Set aside for good, with their reason. */
  readonly quarantined: number;
  readonly accepted: number;
  /**
   * The target is configured no more: for how long, in time that the spool was running. Absent for all others. What it
   * is owed is given up after `spool.removedTargetsAfter`.
   */
  readonly removedForMs?: number;
}

/**
 * Why deliveries were given up: older than `maxAge` or the target's own limit (`age`), over a target's share (`cap`), to
 * make room for newer ones (`room`), set aside for too long or beyond their share (`quarantine`), owed to a target that is
 * configured no more (`target-removed`), on an operator's word (`dropped`), or because the file was damaged or gone.
 */
export type LossReason = "age" | "cap" | "room" | "quarantine" | "target-removed" | "dropped" | "damaged" | "missing";

/** Deliveries that will never be made, since the spool began. */
export interface Loss {
  readonly targetId: string;
  readonly priority: number;
  readonly reason: LossReason;
  readonly deliveries: number;
}

export interface SpoolStats {
  readonly records: number;
  readonly bytes: number;
  readonly lastSequence: number;
  readonly targets: readonly TargetBacklog[];
  readonly lost: readonly Loss[];
  /** Records had to go for newer ones within the last minutes. */
  readonly evicting?: boolean;
}

/** One delivery that a target accepted. */
export interface SentEntry {
  /** Position in the sent log, from 1. */
  readonly number: number;
  readonly sequence: number;
  /** The record's. */
  readonly id: string;
  readonly name: string;
  readonly targetId: string;
  readonly remoteId?: string;
  /** Wall clock when the acceptance was noted. */
  readonly atMs: number;
}

export interface SpoolListing {
  readonly record: StoredRecord;
  readonly deliveries: readonly {
    readonly targetId: string;
    /** `held`: being moved to another spool. */
    readonly state: "pending" | "quarantined" | "held";
    readonly attempts: number;
    readonly cursor?: Cursor;
    readonly error?: string;
  }[];
}

/**
 * The durable buffer: at least once per (record, target). A record that `append` accepted survives kill -9 and a power
 * cut; memory does not depend on the backlog.
 */
export interface Spool {
  start(signal: AbortSignal): Promise<void>;
  /**
   * Resolves when the record survives a power cut; a rejected promise leaves nothing visible. `owedTo` names the
   * targets; a record owed to nobody is refused with `SPOOL_NOT_OWED`. Fails with `SPOOL_FULL` when one of the spool's
   * bounds is reached, and with `DISK_FULL` when the disk is.
   */
  append(draft: RecordDraft, jpeg: Buffer, owedTo: readonly string[]): Promise<StoredRecord>;
  /** Due deliveries, priority first, then oldest. Leases live in memory: all are free again after a restart. */
  lease(targetId: string, limit: LeaseLimit): Promise<readonly Delivery[]>;
  /** When it fails the delivery stays leased: settle it again. */
  settle(targetId: string, recordId: string, settlement: Settlement): Promise<void>;
  /** Resolves when something may be due for this target: new, released, or after a deferred one's delay. */
  waitForDue(targetId: string, signal: AbortSignal): Promise<void>;
  stats(): Promise<SpoolStats>;
  /** Records still on disk, oldest first, after `afterSequence`. */
  list(page: { readonly afterSequence: number; readonly recordsMax: number }): Promise<readonly SpoolListing[]>;
  stop(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------------------- targets

export interface TargetCapacity {
  /** Deliveries handed over in one call. */
  readonly recordsPerCallMax: number;
  readonly bytesPerCallMax: number;
  readonly callsInFlightMax: number;
}

/**
 * A configured destination: dumb about delivery, expert about its platform. It sends what it is given and says what
 * happened; buffering, retry, back-off, order and logging belong to `deliver`.
 *
 * - `deliver` never retries, sleeps or logs, and never throws for one record's problem. A throw means that nothing was
 *   accepted; a delivery missing from the answer counts as retry.
 * - It may be called twice with the same record (crash between send and settle).
 * - After `close` begins no `deliver` is called; `close` waits for none.
 * - `wants` is asked once, at append: a record it refuses is not owed, which is neither an error nor a loss.
 */
export interface Target {
  readonly id: string;
  readonly kind: string;
  /** May change while running (a broker's limits are learned on connect). */
  capacity(): TargetCapacity;
  wants(draft: RecordDraft): boolean;
  /** Connects where there is something to connect. Returns at once: being away is a state, not a failure to start. */
  start(): Promise<void>;
  /** Checks credentials and reachability; sends no data. */
  probe(signal: AbortSignal): Promise<void>;
  /** By record id. */
  deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>>;
  close(): Promise<void>;
}
