import { createHash } from "node:crypto";
import { AgentError, asAgentError } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import type { Seams } from "../core/ports.ts";
import type { RecordDraft, StoredRecord } from "../core/types.ts";
import { Ulids } from "../core/ulid.ts";
import { stopped } from "./due.ts";
import { type Arrival, draftEnvelope, type EnvelopeDraft, type Metadata, priorityOf } from "./envelope.ts";
import type { EnvelopeFiles } from "./files.ts";
import type { Admitted, Caps } from "./caps.ts";
import type { Evictor } from "./evictor.ts";
import type { Backlog } from "./index/backlogs.ts";
import type { IndexEntry } from "./index/store.ts";
import type { Room } from "./room.ts";
import { Slots } from "./slots.ts";

export interface AppenderParts {
  readonly files: EnvelopeFiles;
  readonly room: Room;
  readonly evictor: Evictor;
  readonly caps: Caps;
  readonly insert: (entry: IndexEntry, admitted: Admitted) => Promise<readonly Backlog[]>;
}

/** What is to be written, but for the sequence that it gets. */
interface Content {
  readonly jpeg: Buffer;
  readonly priority: number;
  readonly createdMs: number;
  /** Called in the order of sequences; what comes back is called while the file is being opened. */
  readonly metadataAt: (sequence: number) => () => Promise<Metadata>;
}

interface Written {
  readonly record: StoredRecord;
  readonly backlogs: readonly Backlog[];
}

/** What the metadata of a record holds besides its draft: ids, names, sizes, a digest; some bytes to spare. */
const metadataBytesMore = 768;

/** Takes records in: the numbered steps of append. Rows are inserted in the order of sequences (invariant I3). */
export class Appender {
  readonly #parts: AppenderParts;
  readonly #device: string;
  readonly #seams: Seams;
  readonly #ulids: Ulids;
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
    const { caps, evictor } = this.#parts;
    return await this.#slots.use(async () => {
      const priority = priorityOf(draft);
      const bytes = sizeAtMost(jpeg, [draft, owedTo]);
      const admitted = await caps.admit(owedTo, bytes, priority);
      const content: Content = {
        jpeg,
        priority,
        createdMs: this.#seams.clock.nowMs(),
        metadataAt: (sequence) => {
          const id = this.#ulids.next();
          return async () => ({
            record: this.#recordOf(draft, jpeg, await sha256Of(jpeg), { id, sequence }),
            owedTo: admitted.owedTo,
          });
        },
      };
      return await this.#store(content, admitted, async () => await evictor.reserve(bytes, priority));
    });
  }

  /** A record of another spool: everything stays as it is but its sequence. It takes nobody's room, and so nobody's place. */
  async appendArrived(record: StoredRecord, jpeg: Buffer, arrival: Arrival, createdMs: number): Promise<StoredRecord> {
    const { caps, evictor } = this.#parts;
    const owedTo = arrival.deliveries.map(({ targetId }) => targetId);
    return await this.#slots.use(async () => {
      const bytes = sizeAtMost(jpeg, [record, owedTo, arrival]);
      const content: Content = {
        jpeg,
        priority: -Infinity,
        createdMs,
        metadataAt: (sequence) => async () => ({ record: { ...record, sequence }, owedTo, arrival }),
      };
      return await this.#store(content, caps.noted(owedTo, bytes), async () => await evictor.reserveWithout(bytes));
    });
  }

  /** Takes nothing in any more; resolves when what was being written is in the index. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }

  /** What was admitted is told the caps in the end, whatever the end is. */
  async #store(content: Content, admitted: Admitted, reserve: () => Promise<void>): Promise<StoredRecord> {
    let backlogs: readonly Backlog[] = [];
    try {
      await reserve();
      const written = await this.#writeOrMakeRoom(content, admitted);
      ({ backlogs } = written);
      return written.record;
    } finally {
      this.#parts.caps.done(admitted, backlogs);
    }
  }

  /** The record's room is reserved. Where the disk is fuller than it said, something else goes, and it is tried once more. */
  async #writeOrMakeRoom(content: Content, admitted: Admitted): Promise<Written> {
    const { room, evictor } = this.#parts;
    try {
      return await this.#write(content, admitted).catch(async (error: unknown) => {
        if (!isDiskFull(error) || !(await evictor.afterDiskFull(content.priority))) throw error;
        return await this.#write(content, admitted);
      });
    } finally {
      room.giveBack(admitted.bytes);
    }
  }

  /** Up to the write nothing waits, so that no other append can take the same sequence. */
  async #write(content: Content, admitted: Admitted): Promise<Written> {
    if (this.#closed) throw stopped("append");
    const sequence = this.#taken + 1;
    this.#taken = sequence;
    const indexed = this.#writeInTurn(sequence, content, admitted);
    this.#tail = indexed.catch(() => undefined);
    return await indexed;
  }

  async #writeInTurn(sequence: number, content: Content, admitted: Admitted): Promise<Written> {
    const { files, room, insert } = this.#parts;
    const { jpeg, createdMs, metadataAt } = content;
    const before = this.#tail;
    const metadataOf = metadataAt(sequence);
    const [written] = await Promise.allSettled([
      files.write(sequence, jpeg, async () => {
        const metadata = await metadataOf();
        const envelope = draftEnvelope(jpeg, metadata, createdMs);
        if (envelope.metadata.length > spoolLimits.metadataBytesMax) throw tooLarge(envelope.metadata.length);
        return { metadata, envelope };
      }),
      before,
    ]);
    if (written.status === "rejected") throw asAgentError(written.reason, "append");
    const { metadata, envelope } = written.value;
    const entry = this.#entryOf(metadata, envelope, createdMs);
    try {
      const backlogs = await insert(entry, admitted);
      room.added(entry.bytes);
      this.#indexed = sequence;
      return { record: metadata.record, backlogs };
    } catch (error) {
      await files.remove(sequence).catch(() => undefined);
      throw error;
    }
  }

  #recordOf(
    draft: RecordDraft,
    jpeg: Buffer,
    imageSha256: string,
    { id, sequence }: Pick<StoredRecord, "id" | "sequence">,
  ): StoredRecord {
    const device = this.#device;
    return {
      ...draft,
      id,
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

/** Of the file: before it is encoded nobody knows the size to the byte. */
function sizeAtMost(jpeg: Buffer, metadata: readonly unknown[]): number {
  return jpeg.length + Buffer.byteLength(JSON.stringify(metadata)) + metadataBytesMore;
}

/** A large image takes longer than the loop may stand still; for a small one the way to another thread takes longer. */
async function sha256Of(jpeg: Buffer): Promise<string> {
  if (jpeg.length <= spoolLimits.hashHereBytesMax) return createHash("sha256").update(jpeg).digest("hex");
  return Buffer.from(await crypto.subtle.digest("SHA-256", jpeg)).toString("hex");
}

function isDiskFull(error: unknown): boolean {
  return error instanceof AgentError && error.code === "DISK_FULL";
}

function tooLarge(metadataBytes: number): AgentError {
  return new AgentError(
    "SPOOL_RECORD_TOO_LARGE",
    `append: ${metadataBytes} bytes of metadata, at most ${spoolLimits.metadataBytesMax} are taken`,
    { disposition: "reject" },
  );
}
