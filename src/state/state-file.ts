import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Adapter, Low } from "lowdb";
import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { stateLimits } from "../core/limits.ts";

/**
 * A small JSON file that survives a power cut: lowdb over an adapter that writes temp → fsync → rename → fsync of the
 * folder, because lowdb's own renames without any fsync. The version before the last is kept as `.bak`.
 *
 * A file that exists but cannot be read is never replaced by defaults: its `.bak` is used, and where that is no good
 * either, opening fails. Only what was never there starts fresh.
 *
 * Several processes may open one at a time, as a command beside the daemon does: each writes a temporary file of its
 * own, and of two that start fresh one finds what the other wrote. The last of two changes wins.
 *
 * For state of a few kilobytes that changes a few times a minute: every update rewrites the whole file.
 */
export interface StateFileOptions<T> {
  readonly path: string;
  /** Of the content's form. A file with a higher one is refused. */
  readonly version: number;
  readonly bytesMax: number;
  /** Throws when `value` is no state; `version` is the file's, at most the current one. */
  readonly parse: (value: unknown, version: number) => T;
  /** The state of an installation that never had the file. */
  readonly initial: () => T;
}

export class StateFile<T extends object> {
  readonly #options: StateFileOptions<T>;
  readonly #low: Low<T>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: StateFileOptions<T>, low: Low<T>) {
    this.#options = options;
    this.#low = low;
  }

  /** Fails with `STATE_UNREADABLE` or `STATE_VERSION_UNKNOWN`, both for a person to mend. */
  static async open<T extends object>(options: StateFileOptions<T>): Promise<StateFile<T>> {
    const adapter = new DurableJson(options);
    const low = new Low<T>(adapter, options.initial());
    await low.read();
    if (!adapter.found) await firstWrite(adapter, low, options.path);
    return new StateFile(options, low);
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
async function firstWrite<T>(adapter: DurableJson<T>, low: Low<T>, path: string): Promise<void> {
  try {
    if (!(await adapter.create(low.data))) await low.read();
  } catch (error) {
    throw error instanceof AgentError ? error : stateError("STATE_UNWRITABLE", `write ${path}`, error);
  }
}

type Loaded<T> = { readonly kind: "state"; readonly state: T } | { readonly kind: "absent" };

class DurableJson<T> implements Adapter<T> {
  readonly #options: StateFileOptions<T>;
  readonly #backup: string;
  #found = false;

  constructor(options: StateFileOptions<T>) {
    this.#options = options;
    this.#backup = `${options.path}.bak`;
  }

  get found(): boolean {
    return this.#found;
  }

  async read(): Promise<T | null> {
    const state = await this.#readEither();
    this.#found = state !== null;
    return state;
  }

  async write(state: T): Promise<void> {
    const { path } = this.#options;
    const temporary = await this.#writeTemporary(state);
    await removeFolder(this.#backup);
    await keepAs(path, this.#backup);
    await rename(temporary, path);
    await flushFolder(dirname(path));
  }

  /** False where there is one by now. */
  async create(state: T): Promise<boolean> {
    const { path } = this.#options;
    const temporary = await this.#writeTemporary(state);
    const created = await linkUnlessThere(temporary, path);
    await flushFolder(dirname(path));
    return created;
  }

  async #writeTemporary(state: T): Promise<string> {
    const { path, version, bytesMax } = this.#options;
    const text = `${JSON.stringify({ version, state }, undefined, 2)}\n`;
    if (Buffer.byteLength(text) > bytesMax) throw new Error(`it would take more than ${bytesMax} bytes`);
    await mkdir(dirname(path), { recursive: true });
    await removeLeftovers(path);
    const temporary = `${path}.${randomUUID()}.tmp`;
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return temporary;
  }

  async #readEither(): Promise<T | null> {
    const { path } = this.#options;
    try {
      const main = await this.#load(path);
      if (main.kind === "state") return main.state;
      // Between the two renames of a write only the backup exists.
      const backup = await this.#load(this.#backup);
      return backup.kind === "state" ? backup.state : null;
    } catch (error) {
      if (error instanceof AgentError) throw error;
      return await this.#backupInsteadOf(error);
    }
  }

  async #backupInsteadOf(cause: unknown): Promise<T> {
    const { path } = this.#options;
    try {
      const backup = await this.#load(this.#backup);
      if (backup.kind === "state") {
        // Out of the way, or the next write would make the damaged file the backup.
        await rm(`${path}.damaged`, { recursive: true, force: true });
        await rename(path, `${path}.damaged`);
        return backup.state;
      }
    } catch (error) {
      if (error instanceof AgentError) throw error;
    }
    throw stateError("STATE_UNREADABLE", `read ${path}, which has no good ${this.#backup}`, cause);
  }

  async #load(path: string): Promise<Loaded<T>> {
    let text: string;
    try {
      const { size } = await stat(path);
      if (size > this.#options.bytesMax) throw new Error(`it has ${size} bytes`);
      text = await readFile(path, "utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return { kind: "absent" };
      throw error;
    }
    const { version, state } = envelopeOf(JSON.parse(text));
    if (version > this.#options.version) {
      const message = `read ${path}: a newer version wrote it (${version}, this one knows ${this.#options.version})`;
      throw new AgentError("STATE_VERSION_UNKNOWN", message, { disposition: "fatal" });
    }
    return { kind: "state", state: this.#options.parse(state, version) };
  }
}

function envelopeOf(value: unknown): { readonly version: number; readonly state: unknown } {
  if (typeof value !== "object" || value === null || !("version" in value) || !("state" in value)) {
    throw new Error("it is no state file");
  }
  const { version, state } = value;
  if (!Number.isInteger(version) || typeof version !== "number" || version < 1) throw new Error("it has no version");
  return { version, state };
}

function stateError(code: string, attempted: string, cause: unknown): AgentError {
  return new AgentError(code, `${attempted}: ${messageOf(cause)}`, { disposition: "fatal", cause });
}

/** Temporary files of processes that were killed; those of one that is writing are young. */
async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  const isOurs = (name: string) => name.startsWith(`${basename(path)}.`) && name.endsWith(".tmp");
  for (const name of (await readdir(folder)).filter(isOurs)) {
    const file = join(folder, name);
    const facts = await stat(file).catch(() => undefined);
    if (facts === undefined || Math.abs(Date.now() - facts.mtimeMs) < stateLimits.leftoverAfterMs) continue;
    await rm(file, { recursive: true, force: true });
  }
}

/** A rename would replace what another process wrote. Some file systems have no links: there nobody else is expected. */
async function linkUnlessThere(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") {
      await rename(from, to);
      return true;
    }
    await rm(from);
    return false;
  }
  await rm(from);
  return true;
}

async function removeFolder(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) await rm(path, { recursive: true });
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/**
 * `from` stays in its place meanwhile: another process that starts fresh must not find it free and put a state of its own
 * there. Where there are no links it is moved, and nobody else is expected.
 */
async function keepAs(from: string, to: string): Promise<void> {
  const spare = `${to}.${randomUUID()}.tmp`;
  try {
    await link(from, spare);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") await rename(from, to);
    return;
  }
  await rename(spare, to);
  // Of two names of one file a rename leaves both.
  await rm(spare, { force: true });
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
