import { AgentError } from "../core/errors.ts";
import type { DiskBudget } from "../core/disk-budget.ts";
import { spoolLimits } from "../core/spool-limits.ts";

export interface RoomOptions {
  readonly bytesMax: number;
  readonly recordsMax: number;
  /** Left free on the file system, for everything else that lives there. */
  readonly freeBytesMin: number;
}

interface Amount {
  readonly records: number;
  readonly bytes: number;
}

/** Why one more record does not fit, and what would have to go. */
export interface Shortage {
  readonly code: "SPOOL_FULL" | "DISK_FULL";
  readonly why: string;
  /** Down to the bound, and some way below it. */
  readonly over: Amount;
  /** Whether what the spool holds is enough to make this room. */
  readonly canBeMade: boolean;
}

const nothing: Amount = { records: 0, bytes: 0 };

/** How much the spool may still take: what the index says is there, plus what is being written at this moment. */
export class Room {
  readonly #options: RoomOptions;
  readonly #budget: DiskBudget;
  #stored = nothing;
  #reserved = nothing;

  constructor(options: RoomOptions, budget: DiskBudget) {
    this.#options = options;
    this.#budget = budget;
  }

  /** What is on disk, by the index's word. */
  stored(amount: Amount): void {
    this.#stored = amount;
  }

  storedRecords(): number {
    return this.#stored.records;
  }

  /** Takes room for one record before it is written, or fails with `SPOOL_FULL` or `DISK_FULL`. */
  reserve(bytes: number, freeBytes: number): void {
    const shortage = this.shortage(bytes, freeBytes);
    if (shortage !== undefined) {
      throw new AgentError(shortage.code, `append ${bytes} bytes: ${shortage.why}`, { disposition: "retry" });
    }
    this.#reserved = { records: this.#reserved.records + 1, bytes: this.#reserved.bytes + bytes };
  }

  /** The reserved record is in the index now. */
  added(bytes: number): void {
    this.#stored = { records: this.#stored.records + 1, bytes: this.#stored.bytes + bytes };
  }

  /** The record is no longer being written. */
  giveBack(bytes: number): void {
    this.#reserved = { records: this.#reserved.records - 1, bytes: this.#reserved.bytes - bytes };
  }

  /** By how much the bounds are broken: because they were lowered, or others take more of the budget. */
  excess(): Amount {
    const { records, bytes } = this.#stored;
    return { records: records - this.#options.recordsMax, bytes: bytes - this.#budget.recordsBytesMax() };
  }

  /** Undefined when a record of this size fits. */
  shortage(bytes: number, freeBytes: number): Shortage | undefined {
    const { recordsMax } = this.#options;
    const bytesMax = this.#budget.recordsBytesMax();
    const freeBytesMin = Math.max(this.#options.freeBytesMin, spoolLimits.indexReserveBytes);
    const records = this.#stored.records + this.#reserved.records;
    const taken = this.#stored.bytes + this.#reserved.bytes;
    if (records + 1 > recordsMax) {
      const why = `the spool holds ${records} of ${recordsMax} records`;
      const over = { records: records + 1 - recordsMax + slackOf(recordsMax, 1), bytes: 0 };
      return { code: "SPOOL_FULL", why, over, canBeMade: records > 0 };
    }
    if (taken + bytes > bytesMax) {
      const why = `the spool holds ${taken} of ${bytesMax} bytes`;
      const over = { records: 1, bytes: taken + bytes - bytesMax + slackOf(bytesMax, bytes) };
      return { code: "SPOOL_FULL", why, over, canBeMade: bytes <= bytesMax };
    }
    const lacking = freeBytesMin - (freeBytes - this.#reserved.bytes - bytes);
    if (lacking > 0) {
      const why = `${freeBytes} bytes are free, and ${freeBytesMin} have to stay so`;
      const over = { records: spoolLimits.evictWhenFullRecordsMin, bytes: lacking };
      // When somebody else has filled the disk, all our records together may not be enough: then they stay.
      return { code: "DISK_FULL", why, over, canBeMade: lacking <= this.#stored.bytes };
    }
    return undefined;
  }
}

/** Room beyond what the next record needs, so that not every append has to evict; at least for one of this size. */
export function slackOf(bound: number, one: number): number {
  return Math.max(one, Math.min(Math.floor(bound * spoolLimits.evictShare), one * spoolLimits.evictSlackRecordsMax));
}
