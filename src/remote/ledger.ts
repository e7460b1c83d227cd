import { join } from "node:path";
import { remoteLimits } from "../core/limits.ts";
import { StateFile } from "../state/state-file.ts";
import { isObject, type Answer } from "./reply.ts";

/**
 * What came of the latest requests with effects, on disk: `started` is written before the effect and `done` after it. So a
 * request that comes again is answered and not run again, also after a crash in between.
 */

/** Where a reply goes. */
export interface ReplyAddress {
  readonly command: string;
  /** MQTT 5, allowed already. The device's own topic when absent. */
  readonly responseTopic?: string;
  readonly correlationData?: Buffer;
}

export interface Entry {
  readonly id: string;
  /** Of the key that signed it; ids of two keys are two ids. */
  readonly key?: string;
  readonly address: ReplyAddress;
  /** Tells whether a request with the same id is the same one. */
  readonly digest: string;
  /** Absent: started and not done. */
  readonly answer?: Answer;
  /** The broker has taken the final reply. */
  readonly replied: boolean;
}

interface Kept {
  readonly entries: readonly Entry[];
}

export class Ledger {
  readonly #path: string;
  #file: StateFile<Kept> | undefined;

  constructor(stateFolder: string) {
    this.#path = join(stateFolder, "commands.json");
  }

  /** Fails with `STATE_…`. Resolves with what was left: requests that were started and not done, and replies not sent. */
  async open(): Promise<readonly Entry[]> {
    this.#file = await StateFile.open<Kept>({
      path: this.#path,
      version: 1,
      bytesMax: remoteLimits.resultsFileBytesMax,
      parse: parseKept,
      initial: () => ({ entries: [] }),
    });
    return this.#entries().filter(({ replied }) => !replied);
  }

  find(id: string, key: string | undefined): Entry | undefined {
    return this.#entries().find((entry) => entry.id === id && entry.key === key);
  }

  /** Resolves when it survives a power cut. */
  async start(entry: Entry): Promise<void> {
    await this.#update((entries) => [...entries, entry].slice(-remoteLimits.resultsMax));
  }

  async done(entry: Entry, answer: Answer): Promise<void> {
    const kept = briefly(answer);
    await this.#change(entry, (found) => ({ ...found, answer: kept }));
  }

  async replied(entry: Entry): Promise<void> {
    await this.#change(entry, (found) => ({ ...found, replied: true }));
  }

  #entries(): readonly Entry[] {
    return this.#file?.read().entries ?? [];
  }

  async #change({ id, key }: Entry, change: (entry: Entry) => Entry): Promise<void> {
    await this.#update((entries) =>
      entries.map((entry) => (entry.id === id && entry.key === key ? change(entry) : entry)),
    );
  }

  async #update(change: (entries: readonly Entry[]) => readonly Entry[]): Promise<void> {
    await this.#file?.update(({ entries }) => ({ entries: change(entries) }));
  }
}

/** Whole where it is short: what a duplicate gets is the first answer, at the least its state and code. */
function briefly(answer: Answer): Answer {
  if (Buffer.byteLength(JSON.stringify(answer)) <= remoteLimits.resultBytesMax) return answer;
  const { state, code, error, message } = answer;
  return {
    ...{ state, code },
    ...(error === undefined ? {} : { error }),
    ...(message === undefined ? {} : { message: message.slice(0, remoteLimits.messageCharsMax) }),
    data: { leftOut: true },
  };
}

function parseKept(value: unknown): Kept {
  if (!isObject(value) || !Array.isArray(value["entries"])) throw new Error("it is no list of results");
  return { entries: value["entries"].map(parseEntry) };
}

function parseEntry(value: unknown): Entry {
  if (!isObject(value)) throw new Error("a result is no object");
  const { id, key, address, digest, answer, replied } = value;
  if (typeof id !== "string" || typeof digest !== "string" || typeof replied !== "boolean") {
    throw new Error("a result lacks its id");
  }
  return {
    ...{ id, digest, replied, address: parseAddress(address) },
    ...(typeof key === "string" ? { key } : {}),
    // Written by this program, whose parser of answers its own schema is not.
    ...(isObject(answer) ? { answer: answer as unknown as Answer } : {}),
  };
}

function parseAddress(value: unknown): ReplyAddress {
  if (!isObject(value) || typeof value["command"] !== "string") throw new Error("a result has no address");
  const { command, responseTopic, correlationData } = value;
  return {
    command,
    ...(typeof responseTopic === "string" ? { responseTopic } : {}),
    ...(isObject(correlationData) && Array.isArray(correlationData["data"])
      ? { correlationData: Buffer.from(correlationData["data"] as readonly number[]) }
      : {}),
  };
}
