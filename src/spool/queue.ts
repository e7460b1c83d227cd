import { shownDetections } from "../core/detections.ts";
import { AgentError } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import type { SentEntry, SpoolListing } from "../core/ports.ts";
import type {
  DeliverySelection,
  HeldRecord,
  HoldRequest,
  ListPage,
  MovedRecord,
  Queue,
  QueueCheck,
  QueueStats,
  QueueStep,
  SentPage,
} from "../core/queue.ts";
import type { DueSignals } from "./due.ts";
import type { EnvelopeFiles } from "./files.ts";
import type { IndexClient } from "./index/client.ts";
import type { Change, RecordWindow } from "./index/changes.ts";
import type { FoundId } from "./index/listings.ts";
import type { Leases } from "./leases.ts";
import { listRecords } from "./listing.ts";
import type { RecordReader } from "./reader.ts";
import type { Transfer } from "./transfer.ts";
import type { Verifier } from "./verifier.ts";

const ulid = /^[0-9A-HJKMNP-TV-Z]{26}$/i;

export interface SpoolQueueParts {
  readonly index: IndexClient;
  readonly files: EnvelopeFiles;
  readonly reader: RecordReader;
  readonly leases: Leases;
  readonly due: DueSignals;
  readonly verifier: Verifier;
  readonly transfer: Transfer;
  readonly stats: () => Promise<QueueStats>;
  /** So many more outcomes were written. */
  readonly settled: (outcomes: number) => void;
  /** First part of the names that this spool gives. */
  readonly device: string;
  /** Throws while the spool is not running. */
  readonly mustRun: (attempted: string) => void;
}

/** What an operator does with this spool. */
export class SpoolQueue implements Queue {
  readonly #parts: SpoolQueueParts;

  constructor(parts: SpoolQueueParts) {
    this.#parts = parts;
  }

  async stats(): Promise<QueueStats> {
    return await this.#parts.stats();
  }

  async list(page: ListPage): Promise<readonly SpoolListing[]> {
    this.#parts.mustRun("list");
    return await listRecords(this.#parts.index, this.#parts.reader, page);
  }

  async find(reference: string): Promise<SpoolListing | undefined> {
    this.#parts.mustRun("find");
    if (/^\d{1,15}$/.test(reference)) return await this.#bySequence(Number(reference));
    if (ulid.test(reference)) return await this.#byId(reference.toUpperCase());
    return await this.#byName(reference);
  }

  async image(sequence: number): Promise<Buffer> {
    const { mustRun, reader } = this.#parts;
    mustRun("read");
    const listing = await this.#bySequence(sequence);
    if (listing !== undefined) return await reader.image(listing.record);
    throw new AgentError("RECORD_UNREADABLE", `read the image of record ${sequence}: it is not in the spool`, {
      disposition: "reject",
    });
  }

  async sent(page: SentPage): Promise<readonly SentEntry[]> {
    this.#parts.mustRun("list");
    return await this.#parts.index.call("sent", page);
  }

  async retry(selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return await this.#change("retry", selection, afterSequence);
  }

  async drop(selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return await this.#change("drop", selection, afterSequence);
  }

  async count(selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return await this.#change("count", selection, afterSequence);
  }

  async hasten(selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return await this.#change("hasten", selection, afterSequence);
  }

  async prioritize(selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return await this.#change("prioritize", selection, afterSequence);
  }

  async verify(afterSequence: number, repair: boolean): Promise<QueueCheck> {
    this.#parts.mustRun("verify");
    return await this.#parts.verifier.check(afterSequence, repair);
  }

  async hold(request: HoldRequest): Promise<readonly HeldRecord[]> {
    this.#parts.mustRun("hold");
    return await this.#parts.transfer.hold(request);
  }

  async held(sequence: number): Promise<MovedRecord> {
    this.#parts.mustRun("read held records");
    return await this.#parts.transfer.held(sequence);
  }

  async release(sequence: number): Promise<void> {
    this.#parts.mustRun("release");
    await this.#parts.transfer.release(sequence);
  }

  async giveBack(sequences: readonly number[]): Promise<void> {
    this.#parts.mustRun("give back");
    await this.#parts.transfer.giveBack(sequences);
  }

  async takeIn(moved: MovedRecord): Promise<boolean> {
    this.#parts.mustRun("take in");
    return await this.#parts.transfer.takeIn(moved);
  }

  /** Between the look at the leases and the change of the rows no delivery can be leased. */
  async #change(change: Change, selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    const { mustRun, index, leases, due, settled } = this.#parts;
    mustRun(change);
    const byContent = selection.cameraId !== undefined || selection.label !== undefined;
    const among = byContent ? await this.#matching(selection, afterSequence) : undefined;
    return await leases.excluding(async () => {
      const { targetIds, ...step } = await index.call(
        "change",
        ...([change, selection, among ?? afterSequence, leases.deliveries()] as const),
      );
      if (change === "count") return step;
      settled(step.changed);
      for (const targetId of targetIds) due.wake(targetId);
      return step;
    });
  }

