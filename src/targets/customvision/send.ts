import { AgentError, asAgentError } from "../../core/errors.ts";
import { outcomeOf, type Outcome } from "../../core/outcome.ts";
import type { Delivery } from "../../core/ports.ts";
import { base64Bytes } from "../../link/payload.ts";
import { platformCodeOf } from "./answer.ts";
import type { Item } from "./batches.ts";
import type { CustomVisionClient } from "./client.ts";
import type { CreatedImage, ImageFile } from "./models.ts";
import type { ProjectTags } from "./tags.ts";
import { invalidTag, tooLarge, uncertain, type Verdict, verdictOf } from "./verdict.ts";

type Outcomes = ReadonlyMap<string, Outcome>;

export type SendResult =
  /** Every image has its outcome. `stop`: the service is away or full, and the next batch would fare no better. */
  | { readonly kind: "answered" | "stop"; readonly outcomes: Outcomes }
  /** Refused as a whole: the image that is to blame has to be found. */
  | { readonly kind: "halve" };

/** Doubtful answers in a row, without one image accepted in between, that are still believed to be the images' own. */
const unknownsInRowMax = 6;

/** So many requests of a learned size that went well before twice as much is tried: a limit that was a passing one. */
const triesBeforeGrowth = 32;

/** Codes of a 400 that speaks of tag ids: they are the project's no more. */
const tagCodes: ReadonlySet<string> = new Set(["BadRequestInvalidIds", "BadRequestImageTags", "NotFoundTag"]);
/** The second is said of too many images in a request too; of one alone it can only mean the project. */
const fullCode = "BadRequestExceededQuota";
const countCode = "BadRequestImageExceededCount";

/** Sends one batch and judges each of its images by its own status. */
export class BatchSender {
  readonly #client: CustomVisionClient;
  readonly #tags: ProjectTags;
  readonly #bytesWanted: number;
  #bytesMax: number;
  #wentWell = 0;
  #unknownsInRow = 0;

  constructor(client: CustomVisionClient, tags: ProjectTags, bytesMax: number) {
    this.#client = client;
    this.#tags = tags;
    this.#bytesWanted = bytesMax;
    this.#bytesMax = bytesMax;
  }

  /** Base64 in one request: what the config says, or less where a request was refused for its size. */
  get bytesMax(): number {
    return this.#bytesMax;
  }

  async send(batch: readonly Item[], signal: AbortSignal): Promise<SendResult> {
    const outcomes = new Map<string, Outcome>();
    const { images, items } = await readImages(batch, outcomes);
    if (items.length === 0) return { kind: "answered", outcomes };
    try {
      const { images: results } = await this.#client.createImagesFromFiles(images, {}, signal);
      this.#unlearnBytes();
      return this.#judged(items, matched(results, items), outcomes);
    } catch (error) {
      return this.#failed(items, asAgentError(error, `sending ${items.length} images`), outcomes);
    }
  }

