import { SystemClock, type Clock } from "../../core/clock.ts";
import { AgentError, asAgentError } from "../../core/errors.ts";
import { deliverLimits } from "../../core/deliver-limits.ts";
import { layernextLimits } from "../../core/platform-limits.ts";
import { outcomeOf, suspectsRecord, type Outcome } from "../../core/outcome.ts";
import type { Delivery, Target, TargetCapacity, TargetMemory } from "../../core/ports.ts";
import type { RecordDraft } from "../../core/types.ts";
import { HttpLink, type LinkParts } from "../../link/http.ts";
import { filterWants } from "../filter.ts";
import { explained } from "../platform-answer.ts";
import {
  BatchUpload,
  InterruptedUpload,
  notTheRecords,
  PausedUpload,
  type ReadRecord,
  type Uploaded,
} from "./batch-upload.ts";
import { LayernextClient, type JobState } from "./client.ts";
import type { LayernextConfig } from "./config.ts";
import { cursorOf, parseCursor } from "./cursor.ts";
import { jobFailed, jobPace, jobPending, jobStuck, laterMs, waitForJob, type JobPace } from "./job.ts";
import { Journal } from "./journal.ts";
import { ModelRun, type RunCall, type UploadedRecord } from "./model-run.ts";
import { isRefusal } from "./transfer.ts";

export interface LayernextTargetParts {
  readonly memory: TargetMemory;
  readonly clock?: Clock;
  /** For tests. */
  readonly pace?: JobPace;
  readonly link?: LinkParts;
}

type Outcomes = Map<string, Outcome>;

/**
 * Images of a batch into a collection, then one model run for them, once the server's job has taken them in. The journal
 * keeps the upload, each record's cursor the job that it waits for: neither a power cut nor a slow job has an image sent
 * twice.
 */
export class LayernextTarget implements Target {
  readonly id: string;
  readonly kind = "layernext";
  readonly #config: LayernextConfig;
  readonly #link: HttpLink;
  readonly #storageLink: HttpLink;
  readonly #client: LayernextClient;
  readonly #journal: Journal;
  readonly #uploads: BatchUpload;
  readonly #modelRun: ModelRun;
  readonly #clock: Clock;
  readonly #pace: JobPace;

  constructor(config: LayernextConfig, { memory, clock, pace, link = {} }: LayernextTargetParts) {
    this.id = config.id;
    this.#config = config;
    this.#clock = clock ?? new SystemClock();
    this.#pace = pace ?? jobPace;
    this.#link = new HttpLink({ tls: config.tls, proxy: config.proxy, ...link });
    this.#storageLink = new HttpLink({ tls: config.storageTls, proxy: config.proxy, ...link });
    this.#client = new LayernextClient(config, this.#link, this.#storageLink);
    this.#journal = new Journal(memory, JSON.stringify([config.url, config.basePath, config.collection]), this.#clock);
    this.#uploads = new BatchUpload(this.#client, this.#journal, config);
    this.#modelRun = new ModelRun(this.#client, config, this.#clock);
  }

  capacity(): TargetCapacity {
    const { maxRecords, maxBytes } = this.#config.batch;
    // One upload at a time: there is one journal.
    return { recordsPerCallMax: maxRecords, bytesPerCallMax: maxBytes, callsInFlightMax: 1 };
  }