  /** The next records, and which of them show what is asked for. */
  async #matching(selection: DeliverySelection, afterSequence: number): Promise<RecordWindow> {
    const { index, reader } = this.#parts;
    const { cameraId, label, sequence, upToSequence = Infinity } = selection;
    const after = sequence === undefined ? afterSequence : sequence - 1;
    const recordsMax = sequence === undefined ? spoolLimits.matchRecordsMax : 1;
    const rows = await index.call("list", after, recordsMax);
    const last = Math.min(sequence ?? Infinity, upToSequence);
    const sequences: number[] = [];
    for (const row of rows.filter((each) => each.sequence <= last)) {
      const reading = await reader.record(row.sequence);
      if (reading.kind !== "record") continue;
      const { record } = reading;
      const shows = label === undefined || shownDetections(record).some((seen) => seen.label === label);
      if (shows && (cameraId ?? record.cameraId) === record.cameraId) sequences.push(row.sequence);
    }
    const lastSequence = rows.at(-1)?.sequence ?? after;
    return { sequences, lastSequence, done: rows.length < recordsMax || lastSequence >= last };
  }

  async #bySequence(sequence: number): Promise<SpoolListing | undefined> {
    const { index, reader } = this.#parts;
    const [row] = await index.call("list", sequence - 1, 1);
    if (row?.sequence !== sequence) return undefined;
    const reading = await reader.record(sequence);
    if (reading.kind === "unreadable") throw reading.error;
    return reading.kind === "record" ? { record: reading.record, deliveries: row.deliveries } : undefined;
  }

  async #byId(id: string): Promise<SpoolListing | undefined> {
    const { index } = this.#parts;
    for (let after: number | undefined = 0; after !== undefined;) {
      const found: FoundId = await index.call("findId", id, after);
      if (found.sequence !== undefined) return await this.#bySequence(found.sequence);
      after = found.next;
    }
    return undefined;
  }

  /** A name of this spool's own ends in the sequence. One that came from elsewhere has another here: look for it. */
  async #byName(name: string): Promise<SpoolListing | undefined> {
    const { files, device } = this.#parts;
    const sequence = Number(/-(\d{1,15})\.jpg$/.exec(name)?.[1]);
    if (Number.isNaN(sequence)) return undefined;
    if (name !== `${device}-${(await files.readId()) ?? ""}-${sequence}.jpg`) return await this.#byForeignName(name);
    const listing = await this.#bySequence(sequence);
    return listing?.record.name === name ? listing : undefined;
  }

  /** Names stand in the files alone, so only so many of the newest are looked at. An id is always found. */
  async #byForeignName(name: string): Promise<SpoolListing | undefined> {
    const { index, files } = this.#parts;
    for (const sequence of await index.call("newest", spoolLimits.namesReadMax)) {
      const reading = await files.readMetadata(sequence).catch(() => undefined);
      if (reading?.ok === true && reading.value.record.name === name) return await this.#bySequence(sequence);
    }
    return undefined;
  }
}