  #judged(
    items: readonly Item[],
    results: ReadonlyMap<string, CreatedImage>,
    outcomes: Map<string, Outcome>,
  ): SendResult {
    const verdicts = items.map(({ delivery }) => ({
      delivery,
      verdict: verdictOf(results.get(delivery.record.name), delivery),
    }));
    const works = verdicts.some(({ verdict }) => verdict.kind === "accepted");
    if (works) this.#unknownsInRow = 0;
    this.#unknownsInRow += verdicts.filter(({ verdict }) => verdict.kind === "unknown").length;
    const kinds = new Set(verdicts.map(({ verdict }) => verdict.kind));
    if (kinds.has("unknown") || kinds.has("invalid-tag")) this.#tags.forget();
    for (const { delivery, verdict } of verdicts) {
      outcomes.set(delivery.record.id, this.#outcomeOf(verdict, delivery, works));
    }
    const away = [...outcomes.values()].some((outcome) => outcome.kind === "retry" && outcome.scope === "target");
    return { kind: away ? "stop" : "answered", outcomes };
  }

  #outcomeOf(verdict: Verdict, delivery: Delivery, works: boolean): Outcome {
    const { name } = delivery.record;
    switch (verdict.kind) {
      case "accepted":
        return verdict;
      case "refused":
        return { kind: "rejected", error: verdict.error };
      case "full":
        return outcomeOf(projectFull("ErrorLimitExceed"));
      case "invalid-tag":
        return invalidTag(delivery, "ErrorInvalidTag");
      case "storage":
        // Where others were stored by the same request it may be this image that the store dislikes.
        return outcomeOf(doubt(works ? "IMAGE_UNCERTAIN" : "PLATFORM_UNCERTAIN", `${name}: ErrorStorage`));
      case "unknown":
        // All of them in doubt, and for long: then it is the service, and no image may pay for it.
        if (this.#unknownsInRow <= unknownsInRowMax || works) return uncertain(delivery, verdict.status);
        return outcomeOf(doubt("PLATFORM_UNCERTAIN", `${name}: ${verdict.status}, as all others before it`));
    }
  }

  #failed(items: readonly Item[], error: AgentError, outcomes: Map<string, Outcome>): SendResult {
    const platformCode = platformCodeOf(error) ?? "";
    if (error.code === "HTTP_413") this.#learnBytes(items);
    const outcome = outcomeOf(error);
    const isFull = platformCode === fullCode || (platformCode === countCode && items.length === 1);
    if (isFull) return stopped(items, outcomeOf(projectFull(platformCode)), outcomes);
    if (tagCodes.has(platformCode)) {
      this.#tags.forget();
      for (const { delivery } of items) outcomes.set(delivery.record.id, invalidTag(delivery, error.message));
      return { kind: "answered", outcomes };
    }
    const ofOne = outcome.kind === "rejected" || error.code === "HTTP_408";
    if (!ofOne) return stopped(items, outcome, outcomes);
    if (items.length > 1) return { kind: "halve" };
    for (const { delivery } of items) {
      const { id, name, imageBytes } = delivery.record;
      const size = platformCode === "BadRequestImageSizeBytes";
      outcomes.set(id, size ? { kind: "rejected", error: tooLarge(name, imageBytes) } : outcome);
    }
    return { kind: outcome.kind === "rejected" ? "answered" : "stop", outcomes };
  }

  /** So that not every following batch is refused first. One image alone is not the request's size. */
  #learnBytes(items: readonly Item[]): void {
    if (items.length < 2) return;
    const sent = items.reduce((sum, { delivery }) => sum + base64Bytes(delivery.record.imageBytes), 0);
    this.#bytesMax = Math.max(1, Math.min(this.#bytesMax, Math.floor(sent / 2)));
    this.#wentWell = 0;
  }

  #unlearnBytes(): void {
    this.#wentWell += 1;
    if (this.#wentWell < triesBeforeGrowth) return;
    this.#wentWell = 0;
    this.#bytesMax = Math.min(this.#bytesWanted, this.#bytesMax * 2);
  }
}

/** An image that cannot be read has its outcome and is left out. */
async function readImages(
  batch: readonly Item[],
  outcomes: Map<string, Outcome>,
): Promise<{ readonly images: readonly ImageFile[]; readonly items: readonly Item[] }> {
  const images: ImageFile[] = [];
  const items: Item[] = [];
  for (const item of batch) {
    const { record } = item.delivery;
    try {
      const contents = await item.delivery.image();
      const { tagIds, regions } = item;
      const annotations = {
        ...(tagIds === undefined ? {} : { tagIds }),
        ...(regions === undefined ? {} : { regions }),
      };
      images.push({ name: record.name, contents, ...annotations });
      items.push(item);
    } catch (error) {
      outcomes.set(record.id, outcomeOf(asAgentError(error, `reading ${record.name}`)));
    }
  }
  return { images, items };
}

/** By name, which may come back in quotes; the order is not promised. An answer to what was never asked fits nothing. */
function matched(results: readonly CreatedImage[], items: readonly Item[]): ReadonlyMap<string, CreatedImage> {
  const names = new Set(items.map(({ delivery }) => delivery.record.name));
  const found = new Map<string, CreatedImage>();
  for (const result of results) {
    const name = result.sourceUrl.replace(/^"(.*)"$/, "$1");
    if (!names.has(name) || found.has(name)) {
      const said = JSON.stringify(name.slice(0, 80));
      throw new AgentError("HTTP_NOT_THE_PLATFORM", `the service answered for ${said}, which it was not asked`, {
        disposition: "retry",
      });
    }
    found.set(name, result);
  }
  return found;
}

function stopped(items: readonly Item[], outcome: Outcome, outcomes: Map<string, Outcome>): SendResult {
  for (const { delivery } of items) outcomes.set(delivery.record.id, outcome);
  return { kind: "stop", outcomes };
}

function projectFull(said: string): AgentError {
  return new AgentError("PROJECT_FULL", `the project takes no more images (${said})`, { disposition: "fatal" });
}

function doubt(code: string, message: string): AgentError {
  return new AgentError(code, message, { disposition: "retry" });
}
