import type { Clock } from "./clock.ts";
import type { AgentError } from "./errors.ts";
import type { Outcome } from "./outcome.ts";
import type { Pulses } from "./pulse.ts";
import type { Cursor, Frame, RecordDraft, StoredRecord } from "./types.ts";

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

/** Is told of bytes that were handed to the line. Must not throw. */
export type Meter = (bytes: number) => void;

/** What every long-lived part gets from outside. */
export interface Seams {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Where loops say that they turn. In the daemon alone. */
  readonly pulses?: Pulses;
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

/**
 * `paused`: by an operator, until the pause is over. `stopped`: by its schedule, or with the agent. `blocked`: it gives
 * pictures that its privacy mask was not drawn for, and none of them is let through.
 */
export type CameraState = "starting" | "running" | "stalled" | "backoff" | "blocked" | "paused" | "stopped" | "ended";

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
  /** Of a camera that is paused for a time: what is left of it. */
  readonly resumesInMs?: number;
  /** What is hidden in its pictures; absent where nothing is. */
  readonly maskVersion?: string;
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
  /**
   * Stops its driver, so that its device is free, for so much time that the agent runs, or until `resume`; in the place of
   * a pause that there is, and also before `start`. Resolves when the driver is stopped.
   */
  pause(forMs?: number): Promise<void>;
  resume(): void;
  /** `Infinity` until `resume`; undefined when it is not paused. */
  pauseLeftMs(): number | undefined;
  /** Stops the driver and starts it anew at once, also out of its back-off. Nothing where the camera is off. */
  reopen(): void;
  /** Takes the next picture now, whatever the interval; the pictures after it come when they are due. */
  hurry(): void;
  stop(): Promise<void>;
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

/** What waits for one target. */
export interface WaitingFor {
  readonly targetId: string;
  /** On disk. */
  readonly bytes: number;
  /** Of the oldest record, in time that the spool was running; absent where there is none. */
  readonly oldestAgeMs?: number;
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
  /** Of the oldest record, in time that the spool was running; absent where there is none. */
  readonly oldestAgeMs?: number;
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
 * What a target has to know after a restart: remote ids, sessions that are open. JSON of at most 16 KB; never records.
 * A write survives a power cut once it resolves. Fails with `STATE_…` codes.
 */
export interface TargetMemory {
  /** Undefined when nothing was ever written. */
  read(): Promise<unknown>;
  write(value: object): Promise<void>;
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
