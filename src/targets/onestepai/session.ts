import type { Clock } from "../../core/clock.ts";
import { AgentError, asAgentError } from "../../core/errors.ts";
import { onestepaiLimits } from "../../core/platform-limits.ts";
import type { OnestepaiBook, OpenUpload } from "./book.ts";
import type { OnestepaiChunk, OnestepaiClient } from "./client.ts";

type TimeLimit = "freshSessionMs" | "finishTimeoutMs" | "stoppedFinishTimeoutMs" | "lockedAfterMs";
export type SessionLimits = Readonly<Record<TimeLimit, number>>;

interface Open extends OpenUpload {
  readonly sinceMonotonicMs: number;
}

/**
 * One upload: start, images, finish. It holds the dataset's lock, which the platform takes away in silence after a while
 * without images: so it begins with the first image and ends with the last one, and an id that is not ours is never
 * finished.
 *
 * - It is in the book before its first image, so that the next one, also after a crash, ends it first.
 * - An image that is refused in an old upload, or in one whose end is refused too, is sent once more in a new one: the
 *   lock was not ours any more.
 */
export class UploadSession {
  readonly #datasetId: string;
  readonly #client: OnestepaiClient;
  readonly #book: OnestepaiBook;
  readonly #clock: Clock;
  readonly #limits: SessionLimits;
  #open: Open | undefined;
  /** The account was refused: to ask once more would be answered alike. */
  #hopeless = false;

  constructor(
    datasetId: string,
    { client, book }: { readonly client: OnestepaiClient; readonly book: OnestepaiBook },
    clock: Clock,
    limits: SessionLimits = onestepaiLimits,
  ) {
    this.#datasetId = datasetId;
    this.#client = client;
    this.#book = book;
    this.#clock = clock;
    this.#limits = limits;
  }

  async send(image: Omit<OnestepaiChunk, "datasetId" | "uploadId">, signal: AbortSignal): Promise<void> {
    try {
      const open = this.#open ?? (await this.#start(signal));
      try {
        await this.#upload(open, image, signal);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        const isOld = this.#clock.monotonicMs() - open.sinceMonotonicMs >= this.#limits.freshSessionMs;
        const wasHeld = await this.end(signal);
        if (wasHeld && !isOld) throw error;
        await this.#upload(await this.#start(signal), image, signal);
      }
    } catch (error) {
      this.#hopeless ||= error instanceof AgentError && error.code === "HTTP_401";
      throw error;
    }
  }

  /** False where it could not be ended: then it stays in the book, for the next one to end. Never fails. */
  async end(signal: AbortSignal): Promise<boolean> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined || this.#hopeless) return false;
    return this.#finish(open, signal).then(
      () => true,
      () => false,
    );
  }

  async #upload(
    { datasetId, uploadId }: Open,
    image: Omit<OnestepaiChunk, "datasetId" | "uploadId">,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#client.uploadChunk({ ...image, datasetId, uploadId }, signal);
  }

  async #start(signal: AbortSignal): Promise<Open> {
    const datasetId = this.#datasetId;
    requireGoing(signal, datasetId);
    await this.#finishEarlier(signal);
    requireGoing(signal, datasetId);
    const uploadId = await this.#client.startUploading(datasetId, signal).catch((error: unknown) => {
      throw startError(asAgentError(error, `starting an upload to dataset ${datasetId}`), datasetId, this.#limits);
    });
    const startedAt = new Date(this.#clock.nowMs()).toISOString();
    this.#open = { datasetId, uploadId, startedAt, sinceMonotonicMs: this.#clock.monotonicMs() };
    await this.#book.setUpload({ datasetId, uploadId, startedAt });
    return this.#open;
  }

  /** Of a process that was killed, or one whose end did not get through. */
  async #finishEarlier(signal: AbortSignal): Promise<void> {
    const earlier = await this.#book.upload();
    if (earlier === undefined) return;
    try {
      await this.#finish(earlier, signal);
    } catch (error) {
      // Whatever came back, or did not: whether the dataset is free, the start tells. An end that never gets through must
      // not keep everything after it waiting.
      if (error instanceof AgentError && error.code === "HTTP_401") throw error;
    }
  }

  /** Where it fails the upload stays in the book until another one has begun, which proves that it is over. */
  async #finish({ datasetId, uploadId }: OpenUpload, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const cut = new AbortController();
    const cutSoon = (): void => {
      const wait = this.#clock.sleep(this.#limits.stoppedFinishTimeoutMs, over.signal);
      wait.then(() => cut.abort()).catch(() => undefined);
    };
    // Also when stopped: a lock that is left behind keeps everybody out of the dataset.
    if (signal.aborted) cutSoon();
    else signal.addEventListener("abort", cutSoon, { once: true });
    try {
      await this.#client.finishUploading(datasetId, uploadId, cut.signal, this.#limits.finishTimeoutMs);
    } finally {
      signal.removeEventListener("abort", cutSoon);
      over.abort();
    }
    await this.#book.setUpload(undefined);
  }
}

/** What ends an upload after a stop takes as long as may be: a second one would keep the call from telling what it did. */
function requireGoing(signal: AbortSignal, datasetId: string): void {
  if (!signal.aborted) return;
  throw new AgentError("ABORTED", `starting an upload to dataset ${datasetId}: stopped`, { disposition: "retry" });
}

function isRefusal(error: unknown): boolean {
  return error instanceof AgentError && error.code === "HTTP_400";
}

/** How a locked dataset is answered is not documented: any refusal that is not about something else counts as one. */
function startError(error: AgentError, datasetId: string, { lockedAfterMs }: SessionLimits): AgentError {
  if (!/^HTTP_4\d\d$/.test(error.code) || /^HTTP_4(01|03|04|05|07|08|25|29)$/.test(error.code)) return error;
  const message = `${error.message} (another upload may hold dataset ${datasetId})`;
  return new AgentError("PLATFORM_LOCKED", message, { disposition: "retry", cause: error, afterMs: lockedAfterMs });
}
