import { randomBytes } from "node:crypto";
import { lstat, mkdir, open, readdir, readlink, rename, rm, rmdir, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, errnoOf, isForWantOfRoom, messageOf } from "../core/errors.ts";
import { modelLimits } from "../core/model-limits.ts";
import { isDead, ownMark, writerPattern } from "./writer.ts";

/**
 * The models of one device, as folders `<name>/<version>/` that are complete or not there at all. Two links name what is
 * in use: `current` and `previous`, each replaced by a rename, so that a power cut leaves the old or the new one.
 *
 * A version folder holds `model.onnx`, and where there is one `model.json` (the manifest), `golden.jpg` and `golden.json`
 * (a picture and what the model finds in it).
 *
 * What is being filled or removed lies in `.incoming-<process>-<random>`: a killed process leaves such a folder, and the
 * next one that looks removes it.
 */

export interface ModelRef {
  readonly name: string;
  readonly version: string;
}

export interface InstalledModel extends ModelRef {
  /** Absolute. */
  readonly folder: string;
  /** The ONNX file in it. */
  readonly file: string;
  readonly bytes: number;
  readonly installedAtMs: number;
}

/** A new version while it is being filled: invisible until it is installed, removed when it is not. */
export interface StagedModel {
  readonly folder: string;
  readonly ref: ModelRef;
}

export const modelFileName = "model.onnx";
const CURRENT = "current";
const PREVIOUS = "previous";
const STAGING = ".incoming-";
const stagingPattern = new RegExp(`^\\.incoming-(?:(${writerPattern.source})-)?[0-9a-f]{12}$`);
/** No dots first: hidden folders are ours. */
const namePattern = /^[A-Za-z0-9][\w.-]{0,63}$/;

export class ModelStore {
  readonly folder: string;
  readonly #nowMs: () => number;

  constructor(folder: string, nowMs: () => number = Date.now) {
    this.folder = folder;
    this.#nowMs = nowMs;
  }

  /** By name, then by version, oldest first. */
  async list(): Promise<readonly InstalledModel[]> {
    const found: InstalledModel[] = [];
    for (const name of await this.#names(this.folder)) {
      for (const version of await this.#names(join(this.folder, name))) {
        const model = await this.#installed({ name, version });
        if (model !== undefined && found.length < modelLimits.namesMax) found.push(model);
      }
    }
    return found.sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
  }

  /** `NAME@VERSION`, or `NAME`: then the version in use if it is that model's, else the one installed last. */
  async find(reference: string): Promise<InstalledModel | undefined> {
    const [name = "", version, further] = reference.split("@");
    if (!namePattern.test(name) || further !== undefined) return undefined;
    if (version !== undefined) return namePattern.test(version) ? this.#installed({ name, version }) : undefined;
    const current = await this.current();
    if (current?.name === name) return current;
    return await this.newest(name);
  }

  /** Of one name, the version installed last. */
  async newest(name: string): Promise<InstalledModel | undefined> {
    const versions = (await this.list()).filter((model) => model.name === name);
    return versions.toSorted((a, b) => a.installedAtMs - b.installedAtMs).at(-1);
  }

  /** Undefined where none was ever put to use, or the one that was is gone. */
  async current(): Promise<InstalledModel | undefined> {
    return this.#linked(CURRENT);
  }

  async previous(): Promise<InstalledModel | undefined> {
    return this.#linked(PREVIOUS);
  }

