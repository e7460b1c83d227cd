import { AgentError } from "../core/errors.ts";
import { spoolLimits } from "../core/limits.ts";

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

const nothing: Amount = { records: 0, bytes: 0 };

/** How much the spool may still take: what the index says is there, plus what is being written at this moment. */
export class Room {
  readonly #options: RoomOptions;
  #stored = nothing;
  #reserved = nothing;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** What is on disk, by the index's word. */
  stored(amount: Amount): void {
    this.#stored = amount;
  }

  /** Takes room for one record before it is written, or fails with `SPOOL_FULL` or `DISK_FULL`. */
  reserve(bytes: number, freeBytes: number): void {
    const refusal = this.#refusal(bytes, freeBytes);
    if (refusal !== undefined) {
      throw new AgentError(refusal.code, `append ${bytes} bytes: ${refusal.why}`, { disposition: "retry" });
    }
    this.#reserved = { records: this.#reserved.records + 1, bytes: this.#reserved.bytes + bytes };
  }

  /** The record is in the index, or is not going to be. */
  giveBack(bytes: number): void {
    this.#reserved = { records: this.#reserved.records - 1, bytes: this.#reserved.bytes - bytes };
  }

  has(bytes: number, freeBytes: number): boolean {
    return this.#refusal(bytes, freeBytes) === undefined;
  }

  #refusal(bytes: number, freeBytes: number): { readonly code: string; readonly why: string } | undefined {
    const { bytesMax, recordsMax } = this.#options;
    const freeBytesMin = Math.max(this.#options.freeBytesMin, spoolLimits.indexReserveBytes);
    const records = this.#stored.records + this.#reserved.records;
    const taken = this.#stored.bytes + this.#reserved.bytes;
    if (records + 1 > recordsMax) {
      return { code: "SPOOL_FULL", why: `the spool holds ${records} of ${recordsMax} records` };
    }
    if (taken + bytes > bytesMax) return { code: "SPOOL_FULL", why: `the spool holds ${taken} of ${bytesMax} bytes` };
    if (freeBytes - this.#reserved.bytes - bytes < freeBytesMin) {
      return { code: "DISK_FULL", why: `${freeBytes} bytes are free, and ${freeBytesMin} have to stay so` };
    }
    return undefined;
  }
}
