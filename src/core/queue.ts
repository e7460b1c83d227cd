import type { DeliveryHealth } from "./health.ts";
import type { SentEntry, SpoolListing, SpoolStats } from "./ports.ts";

/** Which deliveries an operator means: those that fit every key that is given. */
export interface DeliverySelection {
  readonly targetId?: string;
  readonly state?: "pending" | "quarantined" | "held";
  /** One record's sequence. */
  readonly sequence?: number;
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

/** A record on its way to another spool: its file, and what is still owed of it. */
export interface MovedRecord {
  readonly envelope: Buffer;
  readonly deliveries: SpoolListing["deliveries"];
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
  /** Makes deliveries due at once and forgets their attempts; quarantined and held ones are owed again. */
  retry(selection: DeliverySelection, afterSequence: number): Promise<QueueStep>;
  /** Gives deliveries up, counted as lost. */
  drop(selection: DeliverySelection, afterSequence: number): Promise<QueueStep>;
  /** Checks the invariants, one page of records at a time. With `repair` it mends what can be mended without a loss. */
  verify(afterSequence: number, repair: boolean): Promise<QueueCheck>;
  /** Takes the next records out of delivery, for an export: those held before, then further ones. Durable when it resolves. */
  hold(recordsMax: number): Promise<readonly { readonly sequence: number; readonly id: string }[]>;
  /** A held record as it is to be written elsewhere. */
  held(sequence: number): Promise<MovedRecord>;
  /** The held record is safe elsewhere: forget it here. */
  release(sequence: number): Promise<void>;
  /** Takes in a record of another spool. False when it was taken in before. Resolves when it survives a power cut. */
  takeIn(moved: MovedRecord): Promise<boolean>;
}
