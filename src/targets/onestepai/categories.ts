import { AgentError } from "../../core/errors.ts";
import { outcomeOf } from "../../core/outcome.ts";
import type { RecordDraft } from "../../core/types.ts";
import type { OnestepaiBook } from "./book.ts";
import { categoryName, categoryOf } from "./category.ts";
import type { OnestepaiClient } from "./client.ts";
import type { OnestepaiConfig } from "./config.ts";

/** The id of the category that a record gets: out of the config, the book, or made on the platform. */
export class Categories {
  readonly #config: Pick<OnestepaiConfig, "category" | "createCategories" | "datasetId" | "minScore">;
  readonly #client: OnestepaiClient;
  readonly #book: OnestepaiBook;
  readonly #configured: ReadonlyMap<string, string>;

  constructor(
    config: Pick<OnestepaiConfig, "category" | "createCategories" | "datasetId" | "minScore">,
    client: OnestepaiClient,
    book: OnestepaiBook,
  ) {
    this.#config = config;
    this.#client = client;
    this.#book = book;
    const { ids } = config.category;
    this.#configured = new Map(Object.entries(ids).map(([name, id]) => [categoryName(name), String(id)]));
  }

  /** Fails with `PLATFORM_CATEGORY` where the name is not to be had: a record must not go under another one. */
  async idFor(draft: RecordDraft, signal: AbortSignal): Promise<string> {
    const category = categoryOf(draft, this.#config.category, this.#config.minScore);
    if (category.kind === "id") return category.id;
    const { name } = category;
    const datasetId = String(this.#config.datasetId);
    const known = this.#configured.get(name) ?? (await this.#book.categoryId(datasetId, name));
    if (known !== undefined) return known;
    if (!this.#config.createCategories) throw noCategory(`the category "${name}" has no id, and none may be created`);
    const id = await this.#client.createCategory(datasetId, name, signal).catch((error: unknown) => {
      throw creationError(error, name);
    });
    await this.#book.setCategory(datasetId, name, id);
    return id;
  }
}

/** A second category of one name may well be what is refused, and there is no list to find the first one in. */
function creationError(error: unknown, name: string): unknown {
  if (!(error instanceof AgentError) || outcomeOf(error).kind !== "rejected") return error;
  return noCategory(`the category "${name}" cannot be created; if it exists, set its id in category.ids`, error);
}

function noCategory(message: string, cause?: AgentError): AgentError {
  const why = cause === undefined ? message : `${message}: ${cause.message}`;
  return new AgentError("PLATFORM_CATEGORY", why, { disposition: "retry", cause });
}
