import type { DeliveryHealth, UploadHealth } from "./health.ts";
import type { CameraState, SentEntry, SpoolListing, SpoolStats } from "./ports.ts";
import type { Cursor } from "./types.ts";

/** Which deliveries an operator means: those that fit every key that is given. */
export interface DeliverySelection {
  readonly targetId?: string;
  readonly state?: "pending" | "quarantined" | "held";
  /** One record's sequence. */
  readonly sequence?: number;
  /** Of records up to this one: what comes later is not meant. */
  readonly upToSequence?: number;
  /** Of records of this camera; of those that show this label. Both stand in the files: a step then looks at fewer. */
  readonly cameraId?: string;
  readonly label?: string;
}

export interface ListPage {
  readonly afterSequence: number;
  readonly recordsMax: number;
  /** Only records with a delivery that fits. */
  readonly targetId?: string;
  readonly state?: NonNullable<DeliverySelection["state"]>;
}

/** One bounded step of long work. Call again after `lastSequence` until `done`. */
export interface QueueStep {
  /** Deliveries that were changed. */
  readonly changed: number;
  /** Deliveries that fit but are being worked on at this moment. */
  readonly busy: number;
  readonly lastSequence: number;
  readonly done: boolean;
}

export interface QueueStats extends SpoolStats {
  readonly damaged: number;
  readonly missing: number;
  readonly encrypted: number;
  /** How delivery stands, where a daemon runs. */
  readonly deliveries?: readonly DeliveryHealth[];
  readonly upload?: UploadHealth;
  /** And how its cameras are, for whoever cannot open one because it has. */
  readonly cameras?: readonly CameraLook[];
}

export interface CameraLook {
  readonly id: string;
  readonly state: CameraState;
  /** Where it should give pictures, and does not. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** Something that breaks an invariant of the spool, or will lose a record. */
export interface QueueFinding {
  readonly code: string;
  readonly message: string;
  readonly sequence?: number;
}

export interface QueueCheck {
  readonly recordsChecked: number;
  readonly findings: readonly QueueFinding[];
  readonly lastSequence: number;
  readonly done: boolean;
}

export interface SentPage {
  /** Entries with a smaller number; the newest when absent. */
  readonly before?: number;
  readonly entriesMax: number;
  readonly targetId?: string;
  /** Only this record: its sequence, id or name. */
  readonly record?: string;
}

/** What an export takes next: at most so many records, of one target's only those that are owed to it. */
export interface HoldRequest {
  /** The export folder's. While records are held for another one it fails with `SPOOL_HELD_ELSEWHERE`. */
  readonly exportId: string;
  /** Where that folder lies, for whoever has to find it again. */
  readonly folder: string;
  /** 0 takes nothing, and makes what was released durable. */
  readonly recordsMax: number;
  readonly targetId?: string;
}

export interface HeldRecord {
  readonly sequence: number;
  readonly id: string;
  /** An earlier request took it: it may have been written elsewhere since. */
  readonly heldBefore: boolean;
}

/** A delivery that moves with its record, as it stood before it was held. */
export interface MovedDelivery {
  readonly targetId: string;
  readonly state: "pending" | "quarantined";
  readonly attempts: number;
  readonly cursor?: Cursor;
  readonly error?: string;
}

/** A record on its way to another spool: its file, and what is still owed of it. */
export interface MovedRecord {
  /** As it lies in its spool. */
  readonly envelope: Buffer;
  /** `{spoolId}-{sequence}` of the spool that it leaves. A record from the same place is taken in once. */
  readonly from: string;
  readonly deliveries: readonly MovedDelivery[];
  /** Of an encrypted record: tells its key from another, and nothing about it. */
  readonly keyCheck?: string;
}

/**
 * What an operator does with the spool, the same beside the running daemon and without it. Every call is bounded; long
 * work goes in steps. Nothing here touches a delivery that is being worked on.
 */
export interface Queue {
  stats(): Promise<QueueStats>;
  /** Oldest first. */
  list(page: ListPage): Promise<readonly SpoolListing[]>;
  /** By sequence, id or name. */
  find(reference: string): Promise<SpoolListing | undefined>;
  /** The JPEG, verified. Fails with `RECORD_UNREADABLE`. */
  image(sequence: number): Promise<Buffer>;
  /** Newest first. */
  sent(page: SentPage): Promise<readonly SentEntry[]>;
  /**
   * Makes deliveries due at once and forgets their attempts; quarantined and held ones are owed again. Held ones only where
   * their state is asked for: what an interrupted export has written already would be sent twice.
   */
  retry(selection: DeliverySelection, afterSequence: number): Promise<QueueStep>;
  /** Gives deliveries up, counted as lost; held ones only where their state is asked for. */
  drop(selection: DeliverySelection, afterSequence: number): Promise<QueueStep>;
  /** How many `drop` would give up; changes nothing. */
  count(selection: DeliverySelection, afterSequence: number): Promise<QueueStep>;
  /** Ends the delays of pending deliveries. What was tried before still counts. */
  hasten(selection: DeliverySelection, afterSequence: number): Promise<QueueStep>;
  /**
   * Gives the records of such deliveries the highest priority, for all who are owed them: they are sent first and evicted
   * last. The files do not tell of it, so a rebuilt index and another spool know the priority of the rule again.
   */
  prioritize(selection: DeliverySelection, afterSequence: number): Promise<QueueStep>;
  /** Checks the invariants, one page of records at a time. With `repair` it mends what can be mended without a loss. */
  verify(afterSequence: number, repair: boolean): Promise<QueueCheck>;
  /**
   * Takes the next records out of delivery, for an export: those held before, then further ones. Durable when it
   * resolves, as is every `release` before it.
   */
  hold(request: HoldRequest): Promise<readonly HeldRecord[]>;
  /** A held record as it is to be written elsewhere. Fails with `SPOOL_NOT_HELD`, and with `RECORD_UNREADABLE`. */
  held(sequence: number): Promise<MovedRecord>;
  /**
   * The held record is safe elsewhere: forget it here. No error for one that is forgotten already. Fails with
   * `SPOOL_NOT_HELD` for one that is owed here again: what was written elsewhere must go.
   */
  release(sequence: number): Promise<void>;
  /** Puts held records back as they were; only for those that were not held before and are not written elsewhere. */
  giveBack(sequences: readonly number[]): Promise<void>;
  /**
   * Takes in a record of another spool. False when it was taken in before. Resolves when it survives a power cut. Fails
   * with `RECORD_UNREADABLE` for a damaged one, with `SPOOL_KEY_MISSING` for one whose key is not configured, and as an
   * append does; it evicts nothing.
   */
  takeIn(moved: MovedRecord): Promise<boolean>;
}
