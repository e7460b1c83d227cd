import { remoteLimits } from "../core/remote-limits.ts";
import type { Counter, Entry, Waiting } from "./ledger.ts";
import { isObject, type Answer, type ReplyAddress } from "./reply.ts";

/** The ledger in its file. An entry is one text there, so that its size has a bound whatever its answer holds. */
export interface Books {
  readonly entries: readonly string[];
  readonly counters: Readonly<Record<string, Counter>>;
}

export function writtenEntry(entry: Entry): string {
  return JSON.stringify({ ...entry, waiting: entry.waiting.map(writtenWaiting) });
}

export function parseBooks(value: unknown): Books {
  if (!isObject(value) || !Array.isArray(value["entries"])) throw new Error("it is no list of results");
  const entries: readonly unknown[] = value["entries"];
  const texts = entries.map((each) => (typeof each === "string" ? each : JSON.stringify(each)));
  // Here, where a file that is no good is replaced by the one before.
  texts.forEach(parseEntry);
  return { entries: texts, counters: parseCounters(value["counters"]) };
}

export function parseEntry(text: string): Entry {
  const value: unknown = JSON.parse(text);
  if (!isObject(value)) throw new Error("a result is no object");
  const { id, key, command, digest, waiting, args, answer } = value;
  if (typeof id !== "string" || typeof digest !== "string" || typeof command !== "string" || !Array.isArray(waiting)) {
    throw new Error("a result lacks its id");
  }
  return {
    ...{ id, command, digest, waiting: waiting.map(parseWaiting) },
    ...(typeof key === "string" ? { key } : {}),
    ...(isObject(args) ? { args } : {}),
    // Written by this program, whose parser of answers its own schema is not.
    ...(isObject(answer) ? { answer: answer as unknown as Answer } : {}),
  };
}

/** What is longer is echoed while the process lives, and not after it. */
function writtenWaiting({ address, duplicate }: Waiting): object {
  const { correlationData, ...rest } = address;
  const isKept = correlationData !== undefined && correlationData.length <= remoteLimits.correlationBytesMax;
  return { ...rest, duplicate, ...(isKept ? { correlation: correlationData.toString("base64") } : {}) };
}

function parseWaiting(value: unknown): Waiting {
  if (!isObject(value) || typeof value["command"] !== "string") throw new Error("a result has no address");
  const { command, responseTopic, correlation, duplicate } = value;
  const address: ReplyAddress = {
    command,
    ...(typeof responseTopic === "string" ? { responseTopic } : {}),
    ...(typeof correlation === "string" ? { correlationData: Buffer.from(correlation, "base64") } : {}),
  };
  return { address, ...(duplicate === true ? { duplicate } : {}) };
}

/** One that cannot be read is no reason to take a key's old requests for new ones. */
function parseCounters(value: unknown): Readonly<Record<string, Counter>> {
  if (!isObject(value)) throw new Error("it has no counters");
  const counters = Object.entries(value).map(([key, counter]) => {
    if (!isObject(counter)) throw new Error("a counter is no object");
    const { seq, digest } = counter;
    if (typeof seq !== "number" || typeof digest !== "string") throw new Error("a counter has no number");
    return [key, { seq, digest }] as const;
  });
  return Object.fromEntries(counters);
}
