import { AgentError } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import type { HeldRecord, HoldRequest, MovedDelivery, MovedRecord, Queue } from "../core/queue.ts";
import type { Appender } from "./appender.ts";
import type { DueSignals } from "./due.ts";
import { placeOf } from "./envelope.ts";
import type { EnvelopeFiles } from "./files.ts";
import type { IndexClient } from "./index/client.ts";
import type { Leases } from "./leases.ts";
import type { RecordReader } from "./reader.ts";

export interface TransferParts {
  readonly files: EnvelopeFiles;
  readonly index: IndexClient;
  readonly leases: Leases;
  readonly due: DueSignals;
  readonly reader: RecordReader;
  readonly appender: Appender;
  /** Of the key that records are encrypted with. */
  readonly keyCheck: string | undefined;
  /** A released record is owed to nobody any more. */
  readonly finished: () => void;
}

/**
 * Moves records to another spool and takes them in from one. A move never sends anything twice and loses nothing:
 *
 * Out  1 hold: no delivery of the record is leased any more, durable · 2 the caller writes it elsewhere, durable ·
 *      3 release: forgotten here. A crash before 3 leaves it held, to be written to the same place once more.
 * In   1 passed over when the same record came from the same place before · 2 appended as any record is; its place, and how
 *      its deliveries stood, lie in its metadata, so that recovery and a rebuild know them too · 3 the caller removes it
 *      there. A crash before 3 brings it in once more, which 1 notices.
 */
export class Transfer implements Pick<Queue, "hold" | "held" | "release" | "giveBack" | "takeIn"> {
  readonly #parts: TransferParts;
  /** One arrival at a time: two of the same record must not overtake each other between the look-up and the append. */
  #arriving: Promise<unknown> = Promise.resolve();

  constructor(parts: TransferParts) {
    this.#parts = parts;
  }

  async hold(request: HoldRequest): Promise<readonly HeldRecord[]> {
    const { index, leases } = this.#parts;
    return await leases.excluding(async (leased) => await index.call("hold", request, leased));
  }

  async held(sequence: number): Promise<MovedRecord> {
    const { index, reader, appender, keyCheck } = this.#parts;
    const deliveries = await index.call("held", sequence);
    const { bytes: envelope, encrypted } = await reader.envelope(sequence);
    const from = `${appender.spoolId()}-${sequence}`;
    return { envelope, from, deliveries, ...(encrypted && keyCheck !== undefined ? { keyCheck } : {}) };
  }

  async release(sequence: number): Promise<void> {
    const { index, finished } = this.#parts;
    if (await index.call("release", sequence)) finished();
  }

  async giveBack(sequences: readonly number[]): Promise<void> {
    const { index, due } = this.#parts;
    await index.call("giveBack", sequences);
    due.wakeAll();
  }

  async takeIn(moved: MovedRecord): Promise<boolean> {
    const taken = this.#arriving.then(async () => await this.#takeIn(moved));
    this.#arriving = taken.catch(() => undefined);
    return await taken;
  }

  async #takeIn({ envelope, from, deliveries, keyCheck }: MovedRecord): Promise<boolean> {
    const { files, index, appender, due } = this.#parts;
    if (!isPlace(from) || !areDeliveries(deliveries)) throw refused("what is said of it is no state of a record");
    if (keyCheck !== undefined && this.#parts.keyCheck !== undefined && keyCheck !== this.#parts.keyCheck) {
      throw new AgentError("SPOOL_KEY_WRONG", "take a record in: it was encrypted with another key", {
        disposition: "fatal",
      });
    }
    const opened = await files.open(envelope);
    if (!opened.ok) throw refused(opened.damage);
    const { record, jpeg, createdMs } = opened.value;
    if (!from.endsWith(`-${record.sequence}`)) throw refused("it is not the one that its state is of");
    if (await index.call("wasTakenIn", placeOf(record.id, from))) return false;
    await appender.appendArrived(record, jpeg, { from, deliveries }, createdMs);
    for (const { targetId } of deliveries) due.wake(targetId);
    return true;
  }
}

function refused(why: string): AgentError {
  return new AgentError("RECORD_UNREADABLE", `take a record in: ${why}`, { disposition: "reject" });
}

function isPlace(from: string): boolean {
  return /^[0-9a-z]{8}-\d{1,16}$/.test(from);
}

/** They come from outside: what is taken in must be what this spool itself would have stored. */
function areDeliveries(deliveries: readonly MovedDelivery[]): boolean {
  const targetIds = new Set(deliveries.map(({ targetId }) => targetId));
  return (
    deliveries.length > 0 &&
    deliveries.length <= spoolLimits.movedDeliveriesMax &&
    targetIds.size === deliveries.length &&
    deliveries.every(
      ({ targetId, attempts, cursor = "", error = "" }) =>
        targetId !== "" &&
        Number.isSafeInteger(attempts) &&
        attempts >= 0 &&
        Buffer.byteLength(cursor) <= spoolLimits.cursorBytesMax &&
        error.length <= spoolLimits.errorCharsMax,
    )
  );
}
