import type { Clock } from "../../core/clock.ts";
import { AgentError, asAgentError } from "../../core/errors.ts";
import { outcomeOf, type Outcome } from "../../core/outcome.ts";
import type { Delivery, Target, TargetCapacity } from "../../core/ports.ts";
import type { RecordDraft } from "../../core/types.ts";
import { HttpLink, type LinkParts } from "../../link/http.ts";
import { filterWants } from "../filter.ts";
import { explained } from "../platform-answer.ts";
import { batchesOf, halvesOf, type Item } from "./batches.ts";
import { CustomVisionClient } from "./client.ts";
import type { CustomVisionConfig } from "./config.ts";
import { type Annotations, labelsOf, shownOf, tagged } from "./encode.ts";
import { customVisionLimits as limits } from "./limits.ts";
import { annotationsOf } from "./project.ts";
import { BatchSender } from "./send.ts";
import { ProjectTags } from "./tags.ts";
import { refused, tooLarge } from "./verdict.ts";

type Outcomes = Map<string, Outcome>;

/**
 * Images for the training set of one project: as regions where it detects objects, as tags where it classifies. One call
 * is one request as a rule; a batch that is refused as a whole is halved until the image that is to blame stands alone.
 */
export class CustomVisionTarget implements Target {
  readonly id: string;
  readonly kind = "customvision";
  readonly #config: CustomVisionConfig;
  readonly #link: HttpLink;
  readonly #client: CustomVisionClient;
  readonly #tags: ProjectTags;
  readonly #sender: BatchSender;
  #annotations: Annotations | undefined;

  constructor(config: CustomVisionConfig, { clock }: { readonly clock: Clock }, link: LinkParts = {}) {
    this.id = config.id;
    this.#config = config;
    this.#link = new HttpLink({ tls: config.tls, proxy: config.proxy, ...link });
    this.#client = new CustomVisionClient(config, this.#link);
    this.#tags = new ProjectTags(this.#client, config.missingTags, clock);
    this.#sender = new BatchSender(this.#client, this.#tags, config.bytesPerRequest);
  }

  capacity(): TargetCapacity {
    return {
      recordsPerCallMax: this.#config.imagesPerRequest,
      bytesPerCallMax: Math.floor((this.#sender.bytesMax * 3) / 4),
      // A body of several megabytes keeps a line busy by itself, and the service counts requests.
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
      await annotationsOf(this.#client, this.#config.annotations, signal);
    } catch (error) {
      throw explained(asAgentError(error, "checking Custom Vision"), probeAdvice);
    }
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const outcomes: Outcomes = new Map();
    try {
      await this.#send(await this.#prepared(deliveries, outcomes, signal), outcomes, signal);
    } catch (error) {
      const outcome = outcomeOf(asAgentError(error, `sending to ${this.id}`));
      for (const { record } of deliveries) if (!outcomes.has(record.id)) outcomes.set(record.id, outcome);
    }
    return outcomes;
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /** Those that can be sent; the others have their outcome afterwards. */
  async #prepared(deliveries: readonly Delivery[], outcomes: Outcomes, signal: AbortSignal): Promise<readonly Item[]> {
    const annotations = (this.#annotations ??= await beforeAll(() =>
      annotationsOf(this.#client, this.#config.annotations, signal),
    ));
    const shown = deliveries.flatMap((delivery) => {
      const error = unfit(delivery);
      if (error !== undefined) outcomes.set(delivery.record.id, { kind: "rejected", error });
      return error === undefined
        ? [{ delivery, shown: shownOf(delivery.record, annotations, this.#config.minScore) }]
        : [];
    });
    const labels = new Set(shown.flatMap((item) => labelsOf(item.shown)));
    const refusals = await beforeAll(() => this.#tags.ensure([...labels], signal));
    return shown.flatMap(({ delivery, shown: seen }) => {
      const own = labelsOf(seen);
      const error = own.map((label) => refusals.get(label)).find((found) => found !== undefined) ?? overTagged(own);
      if (error !== undefined) outcomes.set(delivery.record.id, outcomeOf(error));
      return error === undefined ? [{ delivery, ...tagged(seen, (label) => this.#tags.idOf(label)) }] : [];
    });
  }

  /** Until all is answered for, or the service turns out to be away. */
  async #send(items: readonly Item[], outcomes: Outcomes, signal: AbortSignal): Promise<void> {
    const bounds = { imagesMax: this.#config.imagesPerRequest, bytesMax: this.#sender.bytesMax };
    const waiting = [...batchesOf(items, bounds)];
    const doubted = new Set<Item>();
    for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
      const result = await this.#sender.send(batch, signal);
      if (result.kind === "halve") {
        for (const item of batch) doubted.add(item);
        waiting.unshift(...halvesOf(batch));
        continue;
      }
      for (const [recordId, outcome] of result.outcomes) outcomes.set(recordId, outcome);
      if (result.kind === "stop") break;
    }
    for (const item of waiting.flat()) outcomes.set(item.delivery.record.id, notSent(doubted.has(item)));
  }
}

/** A question that comes before any image: where it is refused no record is to blame, whatever the status. */
async function beforeAll<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const failure = asAgentError(error, "asking Custom Vision about the project");
    if (outcomeOf(failure).kind !== "rejected") throw failure;
    throw new AgentError("PLATFORM_REFUSED", failure.message, { disposition: "fatal", cause: failure });
  }
}

/** What the service would refuse is known before it is sent. */
function unfit({ record }: Delivery): AgentError | undefined {
  const { name, imageBytes, imageWidth, imageHeight } = record;
  if (imageBytes > limits.imageBytesMax) return tooLarge(name, imageBytes);
  const [short, long] = [Math.min(imageWidth, imageHeight), Math.max(imageWidth, imageHeight)];
  if (long > limits.imageSideMax) return refused(`${name} is ${long} pixels long; the service takes 10240`);
  if (long > short * limits.imageAspectMax) return refused(`${name} is more than 25 times as long as it is wide`);
  return undefined;
}

function overTagged(labels: readonly string[]): AgentError | undefined {
  if (labels.length <= limits.tagsPerRequest) return undefined;
  return refused(`an image with ${labels.length} different labels; the service takes 20 a request`);
}

/** One out of a batch that was refused as a whole is sent alone next time, or the halving would begin anew. */
function notSent(doubted: boolean): Outcome {
  const error = new AgentError("NOT_SENT", "another request of the same call failed first", { disposition: "retry" });
  return { kind: "retry", scope: "target", error, ...(doubted ? { cursor: "alone" } : {}) };
}

/** What a person should do about a failed probe. */
const probeAdvice = {
  HTTP_401: "the server is there and refuses the training key; is it of this resource?",
  HTTP_403: "the server is there and refuses the training key or the network it comes from",
  HTTP_404: "a server is there but has no such project; are url, projectId and apiVersion right?",
};
