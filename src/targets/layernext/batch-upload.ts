import { AgentError, asAgentError } from "../../core/errors.ts";
import { outcomeOf } from "../../core/outcome.ts";
import type { Delivery } from "../../core/ports.ts";
import type { Cursor } from "../../core/types.ts";
import type { LayernextClient } from "./client.ts";
import type { LayernextConfig } from "./config.ts";
import type { NewUpload } from "./images.ts";
import type { FileStep, Journal, JournalledFile, OpenBatch, SentSize } from "./journal.ts";
import { isRefusal, refusalOfOne, transferFile } from "./transfer.ts";

export interface ReadRecord {
  readonly delivery: Delivery;
  readonly jpeg: Buffer;
}

export interface UploadCall {
  /** Time is up: no further file is begun. */
  readonly isOver: () => boolean;
  readonly signal: AbortSignal;
}

/** An upload that the server was told the end of. */
export interface Uploaded {
  /** Absent where the server has no jobs. */
  readonly jobId: string | undefined;
  readonly files: readonly { readonly delivery: Delivery; readonly step: JournalledFile }[];
  /** Not among the files: the server refused them. */
  readonly refused: readonly { readonly delivery: Delivery; readonly error: AgentError }[];
}

/** A step of one file failed in a way that may be the file's fault or the server's: the others are not to blame. */
export class InterruptedUpload extends Error {
  override readonly name = "InterruptedUpload";
  readonly delivery: Delivery;
  readonly error: AgentError;

  constructor(delivery: Delivery, error: AgentError) {
    super(error.message);
    this.delivery = delivery;
    this.error = error;
  }
}

/** Time is up between two files: the journal knows where to go on. */
export class PausedUpload extends Error {
  override readonly name = "PausedUpload";
  /** Different after each step forward. */
  readonly cursor: Cursor;

  constructor({ upload, files }: OpenBatch) {
    const open = [...files.values()].filter(({ step }) => step === "open").length;
    super(`${files.size - open} of ${files.size} files of this upload are sent`);
    this.cursor = JSON.stringify({ upload: upload.uploadId, open });
  }
}

/** Uploads a batch of images with a journal: from where the last process, or the last call, left it. */
export class BatchUpload {
  readonly #client: LayernextClient;
  readonly #journal: Journal;
  readonly #config: Pick<LayernextConfig, "collection" | "metadata" | "storagePrefix">;

  constructor(client: LayernextClient, journal: Journal, config: BatchUpload["config"]) {
    this.#client = client;
    this.#journal = journal;
    this.#config = config;
  }

  get config(): Pick<LayernextConfig, "collection" | "metadata" | "storagePrefix"> {
    return this.#config;
  }

  /** Those that continue the open batch, if that can be finished with them, and those that need one of their own. */
  async split(records: readonly ReadRecord[]): Promise<readonly (readonly ReadRecord[])[]> {
    const open = await this.#journal.batch();
    const isIn = ({ delivery }: ReadRecord) => open?.files.has(delivery.record.name) === true;
    if (open === undefined || !canFinish(open, records)) return [records];
    return [records.filter(isIn), records.filter((record) => !isIn(record))].filter(({ length }) => length > 0);
  }

  /** Of one group of `split`. Fails with an `InterruptedUpload`, a `PausedUpload`, or an AgentError that is nobody's own. */
  async upload(records: readonly ReadRecord[], call: UploadCall): Promise<Uploaded> {
    try {
      return await this.#upload(records, call);
    } catch (error) {
      // Now there is time for it. What failed first is what counts, and without the disk this process still knows.
      await this.#journal.keep().catch(() => undefined);
      throw error;
    }
  }

