import { createHash } from "node:crypto";
import { AgentError, asAgentError } from "../core/errors.ts";
import { spoolLimits } from "../core/limits.ts";
import type { Seams } from "../core/ports.ts";
import type { RecordDraft, StoredRecord } from "../core/types.ts";
import { Ulids } from "../core/ulid.ts";
import { stopped } from "./due.ts";
import { type Arrival, draftEnvelope, type EnvelopeDraft, type Metadata, priorityOf } from "./envelope.ts";
import type { EnvelopeFiles } from "./files.ts";
import { FreeSpace } from "./free-space.ts";
import type { IndexEntry } from "./index/store.ts";
import type { Room } from "./room.ts";
import { Slots } from "./slots.ts";

export interface AppenderParts {
  readonly files: EnvelopeFiles;
  readonly room: Room;
  readonly insert: (entry: IndexEntry) => Promise<void>;
  /** Makes room by removing what is finished. */
  readonly collect: () => Promise<void>;
}

/** Takes records in: the numbered steps of append. Rows are inserted in the order of sequences (invariant I3). */
export class Appender {
  readonly #parts: AppenderParts;
  readonly #device: string;
  readonly #seams: Seams;
  readonly #ulids: Ulids;
  readonly #freeSpace: FreeSpace;
  readonly #slots = new Slots(spoolLimits.appendsInParallelMax, spoolLimits.appendsWaitingMax);
  #spoolId = "";
  /** The last sequence taken, and the last one that is in the index. */
  #taken = 0;
  #indexed = 0;
  #closed = false;
  /** Settles when every append that took a sequence so far is in the index or has failed. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(parts: AppenderParts, device: string, seams: Seams) {
    this.#parts = parts;
    this.#device = device;
    this.#seams = seams;
    this.#ulids = new Ulids(seams.clock, seams.random);
    this.#freeSpace = new FreeSpace(async () => await parts.files.freeBytes(), seams.clock);
  }

  continueAfter(sequence: number, spoolId: string): void {
    this.#spoolId = spoolId;
    this.#taken = sequence;
    this.#indexed = sequence;
  }

  lastIndexedSequence(): number {
    return this.#indexed;
  }

  spoolId(): string {
    return this.#spoolId;
  }

  async append(draft: RecordDraft, jpeg: Buffer, owedTo: readonly string[]): Promise<StoredRecord> {
    return await this.#slots.use(async () => {
      const imageSha256 = await sha256Of(jpeg);
      return await this.#store(jpeg, this.#seams.clock.nowMs(), (sequence) => ({
        record: this.#recordOf(draft, jpeg, imageSha256, sequence),
        owedTo,
      }));
    });
  }

  /** A record of another spool: everything stays as it is but its sequence. */
  async appendArrived(record: StoredRecord, jpeg: Buffer, arrival: Arrival, createdMs: number): Promise<StoredRecord> {
    const owedTo = arrival.deliveries.map(({ targetId }) => targetId);
    return await this.#slots.use(async () => {
      return await this.#store(jpeg, createdMs, (sequence) => {
        return { record: { ...record, sequence }, owedTo, arrival };
      });
    });
  }

  /** Takes nothing in any more; resolves when what was being written is in the index. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }

  /** What is finished and not yet removed goes first where room is short. */
  async #store(jpeg: Buffer, createdMs: number, contentAt: (sequence: number) => Metadata): Promise<StoredRecord> {
    const { room, collect } = this.#parts;
    let freeBytes = await this.#freeSpace.bytes();
    if (!room.has(jpeg.length + spoolLimits.metadataBytesMax, freeBytes)) {
      await collect();
      freeBytes = await this.#freeSpace.askedAgain();
    }
    if (this.#closed) throw stopped("append");
    // From the look at the room to the write nothing waits: no other append can take the same sequence or the same room.
    const content = contentAt(this.#taken + 1);
    const { record } = content;
    const envelope = draftEnvelope(jpeg, content, createdMs);
    if (envelope.metadata.length > spoolLimits.metadataBytesMax) throw tooLarge(envelope.metadata.length);
    room.reserve(envelope.sizeBytes, freeBytes);
    this.#freeSpace.took(envelope.sizeBytes);
    this.#taken = record.sequence;
    const indexed = this.#writeInTurn(jpeg, envelope, this.#entryOf(content, envelope, createdMs));
    this.#tail = indexed.catch(() => undefined);
    try {
      await indexed;
      return record;
    } finally {
      room.giveBack(envelope.sizeBytes);
    }
  }

  async #writeInTurn(jpeg: Buffer, envelope: EnvelopeDraft, entry: IndexEntry): Promise<void> {
    const { files, room, insert } = this.#parts;
    const before = this.#tail;
    const [written] = await Promise.allSettled([files.write(entry.sequence, jpeg, envelope), before]);
    if (written.status === "rejected") throw asAgentError(written.reason, "append");
    try {
      await insert(entry);
      room.added(entry.bytes);
      this.#indexed = entry.sequence;
    } catch (error) {
      await files.remove(entry.sequence).catch(() => undefined);
      throw error;
    }
  }

  #recordOf(draft: RecordDraft, jpeg: Buffer, imageSha256: string, sequence: number): StoredRecord {
    const device = this.#device;
    return {
      ...draft,
      id: this.#ulids.next(),
      name: `${device}-${this.#spoolId}-${sequence}.jpg`,
      device,
      sequence,
      imageBytes: jpeg.length,
      imageSha256,
    };
  }

  #entryOf({ record, owedTo, arrival }: Metadata, { sizeBytes: bytes }: EnvelopeDraft, createdMs: number): IndexEntry {
    const { id, sequence, imageBytes } = record;
    const encrypted = this.#parts.files.encrypts;
    const entry = { sequence, id, priority: priorityOf(record), createdMs, imageBytes, bytes, encrypted, owedTo };
    return arrival === undefined ? entry : { ...entry, arrival };
  }
}

/** A large image takes longer than the loop may stand still; for a small one the way to another thread takes longer. */
async function sha256Of(jpeg: Buffer): Promise<string> {
  if (jpeg.length <= spoolLimits.hashHereBytesMax) return createHash("sha256").update(jpeg).digest("hex");
  return Buffer.from(await crypto.subtle.digest("SHA-256", jpeg)).toString("hex");
}

function tooLarge(metadataBytes: number): AgentError {
  return new AgentError(
    "SPOOL_RECORD_TOO_LARGE",
    `append: ${metadataBytes} bytes of metadata, at most ${spoolLimits.metadataBytesMax} are taken`,
    { disposition: "reject" },
  );
}
