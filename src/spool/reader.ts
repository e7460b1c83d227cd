import { AgentError, asAgentError } from "../core/errors.ts";
import type { Logger } from "../core/ports.ts";
import type { StoredRecord } from "../core/types.ts";
import type { Damage, Metadata } from "./envelope.ts";
import type { EnvelopeFiles, Reading } from "./files.ts";
import type { IndexClient } from "./index/client.ts";
import type { Room } from "./room.ts";

export interface RecordReaderParts {
  readonly files: EnvelopeFiles;
  readonly index: IndexClient;
  readonly room: Room;
  readonly corrected: (record: StoredRecord) => StoredRecord;
  readonly log: Logger;
}

export type RecordReading =
  | { readonly kind: "record"; readonly record: StoredRecord }
  /** Damaged or gone; given up for every target by now. */
  | { readonly kind: "lost" }
  /** The disk cannot read it just now, or may not. */
  | { readonly kind: "unreadable"; readonly error: AgentError };

/** Reads records out of their envelopes. A damaged or missing one is given up, counted and logged; it stops nothing. */
export class RecordReader {
  readonly #parts: RecordReaderParts;

  constructor(parts: RecordReaderParts) {
    this.#parts = parts;
  }

  async record(sequence: number): Promise<RecordReading> {
    const { files, log, corrected } = this.#parts;
    let reading: Reading<Metadata>;
    try {
      reading = await files.readMetadata(sequence);
    } catch (error) {
      const failure = asAgentError(error, `read record ${sequence}`);
      log.warn("spool.record.unreadable", { sequence, code: failure.code, message: failure.message });
      return { kind: "unreadable", error: failure };
    }
    if (reading.ok) return { kind: "record", record: corrected(reading.value.record) };
    await this.#giveUp(sequence, reading.damage);
    return { kind: "lost" };
  }

  /** The whole file, verified; one that is damaged or gone is given up, and fails with `RECORD_UNREADABLE`. */
  async envelope(sequence: number): Promise<{ readonly bytes: Buffer; readonly encrypted: boolean }> {
    const reading = await this.#parts.files.readEnvelope(sequence);
    if (reading.ok) return reading.value;
    await this.#giveUp(sequence, reading.damage);
    throw new AgentError("RECORD_UNREADABLE", `read record ${sequence}: ${reading.damage}`, { disposition: "reject" });
  }

  /** The JPEG, verified; fails with `RECORD_UNREADABLE`. */
  async image({ id, sequence }: StoredRecord): Promise<Buffer> {
    const reading = await this.#parts.files.readImage(sequence);
    if (reading.ok) return reading.value;
    throw new AgentError("RECORD_UNREADABLE", `read the image of record ${id}: ${reading.damage}`, {
      disposition: "reject",
    });
  }
  async #giveUp(sequence: number, damage: Damage | "missing"): Promise<void> {
    const { index, room, log } = this.#parts;
    log.warn("spool.record.lost", { sequence, damage });
    room.stored(await index.call("giveUp", sequence, damage === "missing" ? "missing" : "damaged"));
  }
}