  /** From then on it is the current one, after a power cut too; what was current is the previous one. */
  async use({ name, version }: ModelRef): Promise<void> {
    if ((await this.#installed({ name, version })) === undefined) throw notInstalled(`${name}@${version}`);
    const before = await this.current();
    if (isSame(before, { name, version })) return;
    if (before !== undefined) await this.#link(PREVIOUS, before);
    await this.#link(CURRENT, { name, version });
  }

  /** From then on none of these is in use, but the one that ships; what was current is the previous one. */
  async useNone(): Promise<void> {
    const before = await this.current();
    if (before !== undefined) await this.#link(PREVIOUS, before);
    try {
      await rm(join(this.folder, CURRENT), { force: true });
      if (before !== undefined) await flush(this.folder);
    } catch (error) {
      throw unusable(join(this.folder, CURRENT), error);
    }
  }

  /** Back to the previous one; the two change places. Fails with `MODEL_NO_PREVIOUS`. */
  async rollback(): Promise<InstalledModel> {
    const previous = await this.previous();
    // The same one stands there when the power went between the two links of `use`.
    if (previous === undefined || isSame(previous, await this.current())) {
      throw new AgentError("MODEL_NO_PREVIOUS", "no model was in use before this one", { disposition: "reject" });
    }
    await this.use(previous);
    return previous;
  }

  /** A folder to fill. Fails with `MODEL_INSTALLED` when that version is there already, or with `MODEL_NAME`. */
  async stage(ref: ModelRef): Promise<StagedModel> {
    checkRef(ref);
    await this.sweep();
    if ((await this.#installed(ref)) !== undefined) throw installed(ref);
    const folder = await this.#hidden();
    try {
      await mkdir(folder, { recursive: true, mode: 0o750 });
    } catch (error) {
      throw unusable(folder, error);
    }
    return { folder, ref };
  }

  /**
   * The folder gets its name, once every file in it is flushed: after a power cut it is there whole, or not at all. Fails
   * with `MODEL_INSTALLED` when somebody else was faster, or with `MODEL_NAME`.
   */
  async install({ folder, ref }: StagedModel): Promise<InstalledModel> {
    checkRef(ref);
    const home = join(this.folder, ref.name);
    const place = join(home, ref.version);
    try {
      for (const name of await readdir(folder)) await flush(join(folder, name));
      await flush(folder);
      await mkdir(home, { recursive: true, mode: 0o750 });
      // What lies there without a model is the half of one, of whatever made it so.
      if ((await this.#installed(ref)) === undefined) await this.#remove(place);
      await rename(folder, place);
      await flush(home);
      await flush(this.folder);
    } catch (error) {
      if (["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) throw installed(ref);
      throw error instanceof AgentError ? error : unusable(place, error);
    }
    const model = await this.#installed(ref);
    if (model === undefined) throw notInstalled(`${ref.name}@${ref.version}`);
    return model;
  }

  /** Nothing where it is not there. Fails with `MODEL_IN_USE` for the current one. */
  async remove(ref: ModelRef): Promise<void> {
    checkRef(ref);
    if (isSame(ref, await this.current())) {
      throw new AgentError("MODEL_IN_USE", `${ref.name}@${ref.version} is in use`, { disposition: "reject" });
    }
    await this.#remove(join(this.folder, ref.name, ref.version));
    // Only where it was the last version.
    await rmdir(join(this.folder, ref.name)).catch(() => undefined);
  }

  /** Removes what processes that are gone have left half done. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.folder).catch(() => [])) {
      const [matched, writer] = stagingPattern.exec(name) ?? [];
      if (matched === undefined) continue;
      const path = join(this.folder, name);
      const dead = writer === undefined ? undefined : await isDead(writer);
      // Where it cannot be known, a day tells: nobody fills a folder for so long.
      const { mtimeMs } = await lstat(path).catch(() => ({ mtimeMs: Infinity }));
      const isOld = this.#nowMs() - mtimeMs > modelLimits.foreignAgeMaxMs;
      if (dead === true || (dead === undefined && isOld)) await rm(path, { recursive: true, force: true });
    }
  }

  async discard({ folder }: StagedModel): Promise<void> {
    await rm(folder, { recursive: true, force: true });
  }

  /** It is out of sight at once, however long its files take. */
  async #remove(path: string): Promise<void> {
    const hidden = await this.#hidden();
    try {
      await rename(path, hidden);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw unusable(path, error);
    }
    await rm(hidden, { recursive: true, force: true });
  }

  async #hidden(): Promise<string> {
    return join(this.folder, `${STAGING}${await ownMark()}-${randomBytes(6).toString("hex")}`);
  }

  async #names(folder: string): Promise<readonly string[]> {
    try {
      const entries = await readdir(folder, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory() && namePattern.test(entry.name)).map(({ name }) => name);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw unusable(folder, error);
    }
  }

  async #installed({ name, version }: ModelRef): Promise<InstalledModel | undefined> {
    const folder = join(this.folder, name, version);
    const file = join(folder, modelFileName);
    try {
      const about = await stat(file);
      if (!about.isFile()) return undefined;
      const { size, mtimeMs } = about;
      return { name, version, folder, file, bytes: size, installedAtMs: mtimeMs };
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
      throw unusable(file, error);
    }
  }

  async #linked(link: string): Promise<InstalledModel | undefined> {
    try {
      const [name = "", version = ""] = (await readlink(join(this.folder, link))).split("/");
      return namePattern.test(name) && namePattern.test(version) ? await this.#installed({ name, version }) : undefined;
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EINVAL") return undefined;
      throw error instanceof AgentError ? error : unusable(join(this.folder, link), error);
    }
  }

  async #link(link: string, { name, version }: ModelRef): Promise<void> {
    const temporary = await this.#hidden();
    try {
      await symlink(`${name}/${version}`, temporary);
      await rename(temporary, join(this.folder, link));
      await flush(this.folder);
    } catch (error) {
      await rm(temporary, { force: true });
      throw unusable(join(this.folder, link), error);
    }
  }
}

function isSame(a: ModelRef | undefined, b: ModelRef | undefined): boolean {
  return a !== undefined && a.name === b?.name && a.version === b.version;
}

/** Versions as people count: 2 before 10. */
function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

function checkRef({ name, version }: ModelRef): void {
  // Case does not tell two names apart on every disk.
  const isLink = [CURRENT, PREVIOUS].includes(name.toLowerCase());
  if (namePattern.test(name) && namePattern.test(version) && !isLink) return;
  const rule =
    "letters, digits, dots, dashes and underscores, 64 at most, the first a letter or digit; not current or previous";
  throw new AgentError("MODEL_NAME", `${name}@${version} is no name and version of a model: ${rule}`, {
    disposition: "reject",
  });
}

function installed({ name, version }: ModelRef): AgentError {
  return new AgentError("MODEL_INSTALLED", `${name}@${version} is installed already`, { disposition: "reject" });
}

function notInstalled(what: string): AgentError {
  return new AgentError("MODEL_NOT_FOUND", `no model ${what} is installed`, { disposition: "reject" });
}

function unusable(path: string, error: unknown): AgentError {
  const isFull = isForWantOfRoom(error);
  return new AgentError(isFull ? "MODEL_NO_ROOM" : "MODEL_STORE", `cannot use ${path}: ${messageOf(error)}`, {
    disposition: isFull ? "retry" : "fatal",
    cause: error,
  });
}

/** A file or a folder. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
