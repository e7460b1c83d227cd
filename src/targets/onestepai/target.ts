import { SystemClock, type Clock } from "../../core/clock.ts";
import { AgentError, asAgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import { onestepaiLimits } from "../../core/platform-limits.ts";
import { outcomeOf, type Outcome } from "../../core/outcome.ts";
import type { Delivery, Target, TargetCapacity, TargetMemory } from "../../core/ports.ts";
import type { RecordDraft } from "../../core/types.ts";
import { HttpLink, type LinkParts } from "../../link/http.ts";
import { filterWants } from "../filter.ts";
import { explained } from "../platform-answer.ts";
import { OnestepaiBook } from "./book.ts";
import { Categories } from "./categories.ts";
import { OnestepaiClient } from "./client.ts";
import type { OnestepaiConfig } from "./config.ts";
import { onestepaiAnnotation } from "./encode.ts";
import { UploadSession, type SessionLimits } from "./session.ts";

export interface OnestepaiTargetOptions {
  readonly memory: TargetMemory;
  readonly clock?: Clock;
  readonly link?: LinkParts;
  readonly limits?: SessionLimits;
}

/** Pictures with Pascal VOC for a dataset of OneStepAI: each call is one upload, from its start to its finish. */
export class OnestepaiTarget implements Target {
  readonly id: string;
  readonly kind = "onestepai";
  readonly #config: OnestepaiConfig;
  readonly #link: HttpLink;
  readonly #client: OnestepaiClient;
  readonly #book: OnestepaiBook;
  readonly #categories: Categories;
  readonly #clock: Clock;
  readonly #limits: SessionLimits;
  /** Ids of categories under which the platform has taken a picture. */
  readonly #proven = new Set<string>();
  #busy = false;

  constructor(config: OnestepaiConfig, { memory, clock, link, limits }: OnestepaiTargetOptions) {
    this.id = config.id;
    this.#config = config;
    this.#link = new HttpLink({ tls: config.tls, proxy: config.proxy, ...link });
    this.#client = new OnestepaiClient(config, this.#link);
    this.#book = new OnestepaiBook(memory, config.url);
    this.#categories = new Categories(config, this.#client, this.#book);
    this.#clock = clock ?? new SystemClock();
    this.#limits = limits ?? onestepaiLimits;
  }

  /** One call at a time: a dataset has one lock. */
  capacity(): TargetCapacity {
    return {
      recordsPerCallMax: onestepaiLimits.recordsPerSessionMax,
      bytesPerCallMax: captureLimits.jpegBytesMax,
      callsInFlightMax: 1,
    };
  }

  wants(draft: RecordDraft): boolean {
    return filterWants(this.#config, draft);
  }

  async start(): Promise<void> {
    // HTTP connects with its first request.
  }

  async probe(signal: AbortSignal): Promise<void> {
    try {
      await this.#client.signIn(signal);
      await this.#client.whoAmI(signal);
    } catch (error) {
      throw explained(asAgentError(error, "checking OneStepAI"), probeAdvice);
    }
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    // A call that was given up may still be ending its upload.
    if (this.#busy) throw new AgentError("NOT_SENT", `${this.id}: an earlier call has not ended`, retry);
    this.#busy = true;
    const parts = { client: this.#client, book: this.#book };
    const session = new UploadSession(String(this.#config.datasetId), parts, this.#clock, this.#limits);
    const outcomes = new Map<string, Outcome>();
    const sent = new Map<string, string>();
    try {
      let failed: Outcome | undefined;
      for (const delivery of deliveries) {
        const outcome =
          failed === undefined ? await this.#deliverOne(delivery, session, sent, signal) : notSent(failed);
        outcomes.set(delivery.record.id, outcome);
        // The target's trouble would be the next one's too.
        if (outcome.kind === "retry" && outcome.scope === "target") failed ??= outcome;
      }
    } finally {
      await session.end(signal);
      this.#busy = false;
    }
    return this.#judged(outcomes, sent);
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /** `sent` is filled: category id by record id. */
  async #deliverOne(
    delivery: Delivery,
    session: UploadSession,
    sent: Map<string, string>,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { record } = delivery;
    const attempted = `sending ${record.name}`;
    try {
      if (signal.aborted) throw new AgentError("ABORTED", `${attempted}: stopped`, retry);
      // Before the upload begins: a record that cannot be read must not lock the dataset.
      const jpeg = await delivery.image();
      const categoryId = await this.#categories.idFor(record, signal);
      sent.set(record.id, categoryId);
      const annotation = onestepaiAnnotation(record, this.#config);
      const { skipUnsupportedImages } = this.#config;
      await session.send({ name: record.name, image: jpeg, annotation, categoryId, skipUnsupportedImages }, signal);
      this.#proven.add(categoryId);
      return { kind: "accepted" };
    } catch (error) {
      return outcomeOf(asAgentError(error, attempted));
    }
  }

  /**
   * A refusal says nothing of what it is about. Under a category that has never worked it may be the category, which would
   * be every record's end: only one under which another picture was taken is the record's own.
   */
  #judged(outcomes: ReadonlyMap<string, Outcome>, sent: ReadonlyMap<string, string>): ReadonlyMap<string, Outcome> {
    const judged = [...outcomes].map(([id, outcome]) => {
      const categoryId = sent.get(id);
      const isRefused = outcome.kind === "rejected" && outcome.error.code === "HTTP_400";
      const isOwn = !isRefused || categoryId === undefined || this.#proven.has(categoryId);
      return [id, isOwn ? outcome : uncertain(outcome.error, categoryId)] as const;
    });
    return new Map(judged);
  }
}

function uncertain(error: AgentError, categoryId: string): Outcome {
  const why = `no picture has been taken under category ${categoryId} yet, which may be what is refused`;
  return outcomeOf(new AgentError("PLATFORM_UNCERTAIN", `${error.message} (${why})`, { ...retry, cause: error }));
}

const retry = { disposition: "retry" } as const;

function notSent(before: Outcome): Outcome {
  // Whoever stopped us reads this code.
  if (before.kind !== "retry" || before.error.code === "ABORTED") return before;
  const message = `not sent, for what befell a record before it: ${before.error.message}`;
  return outcomeOf(new AgentError("NOT_SENT", message, { ...retry, cause: before.error }));
}

/** What a person should do about a failed probe. */
const probeAdvice = {
  HTTP_401: "the server is there and refuses the access token; it may have expired",
  PLATFORM_REFUSED: "the server is there and cannot read the access token",
  HTTP_404: "a server is there but does not know this address, so the token could not be checked; is the url right?",
};
