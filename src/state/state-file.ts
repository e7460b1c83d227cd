import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Low } from "lowdb";
import { AgentError, errnoOf, isForWantOfRoom } from "../core/errors.ts";
import { DurableJson, stateError, type JsonForm, type Loaded } from "./durable-json.ts";

/**
 * A small JSON file that survives a power cut: lowdb over an adapter of our own, because lowdb's renames without any
 * fsync. The version before the last is kept as `.bak`.
 *
 * A file that exists but cannot be read is never replaced by defaults: its `.bak` is used, and where that is no good
 * either, opening fails. Only what was never there starts fresh, and what is worth less than the work of its device.
 *
 * What a newer version of the program wrote is left as it is, for the day that version is back: `name.json` of version 3
 * stays, and version 2 works on `name.v2.json` beside it, beginning with whatever it understands of the other. The newer
 * version then finds the file beside its own, which is the later of the two, takes its content over and removes it.
 *
 * Several processes may open one at a time, as a command beside the daemon does: each writes a temporary file of its
 * own, and of two that start fresh one finds what the other wrote. The last of two changes wins.
 *
 * For state of a few kilobytes that changes a few times a minute: every update rewrites the whole file.
 */
export interface StateFileOptions<T> {
  readonly path: string;
  /** Of the content's form. It goes up when an older program could not read the content, or would drop some that counts. */
  readonly version: number;
  readonly bytesMax: number;
  /** Throws when `value` is no state; `version` is the file's, at most the current one. */
  readonly parse: (value: unknown, version: number) => T;
  /** The state of an installation that never had the file, or of one whose file has just been set aside. */
  readonly initial: (isSetAside: boolean) => T;
  /**
   * Opening fails, rather than start fresh, where a newer version's file says nothing that can be read here, and where
   * the disk does not take what is begun.
   */
  readonly irreplaceable?: boolean;
  /** Where it is given, a file that cannot be read is set aside, which this is told. */
  readonly onSetAside?: (error: AgentError) => void;
}

export class StateFile<T extends object> {
  readonly #options: StateFileOptions<T>;
  readonly #low: Low<T>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: StateFileOptions<T>, low: Low<T>) {
    this.#options = options;
    this.#low = low;
  }

  /**
   * Fails with `STATE_UNREADABLE` or `STATE_VERSION_UNKNOWN`, both for a person to mend. A full disk is no reason: what
   * begins fresh is on it with the first change that it takes.
   */
  static async open<T extends object>(options: StateFileOptions<T>): Promise<StateFile<T>> {
    const { adapter, state, damage } = await openLatest(options);
    if (damage !== undefined) options.onSetAside?.(damage);
    const low = new Low<T>(adapter, state ?? options.initial(damage !== undefined));
    if (state === undefined) await firstWrite(adapter, low, options, damage !== undefined);
    return new StateFile(options, low);
  }

  /** Without making a file where there is none. Fails as `open` does. */
  static async read<T extends object>(options: StateFileOptions<T>): Promise<T | undefined> {
    return (await openLatest(options)).state;
  }

  read(): T {
    return this.#low.data;
  }

  /** One after another. Resolves when the change survives a power cut; a failed one changes nothing. */
  async update(change: (current: T) => T): Promise<void> {
    const updated = this.#last.then(async () => {
      const before = this.#low.data;
      this.#low.data = change(before);
      try {
        await this.#low.write();
      } catch (error) {
        this.#low.data = before;
        throw stateError("STATE_UNWRITABLE", `write ${this.#options.path}`, error);
      }
    });
    this.#last = updated.catch(() => undefined);
    await updated;
  }
}

/** Another process that starts fresh at the same moment may have been quicker: then its state is the state. */
async function firstWrite<T>(
  adapter: DurableJson<T>,
  low: Low<T>,
  options: StateFileOptions<T>,
  overDamaged: boolean,
): Promise<void> {
  try {
    if (overDamaged) await adapter.writeOverDamaged(low.data);
    else if (!(await adapter.create(low.data))) await low.read();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    if (options.irreplaceable === true || !isForWantOfRoom(error))
      throw stateError("STATE_UNWRITABLE", `write ${options.path}`, error);
  }
}

interface Opened<T> {
  readonly adapter: DurableJson<T>;
  /** Undefined where there is no file at all, or none that can be read. */
  readonly state?: T;
  /** Why the file cannot be read, where that is no reason to fail. */
  readonly damage?: AgentError;
}

/** Of several versions' files the oldest is the latest: each newer one has taken over what it found, and removed it. */
async function openLatest<T>(options: StateFileOptions<T>): Promise<Opened<T>> {
  const main = new DurableJson(options.path, options);
  const loaded = await main.load().catch((error: unknown) => damageOf(options, error));
  const besides = await filesBeside(options.path);
  const readable = besides.filter(({ version }) => version <= options.version);
  const [latest] = readable;
  const found: Loaded<T> | Damaged = latest === undefined ? loaded : await new DurableJson(latest.path, options).load();
  const path = loaded.kind === "newer" ? pathBeside(options.path, options.version) : options.path;
  const replaces = readable.map((each) => each.path).filter((each) => each !== path);
  const adapter = new DurableJson(path, options, replaces);
  if (found.kind === "state") return { adapter, state: found.state };
  if (loaded.kind === "state") return { adapter, state: loaded.state };
  if (loaded.kind === "absent") return { adapter };
  if (loaded.kind === "damaged") return { adapter, damage: loaded.error };
  const newer = [...besides.filter(({ version }) => version > options.version), { path: options.path }];
  return { adapter, state: await understood(newer, options, loaded.version) };
}

interface Damaged {
  readonly kind: "damaged";
  readonly error: AgentError;
}

function damageOf<T>({ onSetAside }: StateFileOptions<T>, error: unknown): Damaged {
  if (onSetAside === undefined || !(error instanceof AgentError)) throw error;
  return { kind: "damaged", error };
}

/** What this version makes of the content of newer ones, the latest first. */
async function understood<T>(
  files: readonly { readonly path: string }[],
  { parse, version, bytesMax, path, initial, irreplaceable = false }: StateFileOptions<T>,
  newest: number,
): Promise<T> {
  for (const file of files) {
    const unread: JsonForm<never> = { version: 0, bytesMax, parse: refuse };
    const loaded: Loaded<never> = await new DurableJson(file.path, unread).load();
    if (loaded.kind !== "newer") continue;
    try {
      return parse(loaded.content, version);
    } catch {
      continue;
    }
  }
  if (!irreplaceable) return initial(false);
  const message = `read ${path}: a newer version wrote it (${newest}, this one knows ${version})`;
  throw new AgentError("STATE_VERSION_UNKNOWN", message, { disposition: "fatal" });
}

function refuse(): never {
  throw new Error("it is read elsewhere");
}

/** `name.v2.json` beside `name.json`. */
function pathBeside(path: string, version: number): string {
  return `${path.replace(/\.json$/, "")}.v${version}.json`;
}

/** Of the lowest version first. */
async function filesBeside(path: string): Promise<readonly { readonly path: string; readonly version: number }[]> {
  const stem = `${basename(path).replace(/\.json$/, "")}.v`;
  const names = await readdir(dirname(path)).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw stateError("STATE_UNREADABLE", `read the folder of ${path}`, error);
  });
  return names
    .filter((name) => name.startsWith(stem) && /^\d{1,9}\.json$/.test(name.slice(stem.length)))
    .map((name) => ({ path: join(dirname(path), name), version: Number(name.slice(stem.length, -".json".length)) }))
    .sort((a, b) => a.version - b.version);
}
