import { createHash } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import { layernextLimits } from "../../core/platform-limits.ts";
import type { TargetMemory } from "../../core/ports.ts";
import { isObject } from "../json.ts";
import { isId } from "./answers.ts";
import type { Upload } from "./images.ts";

/**
 * How far the open upload is, in the target's memory. Its ids and files are written down before the first file is sent, its
 * end when the server was told of it, and the files' steps now and then, and where a call fails: each write is a flush, and
 * what a power cut takes of the steps the server tells, for it answers `isExisting` for a file that it has. Signed
 * addresses are not kept: they work once.
 */

export type FileStep =
  | { readonly step: "open" }
  /** The storage has it; finalizing is next. */
  | { readonly step: "sent"; readonly fileId: string; readonly fileKey: string; readonly etag: string }
  | { readonly step: "done"; readonly fileKey?: string | undefined }
  /** The server does not take it again. */
  | { readonly step: "removed" };

/** Width and height of the picture that was sent: a reduced copy may have come, and the next try may bring another. */
export type SentSize = readonly [widthPixels: number, heightPixels: number];

export type JournalledFile = FileStep & { readonly size?: SentSize };

export interface OpenBatch {
  readonly upload: Upload;
  /** By file name. */
  readonly files: ReadonlyMap<string, JournalledFile>;
  /** The server was told that this was all: the job is under way. */
  readonly completed: boolean;
}

export class Journal {
  readonly #memory: TargetMemory;
  readonly #account: string;
  readonly #clock: Clock;
  #batch: OpenBatch | undefined;
  #read = false;
  /** What is on the disk is what this process knows. */
  #isKept = true;
  #keptAtMs = 0;

  /** `place`: server and collection. What was written for another one is not used. */
  constructor(memory: TargetMemory, place: string, clock: Clock) {
    this.#memory = memory;
    this.#clock = clock;
    this.#account = createHash("sha256").update(place).digest("hex").slice(0, 16);
  }

  async batch(): Promise<OpenBatch | undefined> {
    if (!this.#read) {
      this.#batch = parseBatch(await this.#memory.read(), this.#account);
      this.#read = true;
    }
    return this.#batch;
  }

  /** Resolves when it survives a power cut. */
  async write(batch: OpenBatch): Promise<void> {
    // First in memory: should the disk fail, this process still knows what it did.
    [this.#batch, this.#read, this.#isKept] = [batch, true, false];
    const { upload, files, completed } = batch;
    await this.#memory.write({ account: this.#account, upload, completed, files: Object.fromEntries(files) });
    [this.#isKept, this.#keptAtMs] = [true, this.#clock.monotonicMs()];
  }

  /** A step forward that a power cut may take back, unless the last write was a while ago. */
  async note(batch: OpenBatch): Promise<void> {
    [this.#batch, this.#isKept] = [batch, false];
    if (this.#clock.monotonicMs() - this.#keptAtMs >= layernextLimits.journalEveryMs) await this.write(batch);
  }

  /** Writes down what was only noted. */
  async keep(): Promise<void> {
    if (!this.#isKept && this.#batch !== undefined) await this.write(this.#batch);
  }

  /** For a job that came to nothing: its files begin anew. */
  async forget(jobId: string): Promise<void> {
    if ((await this.batch())?.upload.jobId === jobId) await this.drop();
  }

  async drop(): Promise<void> {
    [this.#batch, this.#read, this.#isKept] = [undefined, true, true];
    await this.#memory.write({});
  }
}

/** Whatever is no batch of this account is none at all. */
function parseBatch(value: unknown, account: string): OpenBatch | undefined {
  if (!isObject(value) || value["account"] !== account) return undefined;
  const { upload, files, completed } = value;
  if (!isObject(upload) || !isObject(files) || typeof completed !== "boolean") return undefined;
  const { uploadId, collection, storageType, jobId, collectionId } = upload;
  if (!isId(uploadId) || typeof collection !== "string") return undefined;
  if (storageType !== "aws_s3" && storageType !== "gcs" && storageType !== "azure_blob") return undefined;
  const steps = Object.entries(files).map(
    ([name, step]) => [name, { ...parseStep(step), ...parseSize(step) }] as const,
  );
  return {
    upload: {
      uploadId,
      collection,
      storageType,
      ...(isId(jobId) ? { jobId } : {}),
      ...(isId(collectionId) ? { collectionId } : {}),
    },
    files: new Map(steps),
    completed,
  };
}

function parseStep(value: unknown): FileStep {
  const { step, fileId, fileKey, etag } = isObject(value) ? value : {};
  if (step === "removed") return { step };
  if (step === "done") return { step, ...(isId(fileKey) ? { fileKey } : {}) };
  if (step === "sent" && isId(fileId) && isId(fileKey) && typeof etag === "string") {
    return { step, fileId, fileKey, etag };
  }
  return { step: "open" };
}

function parseSize(value: unknown): { readonly size?: SentSize } {
  const size = isObject(value) ? value["size"] : undefined;
  const [width, height] = Array.isArray(size) ? (size as readonly unknown[]) : [];
  const isPixels = (pixels: unknown): pixels is number => Number.isSafeInteger(pixels) && Number(pixels) > 0;
  return isPixels(width) && isPixels(height) ? { size: [width, height] } : {};
}
