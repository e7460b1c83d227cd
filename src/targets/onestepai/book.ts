import { onestepaiLimits } from "../../core/platform-limits.ts";
import type { TargetMemory } from "../../core/ports.ts";
import { isObject } from "../json.ts";

/** An upload that holds, or held, a dataset's lock. */
export interface OpenUpload {
  readonly datasetId: string;
  readonly uploadId: string;
  /** Wall clock: for a person who looks into the file. */
  readonly startedAt: string;
}

interface KnownCategory {
  readonly datasetId: string;
  readonly name: string;
  readonly id: string;
}

interface Page {
  readonly upload: OpenUpload | undefined;
  /** Oldest first. */
  readonly categories: readonly KnownCategory[];
}

/**
 * What has to be known after a restart: the upload that is open, and the ids of categories, which the platform has no
 * list of. A page of another server is no use. One that cannot be written is kept here alone: a full disk must not keep
 * records from leaving it, and all that is lost by a crash then is time and a name.
 */
export class OnestepaiBook {
  readonly #memory: TargetMemory;
  readonly #url: string;
  #page: Page | undefined;

  constructor(memory: TargetMemory, url: string) {
    this.#memory = memory;
    this.#url = url;
  }

  /** Fails with `STATE_…` while what is there cannot be read. */
  async upload(): Promise<OpenUpload | undefined> {
    return (await this.#read()).upload;
  }

  /** Undefined once it is over. */
  async setUpload(upload: OpenUpload | undefined): Promise<void> {
    await this.#write({ ...(await this.#read()), upload });
  }

  async categoryId(datasetId: string, name: string): Promise<string | undefined> {
    const { categories } = await this.#read();
    return categories.find((known) => known.datasetId === datasetId && known.name === name)?.id;
  }

  async setCategory(datasetId: string, name: string, id: string): Promise<void> {
    const page = await this.#read();
    let categories = [...page.categories, { datasetId, name, id }];
    while (Buffer.byteLength(JSON.stringify(categories)) > onestepaiLimits.memoryBytesMax) {
      categories = categories.slice(1);
    }
    await this.#write({ ...page, categories });
  }

  async #read(): Promise<Page> {
    this.#page ??= parsePage(await this.#memory.read(), this.#url);
    return this.#page;
  }

  async #write(page: Page): Promise<void> {
    this.#page = page;
    const { upload, categories } = page;
    await this.#memory
      .write({ url: this.#url, ...(upload === undefined ? {} : { upload }), categories })
      .catch(keptHere);
  }
}

function keptHere(): void {
  // The class says why.
}

/** What is no page of this server is as good as none. */
function parsePage(value: unknown, url: string): Page {
  if (!isObject(value) || value["url"] !== url) return { upload: undefined, categories: [] };
  const { upload, categories } = value;
  return {
    upload: isUpload(upload) ? upload : undefined,
    categories: Array.isArray(categories) ? categories.filter(isKnownCategory) : [],
  };
}

function isUpload(value: unknown): value is OpenUpload {
  return isObject(value) && hasTexts(value, ["datasetId", "uploadId", "startedAt"]);
}

function isKnownCategory(value: unknown): value is KnownCategory {
  return isObject(value) && hasTexts(value, ["datasetId", "name", "id"]);
}

function hasTexts(value: Readonly<Record<string, unknown>>, keys: readonly string[]): boolean {
  return keys.every((key) => typeof value[key] === "string" && value[key] !== "");
}
