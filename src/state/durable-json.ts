import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Adapter } from "lowdb";
import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { stateLimits } from "../core/limits.ts";

export interface JsonForm<T> {
  readonly version: number;
  readonly bytesMax: number;
  readonly parse: (value: unknown, version: number) => T;
}

export type Loaded<T> =
  | { readonly kind: "state"; readonly state: T }
  | { readonly kind: "absent" }
  /** A later version of the program wrote it; `content` is what it holds, unread. */
  | { readonly kind: "newer"; readonly version: number; readonly content: unknown };

/** One file and its `.bak`, written temp → fsync → rename → fsync of the folder. */
export class DurableJson<T> implements Adapter<T> {
  readonly path: string;
  readonly #form: JsonForm<T>;
  readonly #backup: string;
  readonly #replaces: readonly string[];

  /** `replaces`: files whose content is in the state; they go once it is written. */
  constructor(path: string, form: JsonForm<T>, replaces: readonly string[] = []) {
    this.path = path;
    this.#form = form;
    this.#backup = `${path}.bak`;
    this.#replaces = replaces;
  }

  async read(): Promise<T | null> {
    const loaded = await this.load();
    return loaded.kind === "state" ? loaded.state : null;
  }

  /** Fails with `STATE_UNREADABLE`. */
  async load(): Promise<Loaded<T>> {
    try {
      const main = await this.#load(this.path);
      if (main.kind !== "absent") return main;
      // Between the two renames of a write only the backup exists.
      return await this.#load(this.#backup);
    } catch (error) {
      return await this.#backupInsteadOf(error);
    }
  }

  async write(state: T): Promise<void> {
    const { path } = this;
    const temporary = await this.#writeTemporary(state);
    await removeFolder(this.#backup);
    await keepAs(path, this.#backup);
    await rename(temporary, path);
    await flushFolder(dirname(path));
    for (const old of this.#replaces.flatMap((each) => [each, `${each}.bak`])) await rm(old, { force: true });
  }

  /** Out of the way of a new one, for a person to look at: what cannot be read, and its backup. */
  async setAside(): Promise<void> {
    for (const path of [this.path, this.#backup]) {
      await rm(`${path}.damaged`, { recursive: true, force: true });
      await rename(path, `${path}.damaged`).catch((error: unknown) => {
        if (errnoOf(error) !== "ENOENT") throw error;
      });
    }
    await flushFolder(dirname(this.path));
  }

  /** False where there is one by now. */
  async create(state: T): Promise<boolean> {
    const { path } = this;
    const temporary = await this.#writeTemporary(state);
    const created = await linkUnlessThere(temporary, path);
    await flushFolder(dirname(path));
    return created;
  }

  async #writeTemporary(state: T): Promise<string> {
    const { version, bytesMax } = this.#form;
    const { path } = this;
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

  async #backupInsteadOf(cause: unknown): Promise<Loaded<T>> {
    const { path } = this;
    try {
      const backup = await this.#load(this.#backup);
      if (backup.kind === "state") {
        // Out of the way, or the next write would make the damaged file the backup.
        await rm(`${path}.damaged`, { recursive: true, force: true });
        await rename(path, `${path}.damaged`);
      }
      if (backup.kind !== "absent") return backup;
    } catch {
      // What is wrong with the file itself says more.
    }
    throw stateError("STATE_UNREADABLE", `read ${path}, which has no good ${this.#backup}`, cause);
  }

  async #load(path: string): Promise<Loaded<T>> {
    const { bytesMax, version: known, parse } = this.#form;
    let text: string;
    try {
      const { size } = await stat(path);
      if (size > bytesMax * stateLimits.newerBytesFactor) throw new Error(`it has ${size} bytes`);
      text = await readFile(path, "utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return { kind: "absent" };
      throw error;
    }
    const { version, state } = envelopeOf(JSON.parse(text));
    if (version > known) return { kind: "newer", version, content: state };
    const sizeBytes = Buffer.byteLength(text);
    if (sizeBytes > bytesMax) throw new Error(`it has ${sizeBytes} bytes`);
    return { kind: "state", state: parse(state, version) };
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

export function stateError(code: string, attempted: string, cause: unknown): AgentError {
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