  wants(draft: RecordDraft): boolean {
    return filterWants(this.#config, draft);
  }

  async start(): Promise<void> {
    // HTTP connects with its first request.
  }

  async probe(signal: AbortSignal): Promise<void> {
    try {
      await this.#client.systemDetails(signal);
    } catch (error) {
      throw explained(asAgentError(error, "checking LayerNext"), probeAdvice);
    }
  }

  async close(): Promise<void> {
    this.#link.close();
    this.#storageLink.close();
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const outcomes: Outcomes = new Map();
    const endMs = this.#clock.monotonicMs() + callMsOf(deliveries, this.#pace);
    const leftMs = () => Math.max(0, endMs - this.#clock.monotonicMs());
    try {
      // Before anything is uploaded: an image whose labels the server does not know would lie there without them.
      const labels = await this.#modelRun.prepare(deliveries, signal);
      for (const { delivery, error } of labels.refused) outcomes.set(delivery.record.id, outcomeOf(error));
      const ready = deliveries.filter(({ record }) => !outcomes.has(record.id));
      await this.#sendAll(ready, { labels, outcomes, leftMs, signal });
    } catch (error) {
      const outcome = outcomeOf(notTheRecords(asAgentError(error, "delivering to LayerNext")));
      for (const { record } of deliveries) if (!outcomes.has(record.id)) outcomes.set(record.id, outcome);
    }
    return outcomes;
  }

  async #sendAll(ready: readonly Delivery[], call: RunCall): Promise<void> {
    for (const [jobId, waiting] of byJob(ready)) await this.#resumeJob(jobId, waiting, call);
    const fresh = ready.filter(({ cursor }) => parseCursor(cursor) === undefined);
    const records = await readAll(fresh, call.outcomes);
    let pause: PausedUpload | undefined;
    for (const group of records.length === 0 ? [] : await this.#uploads.split(records)) {
      // There is one journal: another upload would take the place of the one that is to go on.
      if (pause === undefined) pause = await this.#sendGroup(group, call);
      else settleAll(group, call.outcomes, paused(pause));
    }
  }

  /** Asked once in a call: who waits for one job must not hold up the others. */
  async #resumeJob(jobId: string, waiting: readonly UploadedRecord[], call: RunCall): Promise<void> {
    const { outcomes } = call;
    try {
      await this.#finish(jobId, waiting, 0, call);
    } catch (error) {
      const failure = asAgentError(error, `asking for job ${jobId}`);
      if (!isRefusal(failure)) {
        settleAll(waiting, outcomes, outcomeOf(failure));
        return;
      }
      settleAll(waiting, outcomes, { kind: "retry", scope: "record", error: notTheRecords(failure), cursor: "" });
    }
  }

  /** The pause, where time was up before the last file. */
  async #sendGroup(group: readonly ReadRecord[], call: RunCall): Promise<PausedUpload | undefined> {
    const { outcomes, signal } = call;
    try {
      const { jobId, files, refused } = await this.#uploads.upload(group, {
        isOver: () => call.leftMs() === 0,
        signal,
      });
      for (const { delivery, error } of refused) outcomes.set(delivery.record.id, outcomeOf(error));
      const uploaded = takenIn(files, outcomes);
      if (uploaded.length > 0) await this.#finish(jobId, uploaded, Math.min(this.#pace.waitMs, call.leftMs()), call);
    } catch (error) {
      if (error instanceof PausedUpload) {
        settleAll(group, outcomes, paused(error));
        return error;
      }
      const left = group.filter(({ delivery }) => !outcomes.has(delivery.record.id));
      for (const { delivery } of left) outcomes.set(delivery.record.id, outcomeOf(failureFor(delivery, left, error)));
    }
    return undefined;
  }

  /** Every record of the job gets its outcome. */
  async #finish(
    jobId: string | undefined,
    records: readonly UploadedRecord[],
    waitMs: number,
    call: RunCall,
  ): Promise<void> {
    const { outcomes, signal } = call;
    if (jobId !== undefined) {
      const state = await this.#stateOf(jobId, waitMs, signal);
      if (state.status === "failed") {
        await this.#journal.forget(jobId);
        settleAll(records, outcomes, anew(jobFailed(jobId)));
        return;
      }
      if (state.status !== "completed") return this.#later(jobId, records, jobPending(jobId, state), outcomes);
    }
    await this.#modelRun.send(jobId, records, call);
  }

  async #stateOf(jobId: string, waitMs: number, signal: AbortSignal): Promise<JobState> {
    try {
      return await waitForJob(this.#client, jobId, { ...this.#pace, waitMs }, this.#clock, signal);
    } catch (error) {
      // The server has forgotten the job, for example after months without a connection.
      if (isRefusal(asAgentError(error, `asking for job ${jobId}`))) await this.#journal.forget(jobId);
      throw error;
    }
  }

  async #later(jobId: string, records: readonly UploadedRecord[], error: AgentError, outcomes: Outcomes) {
    for (const { delivery, polls, fileKey } of records) {
      const stuck = polls >= layernextLimits.laterPollsMax;
      if (stuck) await this.#journal.forget(jobId);
      const cursor = cursorOf({ jobId, polls: polls + 1, fileKey });
      const waits: Outcome = { kind: "retry", scope: "record", error, cursor, afterMs: laterMs(polls) };
      // Where all jobs are stuck it is the server, and costs no record anything.
      outcomes.set(delivery.record.id, stuck ? anew(jobStuck(jobId, polls)) : waits);
    }
  }
}

