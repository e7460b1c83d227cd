import { remoLimits } from "../../core/platform-limits.ts";
import type { TargetMemory } from "../../core/ports.ts";
import { isObject } from "../json.ts";

/** An upload session and the file names of the records that went into it. */
export interface JournalledSession {
  readonly id: string;
  /** Sent, with their annotations in the session's CSV; of a session that a crash cut short, perhaps not. */
  readonly names: readonly string[];
  /** Their request failed, so that nobody knows whether they arrived. Not in the CSV. */
  readonly doubtful: readonly string[];
  /** Names of files that the session was sent are no longer here: its counts say nothing about those that are. */
  readonly isPartial: boolean;
}

/**
 * The newest sessions, kept over a restart. A session is written down before the first file is sent, and stays until newer
 * ones need its place: whoever is delivered again after a crash, or after an answer that was lost, is looked up in its
 * session and not sent twice.
 */
export class RemoJournal {
  readonly #memory: TargetMemory;
  readonly #place: string;
  #sessions: readonly JournalledSession[] | undefined;
  /** Known to have ended; the others may still be worked on. */
  readonly #finished = new Set<string>();

  /** `place`: server and dataset. Sessions of another one say nothing here. */
  constructor(memory: TargetMemory, place: string) {
    this.#memory = memory;
    this.#place = place;
  }

  /** Reads it at the first use. What is no journal counts as none. */
  async sessions(): Promise<readonly JournalledSession[]> {
    this.#sessions ??= parsed(await this.#memory.read(), this.#place);
    return this.#sessions;
  }

  async sessionOf(name: string): Promise<JournalledSession | undefined> {
    const sessions = await this.sessions();
    return sessions.find(({ names, doubtful }) => names.includes(name) || doubtful.includes(name));
  }

  finished(id: string): void {
    this.#finished.add(id);
  }

  /** Those that may still be worked on, where they leave no place for another. */
  async unfinishedWhenFull(): Promise<readonly JournalledSession[]> {
    const unfinished = (await this.sessions()).filter(({ id }) => !this.#finished.has(id));
    return unfinished.length < remoLimits.sessionsMax ? [] : unfinished;
  }

  /** In the place of the oldest one that has ended. */
  async add(id: string, names: readonly string[]): Promise<void> {
    const kept = [...(await this.#without(names, true))];
    while (kept.length >= remoLimits.sessionsMax) {
      const at = kept.findIndex((session) => this.#finished.has(session.id));
      kept.splice(Math.max(0, at), 1);
    }
    await this.#write([...kept, { id, names, doubtful: [], isPartial: false }]);
  }

  async doubt(id: string, doubted: readonly string[]): Promise<void> {
    const sessions = (await this.sessions()).map((session) =>
      session.id !== id
        ? session
        : {
            ...session,
            names: session.names.filter((name) => !doubted.includes(name)),
            doubtful: [...session.doubtful, ...doubted],
          },
    );
    await this.#write(sessions);
  }

  /** These never reached their session. */
  async withdraw(names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.#write(await this.#without(names, false));
  }

  /** These are to be sent again, in another session. */
  async release(names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.#write(await this.#without(names, true));
  }

  async #without(names: readonly string[], wereSent: boolean): Promise<readonly JournalledSession[]> {
    const others = (name: string): boolean => !names.includes(name);
    const sessions = (await this.sessions()).map((session) => {
      const [left, doubtful] = [session.names.filter(others), session.doubtful.filter(others)];
      const fewer = left.length + doubtful.length < session.names.length + session.doubtful.length;
      return { id: session.id, names: left, doubtful, isPartial: session.isPartial || (wereSent && fewer) };
    });
    return sessions.filter(({ names: left, doubtful }) => left.length + doubtful.length > 0);
  }

  async #write(sessions: readonly JournalledSession[]): Promise<void> {
    await this.#memory.write({ place: this.#place, sessions });
    this.#sessions = sessions;
    for (const id of this.#finished) if (!sessions.some((session) => session.id === id)) this.#finished.delete(id);
  }
}

function parsed(value: unknown, place: string): readonly JournalledSession[] {
  const sessions = isObject(value) && value["place"] === place ? value["sessions"] : undefined;
  if (!Array.isArray(sessions)) return [];
  const good = sessions.flatMap((item: unknown) => {
    if (!isObject(item)) return [];
    const { id } = item;
    if (typeof id !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(id)) return [];
    return [
      {
        id,
        names: textsOf(item["names"]),
        doubtful: textsOf(item["doubtful"]),
        isPartial: item["isPartial"] !== false,
      },
    ];
  });
  return good.slice(-remoLimits.sessionsMax);
}

function textsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  const texts = value.filter((item): item is string => typeof item === "string");
  return texts.slice(0, remoLimits.recordsPerSessionMax);
}
