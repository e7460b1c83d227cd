import { scaledDetection } from "../../core/detections.ts";
import type { RecordDraft } from "../../core/types.ts";
import type { SentSize } from "./journal.ts";
import type { Clock } from "../../core/clock.ts";
import { asAgentError, type AgentError } from "../../core/errors.ts";
import { outcomeOf, type Outcome } from "../../core/outcome.ts";
import type { Delivery } from "../../core/ports.ts";
import { type ImageAddress, wantedLabels } from "./annotations.ts";
import type { LabelReference } from "./answers.ts";
import type { LayernextClient } from "./client.ts";
import type { LayernextConfig } from "./config.ts";
import { cursorOf } from "./cursor.ts";
import { labelUnknown, layernextAnnotations, shapeIdsOf } from "./encode.ts";
import { objectKeyOf } from "./generation.ts";
import { operationIdOf } from "./operation-id.ts";
import { isRefusal, refusalOfOne } from "./transfer.ts";

/** A record whose image the server has. */
export interface UploadedRecord {
  readonly delivery: Delivery;
  /** Calls that found its job unfinished. */
  readonly polls: number;
  readonly fileKey: string | undefined;
  /** Of the picture that was sent, where it is known; the record's own otherwise. */
  readonly size?: SentSize | undefined;
}

export interface Labels {
  readonly references: ReadonlyMap<string, LabelReference>;
  /** Those that show a label which the server does not know. */
  readonly refused: readonly { readonly delivery: Delivery; readonly error: AgentError }[];
}

/** What one call of the target works with. */
export interface RunCall {
  readonly labels: Labels;
  readonly outcomes: Map<string, Outcome>;
  /** Until the call has to end. */
  readonly leftMs: () => number;
  readonly signal: AbortSignal;
}

interface Answers {
  readonly references: ReadonlyMap<string, LabelReference>;
  /** What was said against a label. */
  readonly refusals: ReadonlyMap<string, AgentError>;
}

/** Annotations for images that the server has: one model run for those that are of one model. */
export class ModelRun {
  readonly #client: LayernextClient;
  readonly #config: LayernextConfig;
  readonly #clock: Clock;

  constructor(client: LayernextClient, config: LayernextConfig, clock: Clock) {
    this.#client = client;
    this.#config = config;
    this.#clock = clock;
  }

  /** Asks for the references of all labels that the records show. */
  async prepare(deliveries: readonly Delivery[], signal: AbortSignal): Promise<Labels> {
    const labelsOf = ({ record }: Delivery) => layernextAnnotations(record, this.#config).map(({ label }) => label);
    const labels = [...new Set(deliveries.flatMap(labelsOf))];
    const { references, refusals } = await this.#lookUp(labels, signal);
    const refused = deliveries.flatMap((delivery) => {
      const unknown = [...new Set(labelsOf(delivery))].filter((label) => !references.has(label));
      const [first] = unknown;
      return first === undefined
        ? []
        : [{ delivery, error: refusalOfOne(refusals.get(first) ?? labelUnknown(unknown)) }];
    });
    return { references, refused };
  }

  /** Every record gets its outcome. */
  async send(jobId: string | undefined, records: readonly UploadedRecord[], call: RunCall): Promise<void> {
    const runs = new Map<string, UploadedRecord[]>();
    for (const uploaded of records) {
      const { record } = uploaded.delivery;
      const operationId = operationIdOf(this.#config.operationId, record);
      // Nobody looked at it, so there is no model run to tell of.
      if (!record.labelled) call.outcomes.set(record.id, accepted(uploaded));
      else runs.set(operationId, [...(runs.get(operationId) ?? []), uploaded]);
    }
    for (const [operationId, run] of runs) await this.#sendRun(operationId, jobId, run, call);
  }

  async #sendRun(
    operationId: string,
    jobId: string | undefined,
    run: readonly UploadedRecord[],
    call: RunCall,
  ): Promise<void> {
    try {
      await this.#upload(operationId, jobId, run, call);
      for (const uploaded of run) call.outcomes.set(uploaded.delivery.record.id, accepted(uploaded));
    } catch (error) {
      const failure = asAgentError(error, `sending model run ${operationId}`);
      if (isRefusal(failure) && run.length > 1) {
        // One of them is at fault: alone, each gets an answer of its own.
        for (const uploaded of run) await this.#sendRun(operationId, jobId, [uploaded], call);
        return;
      }
      const outcome = outcomeOf(refusalOfOne(failure));
      for (const { delivery, polls, fileKey } of run) {
        const waits = outcome.kind === "retry" && jobId !== undefined;
        const cursor = waits ? { cursor: cursorOf({ jobId, polls, fileKey }) } : {};
        call.outcomes.set(delivery.record.id, { ...outcome, ...cursor });
      }
    }
  }

  async #upload(
    operationId: string,
    jobId: string | undefined,
    run: readonly UploadedRecord[],
    { labels, signal }: RunCall,
  ): Promise<void> {
    const images = run.map(({ delivery: { record }, size }) => ({
      address: this.#address(jobId, record.name),
      annotations: layernextAnnotations(inPixelsOf(record, size), this.#config),
      newId: shapeIdsOf(record, operationId),
    }));
    const { references } = labels;
    const nowMs = this.#clock.nowMs();
    await this.#client.uploadAnnotations({ operationId, kind: "modelRun", images, references, nowMs }, signal);
  }

  #address(jobId: string | undefined, fileName: string): ImageAddress {
    const { generation } = this.#client;
    if (generation.addressesJobs && jobId !== undefined) return { by: "job", jobId, fileName };
    return { by: "key", objectKey: objectKeyOf(generation, this.#config.collection, fileName) };
  }

  /** Fresh each time: a label may have been made, renamed or removed since. */
  async #lookUp(labels: readonly string[], signal: AbortSignal): Promise<Answers> {
    if (labels.length === 0) return { references: new Map(), refusals: new Map() };
    try {
      return { references: await this.#ask(labels, signal), refusals: new Map() };
    } catch (error) {
      const failure = asAgentError(error, "asking for label references");
      if (outcomeOf(failure).kind !== "rejected") throw failure;
      const [first = "", ...more] = labels;
      if (more.length === 0) return { references: new Map(), refusals: new Map([[first, failure]]) };
    }
    // One of them is at fault: alone, each gets an answer of its own.
    const [references, refusals] = [new Map<string, LabelReference>(), new Map<string, AgentError>()];
    for (const label of labels) {
      const answers = await this.#lookUp([label], signal);
      for (const reference of answers.references) references.set(...reference);
      for (const refusal of answers.refusals) refusals.set(...refusal);
    }
    return { references, refusals };
  }

  #ask(labels: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, LabelReference>> {
    const shape = { type: "points", points: [] } as const;
    return this.#client.labelReferences(wantedLabels(labels.map((label) => ({ label, shape }))), signal);
  }
}

/** The server may have another copy of the picture than the one at hand. */
function inPixelsOf(record: RecordDraft, size: SentSize | undefined): RecordDraft {
  const [imageWidth, imageHeight] = size ?? [record.imageWidth, record.imageHeight];
  const [across, down] = [imageWidth / record.imageWidth, imageHeight / record.imageHeight];
  if (across === 1 && down === 1) return record;
  const detections = record.detections.map((detection) => scaledDetection(detection, across, down));
  return { ...record, imageWidth, imageHeight, detections };
}

function accepted({ fileKey }: UploadedRecord): Outcome {
  return { kind: "accepted", ...(fileKey === undefined ? {} : { remoteId: fileKey }) };
}