function byJob(deliveries: readonly Delivery[]): ReadonlyMap<string, readonly UploadedRecord[]> {
  const jobs = new Map<string, UploadedRecord[]>();
  for (const delivery of deliveries) {
    const cursor = parseCursor(delivery.cursor);
    if (cursor === undefined) continue;
    const { jobId, polls, fileKey } = cursor;
    jobs.set(jobId, [...(jobs.get(jobId) ?? []), { delivery, polls, fileKey }]);
  }
  return jobs;
}

/** Before the upload begins: a file that the server was told of has to come. */
async function readAll(deliveries: readonly Delivery[], outcomes: Outcomes): Promise<readonly ReadRecord[]> {
  const records: ReadRecord[] = [];
  for (const delivery of deliveries) {
    try {
      records.push({ delivery, jpeg: await delivery.image() });
    } catch (error) {
      outcomes.set(delivery.record.id, outcomeOf(asAgentError(error, `reading ${delivery.record.name}`)));
    }
  }
  return records;
}

/** What the server would not take again has its outcome; the rest waits for its job. */
function takenIn(files: Uploaded["files"], outcomes: Outcomes): readonly UploadedRecord[] {
  return files.flatMap(({ delivery, step }) => {
    if (step.step !== "removed") {
      return [{ delivery, polls: 0, fileKey: step.step === "done" ? step.fileKey : undefined, size: step.size }];
    }
    const { name, id } = delivery.record;
    const message = `sending ${name}: it was removed from the collection before, and LayerNext does not take it again`;
    outcomes.set(id, outcomeOf(new AgentError("UPLOAD_REMOVED", message, { disposition: "reject" })));
    return [];
  });
}

/** Where one file's step failed, the others of its batch are neither charged nor suspected. */
function failureFor(delivery: Delivery, left: readonly ReadRecord[], thrown: unknown): AgentError {
  const interrupted = thrown instanceof InterruptedUpload ? thrown : undefined;
  const error = notTheRecords(interrupted?.error ?? asAgentError(thrown, "uploading to LayerNext"));
  if (interrupted === undefined || left.length === 1 || delivery === interrupted.delivery) return error;
  if (!suspectsRecord(error)) return error;
  const { name } = interrupted.delivery.record;
  const { afterMs } = error;
  return new AgentError("BATCH_INTERRUPTED", `sending ${name}, in the same batch: ${error.message}`, {
    disposition: "fatal",
    cause: error,
    ...(afterMs === undefined ? {} : { afterMs }),
  });
}

/** Whatever was uploaded is forgotten; the server tells what it has already. */
function anew(error: AgentError): Outcome {
  const outcome = outcomeOf(error);
  return outcome.kind === "retry" ? { ...outcome, cursor: "" } : outcome;
}

function paused({ message, cursor }: PausedUpload): Outcome {
  const error = new AgentError("UPLOAD_PAUSED", message, { disposition: "retry" });
  return { kind: "retry", scope: "record", error, cursor, afterMs: 0 };
}

/** Short of its deadline by the time of one file's steps. */
function callMsOf(deliveries: readonly Delivery[], { callMs }: JobPace): number {
  const bytes = deliveries.reduce((sum, { record }) => sum + record.imageBytes, 0);
  return callMs + (bytes / deliverLimits.bytesPerSecondMin) * 1_000;
}

function settleAll(records: readonly { readonly delivery: Delivery }[], outcomes: Outcomes, outcome: Outcome): void {
  for (const { delivery } of records) outcomes.set(delivery.record.id, outcome);
}

/** What a person should do about a failed probe. */
const probeAdvice = {
  HTTP_401: "the server is there and refuses the API key or its secret",
  HTTP_403: "the server is there and refuses the API key or its secret",
  HTTP_404: "a server is there but does not know this address; are url, api and basePath right?",
};
