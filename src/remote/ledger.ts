import { join } from "node:path";
import type { Seams } from "../core/ports.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import { StateFile } from "../state/state-file.ts";
import { type Books, parseBooks, parseEntry, writtenEntry } from "./ledger-file.ts";
import { briefly, type Answer, type ReplyAddress } from "./reply.ts";

/**
 * What came of the latest requests with effects, on disk: `started` is written before the effect and `done` after it. So a
 * request that comes again is answered and not run again, also after a crash in between. Beside it stand the counters of
 * keys, so that a signed request that was heard is never new again.
 */

/** Somebody to whom the final reply is owed: until the broker has taken it. */
export interface Waiting {
  readonly address: ReplyAddress;
  /** It sent the request when that was under way already. */
  readonly duplicate?: true;
}

export interface Entry {
  readonly id: string;
  /** Of the key that signed it; ids of two keys are two ids. */
  readonly key?: string;
  readonly command: string;
  /** Tells whether a request with the same id is the same one. */
  readonly digest: string;
  readonly waiting: readonly Waiting[];
  /** Of a command that may be run again after a crash. */
  readonly args?: object;
  /** Absent: started and not done. */
  readonly answer?: Answer;
}

/** The last signed request of a key. */
export interface Counter {
  readonly seq: number;
  /** Empty where nobody knows it any more. */
  readonly digest: string;
}

export interface LedgerOptions {
  readonly stateFolder: string;
  /** Ids of all who may sign. */
  readonly keys: readonly string[];
}

/** Ids of two keys are two requests. No key has a space in it. */
export function nameOf({ id, key }: Pick<Entry, "id" | "key">): string {
  return key === undefined ? id : `${key} ${id}`;
}

export class Ledger {
  readonly #path: string;
  readonly #keys: readonly string[];
  readonly #seams: Pick<Seams, "clock" | "log">;
  /** By name, oldest first. */
  readonly #entries = new Map<string, Entry>();
  /** By key, the one that was used last at the end. */
  readonly #counters = new Map<string, Counter>();
  #file: StateFile<Books> | undefined;
  #isWritten = true;
  #nextWrite: Promise<void> | undefined;
  #lastWrite: Promise<void> = Promise.resolve();

  constructor({ stateFolder, keys }: LedgerOptions, seams: Pick<Seams, "clock" | "log">) {
    this.#path = join(stateFolder, "commands.json");
    this.#keys = keys;
    this.#seams = seams;
  }

  /**
   * Fails with `STATE_…`. Resolves with what was left: requests that were started and not done, and replies not sent. A
   * file that cannot be read is set aside, which is told: a device that captures and sends is worth more than its memory
   * of requests. What was signed before by the device's clock is not taken for new then.
   */
  async open(): Promise<readonly Entry[]> {
    this.#file = await StateFile.open<Books>({
      path: this.#path,
      version: 1,
      bytesMax: remoteLimits.resultsFileBytesMax,
      parse: parseBooks,
      initial: (isSetAside) => ({ entries: [], counters: isSetAside ? this.#countersFromNow() : {} }),
      onSetAside: ({ code, message }) => this.#seams.log.error("remote.ledger_lost", { code, message }),
    });
    const { entries: texts, counters } = this.#file.read();
    const entries = texts.map(parseEntry);
    this.#entries.clear();
    this.#counters.clear();
    for (const entry of entries) this.#entries.set(nameOf(entry), entry);
    for (const [key, counter] of Object.entries(counters)) this.#counters.set(key, counter);
    return entries.filter((entry) => !isSettled(entry));
  }

  find(request: Pick<Entry, "id" | "key">): Entry | undefined {
    return this.#entries.get(nameOf(request));
  }

