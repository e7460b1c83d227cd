import { join } from "node:path";
import { discoveryLimits } from "../../core/remote-limits.ts";
import { StateFile } from "../../state/state-file.ts";
import { isObject } from "../reply.ts";

/**
 * What lies at the broker for Home Assistant, on disk: a kept message stays there for ever, so what is not wanted any more
 * has to be taken away by whoever knows of it.
 */
export interface Published {
  /** Topics of discovery messages, with the platform of each entity by its key. More than one after the prefix changed. */
  readonly configs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Topics of states and pictures. */
  readonly topics: readonly string[];
}

export const nothingPublished: Published = { configs: {}, topics: [] };

export class PublishedFile {
  readonly #path: string;
  #file: StateFile<Published> | undefined;

  constructor(stateFolder: string) {
    this.#path = join(stateFolder, "discovery.json");
  }

  /** Fails with `STATE_…`. */
  async open(): Promise<void> {
    this.#file ??= await StateFile.open<Published>({
      path: this.#path,
      version: 1,
      bytesMax: discoveryLimits.publishedFileBytesMax,
      parse: parsePublished,
      initial: () => nothingPublished,
    });
  }

  read(): Published {
    return this.#file?.read() ?? nothingPublished;
  }

  /** Writes nothing where nothing is new. */
  async note(published: Published): Promise<void> {
    if (JSON.stringify(published) === JSON.stringify(this.read())) return;
    await this.#file?.update(() => published);
  }
}

/** What lies at the broker while the one is being replaced by the other. */
export function both(before: Published, wanted: Published): Published {
  const configs: Record<string, Readonly<Record<string, string>>> = { ...before.configs };
  for (const [topic, components] of Object.entries(wanted.configs)) {
    // An entity whose platform changes has to go as the old one first.
    configs[topic] = { ...components, ...before.configs[topic] };
  }
  return { configs, topics: [...new Set([...before.topics, ...wanted.topics])] };
}

/** Of one discovery message: what was announced and is not to be, by key. */
export function goneFrom(
  before: Readonly<Record<string, string>> = {},
  wanted: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(before).filter(([key, platform]) => wanted[key] !== platform));
}

function parsePublished(value: unknown): Published {
  if (!isObject(value) || !isObject(value["configs"]) || !Array.isArray(value["topics"])) {
    throw new Error("it is no list of what was published");
  }
  const configs = Object.entries(value["configs"]).map(([topic, components]) => [topic, wordsOf(components)] as const);
  const topics = value["topics"].filter((topic) => typeof topic === "string");
  return { configs: Object.fromEntries(configs), topics };
}

function wordsOf(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) throw new Error("a discovery message has no entities");
  const words: Record<string, string> = {};
  for (const [key, word] of Object.entries(value)) if (typeof word === "string") words[key] = word;
  return words;
}