  async #upload(records: readonly ReadRecord[], call: UploadCall): Promise<Uploaded> {
    const open = await this.#journal.batch();
    if (
      open !== undefined &&
      canFinish(open, records) &&
      records.every(({ delivery }) => open.files.has(delivery.record.name))
    ) {
      const resumed = await this.#resume(open, records, call);
      if (resumed !== undefined) return resumed;
    }
    const refused: Uploaded["refused"][number][] = [];
    let left = records;
    // Each round loses at least one record, or is the last.
    while (left.length > 0) {
      const batch = await this.#begin(left, call);
      const { files, refusals } = await this.#sendAll(batch, left, call);
      if (refusals.length === 0) return { ...(await this.#completed(files, left, call)), refused };
      // The server expects every file that it was told of: without these, it has to be told anew.
      refused.push(...refusals);
      left = left.filter(({ delivery }) => refusals.every((refusal) => refusal.delivery !== delivery));
    }
    return { jobId: undefined, files: [], refused };
  }

  /** Undefined where the server does not know this upload any more: its files begin anew, and nobody is to blame. */
  async #resume(open: OpenBatch, records: readonly ReadRecord[], call: UploadCall): Promise<Uploaded | undefined> {
    if (open.completed) return { ...resultOf(open, records), refused: [] };
    try {
      const { files, refusals } = await this.#sendAll(open, records, call);
      if (refusals.length > 0) return undefined;
      return { ...(await this.#completed(files, records, call)), refused: [] };
    } catch (error) {
      const failure = error instanceof InterruptedUpload ? error.error : error;
      // Should it fail at being completed a second time, for ever.
      if (failure === error && failure instanceof AgentError && /^HTTP_5/.test(failure.code))
        await this.#journal.drop();
      if (failure instanceof AgentError && (isRefusal(failure) || failure.code === "UPLOAD_REFUSED")) return undefined;
      throw error;
    }
  }

  async #begin(records: readonly ReadRecord[], { signal }: UploadCall): Promise<OpenBatch> {
    const names = records.map(({ delivery }) => delivery.record.name);
    const { collection, metadata, storagePrefix } = this.#config;
    const wanted: NewUpload = { collection, fileNames: names, metadata, storagePrefix };
    const upload = await forBatch(this.#client.images.begin(wanted, signal));
    // Of a file that an upload before this one may have sent, the server has that one's copy.
    const before = (await this.#journal.batch())?.files;
    const files = new Map(
      records.map(({ delivery: { record } }) => {
        const size = before?.get(record.name)?.size ?? sizeOf(record);
        return [record.name, { step: "open", size } as const];
      }),
    );
    const batch = { upload, files, completed: false };
    await this.#journal.write(batch);
    return batch;
  }

  async #sendAll(batch: OpenBatch, records: readonly ReadRecord[], call: UploadCall) {
    const refusals: Uploaded["refused"][number][] = [];
    let current = batch;
    for (const { delivery, jpeg } of records) {
      // After one file at least: then every call is a step forward.
      if (current !== batch && call.isOver()) throw new PausedUpload(current);
      const { name } = delivery.record;
      const changed = (step: FileStep, size = current.files.get(name)?.size): OpenBatch => {
        const file = { ...step, ...(size === undefined ? {} : { size }) };
        return (current = { ...current, files: new Map([...current.files, [name, file]]) });
      };
      const note = (step: FileStep): Promise<void> => this.#journal.note(changed(step));
      const starting = async (): Promise<void> => {
        const size = sizeOf(delivery.record);
        // Another copy than the one that was written down: should it arrive, its boxes must fit.
        if (String(current.files.get(name)?.size) !== String(size))
          await this.#journal.write(changed({ step: "open" }, size));
      };
      const file = { name, bytes: jpeg, step: current.files.get(name) ?? { step: "open" as const }, starting, note };
      try {
        await transferFile(this.#client.images, batch.upload, file, call.signal);
      } catch (error) {
        const failure = refusalOfOne(asAgentError(error, `sending ${name}`));
        if (outcomeOf(failure).kind !== "rejected") throw new InterruptedUpload(delivery, failure);
        refusals.push({ delivery, error: failure });
      }
    }
    return { files: current, refusals };
  }

  async #completed(batch: OpenBatch, records: readonly ReadRecord[], { signal }: UploadCall) {
    await forBatch(this.#client.images.complete(batch.upload, batch.files.size, signal));
    const completed = { ...batch, completed: true };
    await this.#journal.write(completed);
    return resultOf(completed, records);
  }
}

function sizeOf({ imageWidth, imageHeight }: Delivery["record"]): SentSize {
  return [imageWidth, imageHeight];
}

function resultOf({ upload, files }: OpenBatch, records: readonly ReadRecord[]): Omit<Uploaded, "refused"> {
  return {
    jobId: upload.jobId,
    files: records.map(({ delivery }) => ({ delivery, step: files.get(delivery.record.name) ?? { step: "done" } })),
  };
}

/** Whatever of the batch is not yet at the server is at hand. */
function canFinish({ files }: OpenBatch, records: readonly ReadRecord[]): boolean {
  const names = new Set(records.map(({ delivery }) => delivery.record.name));
  const left = [...files].filter(([, { step }]) => step === "open" || step === "sent");
  return left.every(([name]) => names.has(name)) && [...files.keys()].some((name) => names.has(name));
}

/** A refusal of what belongs to a whole batch says nothing about a record: it must not set one aside. */
async function forBatch<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw notTheRecords(asAgentError(error, "uploading to LayerNext"));
  }
}

export function notTheRecords(error: AgentError): AgentError {
  if (outcomeOf(error).kind !== "rejected") return error;
  return new AgentError("UPLOAD_REFUSED", error.message, { disposition: "retry", cause: error });
}