  /**
   * Resolves when it survives a power cut, with everything that was noted before. When it fails nothing was started, and
   * it is taken from the disk again, where a flush that failed may have left it for the next start to answer.
   */
  async start(entry: Entry): Promise<void> {
    const name = nameOf(entry);
    this.#entries.set(name, entry);
    this.#makeRoom();
    try {
      await this.#write();
    } catch (error) {
      this.#entries.delete(name);
      // A disk that refuses this too is written over by whatever is written next.
      await this.#write().catch(() => undefined);
      throw error;
    }
  }

  /**
   * Undefined where the entry has an answer by now, or too many wait for it. Otherwise it holds from the call on, and
   * survives a power cut once it resolves.
   */
  follow(entry: Pick<Entry, "id" | "key">, address: ReplyAddress): Promise<void> | undefined {
    const found = this.find(entry);
    if (found === undefined || found.answer !== undefined) return undefined;
    if (found.waiting.length > remoteLimits.followersMax) return undefined;
    this.#entries.set(nameOf(found), { ...found, waiting: [...found.waiting, { address, duplicate: true }] });
    return this.#write();
  }

  /** Holds from the call on, and survives a power cut once it resolves: a failure leaves it to the next write. */
  async done(entry: Pick<Entry, "id" | "key">, answer: Answer): Promise<void> {
    const found = this.find(entry);
    if (found === undefined) return;
    const { id, key, command, digest, waiting } = found;
    this.#entries.set(nameOf(found), {
      ...{ id, command, digest, waiting, answer: briefly(answer, remoteLimits.resultBytesMax) },
      ...(key === undefined ? {} : { key }),
    });
    await this.#write();
  }

  /** The broker has taken the final reply to this one. */
  async replied(entry: Pick<Entry, "id" | "key">, waiting: Waiting): Promise<void> {
    const found = this.find(entry);
    if (found === undefined) return;
    this.#entries.set(nameOf(found), { ...found, waiting: found.waiting.filter((each) => each !== waiting) });
    await this.#write();
  }

  lastOf(key: string): Counter | undefined {
    return this.#counters.get(key);
  }

  /** Holds from the call on, and is written with whatever is written next, or by `flush`. */
  count(key: string, counter: Counter): void {
    this.#counters.delete(key);
    this.#counters.set(key, counter);
    for (const oldest of this.#counters.keys()) {
      if (this.#counters.size <= remoteLimits.countersMax) break;
      this.#counters.delete(oldest);
    }
    this.#isWritten = false;
  }

  /** Resolves when everything that was noted survives a power cut. */
  async flush(): Promise<void> {
    await (this.#isWritten ? this.#lastWrite : this.#write());
  }

  /** Signers count in milliseconds of their clock: see `nextSeq`. */
  #countersFromNow(): Books["counters"] {
    const counter = { seq: Math.floor(this.#seams.clock.nowMs()), digest: "" };
    return Object.fromEntries(this.#keys.map((key) => [key, counter]));
  }

  /** Changes that come while a write is under way share the next one. */
  #write(): Promise<void> {
    this.#isWritten = false;
    this.#nextWrite ??= this.#writeAll();
    this.#lastWrite = this.#nextWrite;
    return this.#nextWrite;
  }

  async #writeAll(): Promise<void> {
    try {
      await this.#file?.update(() => {
        this.#nextWrite = undefined;
        this.#isWritten = true;
        const entries = [...this.#entries.values()].map(writtenEntry);
        return { entries, counters: Object.fromEntries(this.#counters) };
      });
    } catch (error) {
      this.#isWritten = false;
      throw error;
    }
  }

  /** What is under way is never forgotten; it is bounded elsewhere. */
  #makeRoom(): void {
    while (this.#entries.size > remoteLimits.resultsMax) {
      const entries = [...this.#entries.values()];
      const oldest = entries.find(isSettled) ?? entries.find(({ answer }) => answer !== undefined);
      if (oldest === undefined) return;
      this.#entries.delete(nameOf(oldest));
    }
  }
}

function isSettled({ answer, waiting }: Entry): boolean {
  return answer !== undefined && waiting.length === 0;
}
