import type { Clock } from "../../core/clock.ts";
import { AgentError } from "../../core/errors.ts";
import { outcomeOf } from "../../core/outcome.ts";
import { platformCodeOf } from "./answer.ts";
import type { CustomVisionClient } from "./client.ts";

export type MissingTags = "create" | "leave-out" | "refuse";

/** A label without a tag is looked for again this often: a person may have added it, or made room for it. */
const lookAgainMs = 60_000;
/** More labels than a detector has; the service's largest projects hold 500. */
const refusalsMax = 1_000;

/** The project's tags by name, read once and again when there is a reason. Not for calls side by side. */
export class ProjectTags {
  readonly #client: CustomVisionClient;
  readonly #missing: MissingTags;
  readonly #clock: Clock;
  #ids: Map<string, string> | undefined;
  #readAtMs = 0;
  /** The service would not make these tags: asked for each call they would use up its requests of a second. */
  readonly #refusals = new Map<string, { readonly error: AgentError; readonly atMs: number }>();

  constructor(client: CustomVisionClient, missing: MissingTags, clock: Clock) {
    this.#client = client;
    this.#missing = missing;
    this.#clock = clock;
  }

  idOf(label: string): string | undefined {
    return this.#ids?.get(label);
  }

  /** They are read anew before their next use. */
  forget(): void {
    this.#ids = undefined;
  }

  /**
   * Afterwards every label has an id, is left out, or stands in the result with the reason why records that show it
   * cannot be sent. Fails with what keeps everything from being sent.
   */
  async ensure(labels: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, AgentError>> {
    const refused = new Map<string, AgentError>();
    if (labels.length === 0) return refused;
    let ids = this.#ids ?? (await this.#read(signal));
    if (this.#missing !== "create") {
      const stale = this.#clock.monotonicMs() - this.#readAtMs >= lookAgainMs;
      if (stale && labels.some((label) => !ids.has(label))) ids = await this.#read(signal);
    }
    for (const label of labels.filter((candidate) => !ids.has(candidate))) {
      if (this.#missing === "leave-out") continue;
      const error =
        this.#missing === "create" ? await this.#createOnce(label, signal) : tagRefused(label, "there is none");
      if (error !== undefined) refused.set(label, error);
    }
    return refused;
  }

  async #createOnce(label: string, signal: AbortSignal): Promise<AgentError | undefined> {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#refusals.get(label);
    if (before !== undefined && nowMs - before.atMs < lookAgainMs) return before.error;
    const error = await this.#create(label, signal);
    if (error === undefined) return undefined;
    if (this.#refusals.size >= refusalsMax) this.#refusals.clear();
    this.#refusals.set(label, { error, atMs: nowMs });
    return error;
  }

  async #create(label: string, signal: AbortSignal): Promise<AgentError | undefined> {
    try {
      const { id } = await this.#client.createTag(label, {}, signal);
      this.#ids?.set(label, id);
      return undefined;
    } catch (error) {
      if (!(error instanceof AgentError) || outcomeOf(error).kind !== "rejected") throw error;
      // Somebody else has just made it, or made one whose name differs only in case.
      if (platformCodeOf(error) === "BadRequestTagNameNotUnique" && (await this.#adopt(label, signal)))
        return undefined;
      return notMade(label, error.message);
    }
  }

  async #adopt(label: string, signal: AbortSignal): Promise<boolean> {
    const ids = await this.#read(signal);
    const like = [...ids].find(([name]) => name.trim().toLowerCase() === label.trim().toLowerCase());
    if (like !== undefined) ids.set(label, like[1]);
    return like !== undefined;
  }

  async #read(signal: AbortSignal): Promise<Map<string, string>> {
    const tags = await this.#client.listTags({}, signal);
    this.#ids = new Map(tags.map(({ name, id }) => [name, id]));
    this.#readAtMs = this.#clock.monotonicMs();
    return this.#ids;
  }
}

/**
 * One such answer sets no record aside, or it would do so with all that show this label: each waits until the service is
 * asked again, and is given up only when it refuses again and again.
 */
function notMade(label: string, why: string): AgentError {
  const message = `the tag "${label}" cannot be made: ${why}`;
  return new AgentError("TAG_NOT_MADE", message, { disposition: "retry", afterMs: lookAgainMs });
}

function tagRefused(label: string, why: string): AgentError {
  return new AgentError("TAG_REFUSED", `the tag "${label}": ${why}`, { disposition: "reject" });
}
