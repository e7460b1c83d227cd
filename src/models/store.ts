import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readlink, rename, rm, rmdir, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { modelLimits } from "../core/limits.ts";

/**
 * The models of one device, as folders `<name>/<version>/` that are complete or not there at all. Two links name what is
 * in use: `current` and `previous`, each replaced by a rename, so that a power cut leaves the old or the new one.
 *
 * A version folder holds `model.onnx`, and where there is one `model.json` (the manifest), `golden.jpg` and `golden.json`
 * (a picture and what the model finds in it).
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
/** No dots first: hidden folders are ours. */
const namePattern = /^[A-Za-z0-9][\w.-]{0,63}$/;

export class ModelStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** By name, then by version, oldest first. */
  async list(): Promise<readonly InstalledModel[]> {
    const found: InstalledModel[] = [];
    for (const name of await this.#names(this.#folder)) {
      for (const version of await this.#names(join(this.#folder, name))) {
        const model = await this.#installed({ name, version });
        if (model !== undefined && found.length < modelLimits.namesMax) found.push(model);
      }
    }
    return found.sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
  }

  /** `NAME@VERSION`, or `NAME`: then the version in use if it is that model's, else the highest. */
  async find(reference: string): Promise<InstalledModel | undefined> {
    const [name = "", version] = reference.split("@");
    if (!namePattern.test(name)) return undefined;
    if (version !== undefined) return namePattern.test(version) ? this.#installed({ name, version }) : undefined;
    const current = await this.current();
    if (current?.name === name) return current;
    return (await this.list()).filter((model) => model.name === name).at(-1);
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
    if (before?.name === name && before.version === version) return;
    if (before !== undefined) await this.#link(PREVIOUS, before);
    await this.#link(CURRENT, { name, version });
  }

  /** From then on none of these is the current one: the one that ships is in use. What was current is the previous one. */
  async useNone(): Promise<void> {
    const before = await this.current();
    if (before !== undefined) await this.#link(PREVIOUS, before);
    await rm(join(this.#folder, CURRENT), { force: true });
    if (before !== undefined) await flushFolder(this.#folder);
  }

  /** Fails with `MODEL_IN_USE` for the current one. */
  async remove({ name, version }: ModelRef): Promise<void> {
    checkRef({ name, version });
    const current = await this.current();
    if (current?.name === name && current.version === version) {
      throw new AgentError("MODEL_IN_USE", `${name}@${version} is in use`, { disposition: "reject" });
    }
    const doomed = join(this.#folder, `${STAGING}${randomBytes(6).toString("hex")}`);
    try {
      // Out of sight whole, before any part of it is gone.
      await rename(join(this.#folder, name, version), doomed);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw unusable(join(this.#folder, name, version), error);
    }
    await rm(doomed, { recursive: true, force: true });
    await rmdir(join(this.#folder, name)).catch(() => undefined);
  }

  /** Back to the previous one; the two change places. Fails with `MODEL_NO_PREVIOUS`. */
  async rollback(): Promise<InstalledModel> {
    const previous = await this.previous();
    if (previous === undefined) {
      throw new AgentError("MODEL_NO_PREVIOUS", "no model was in use before this one", { disposition: "reject" });
    }
    await this.use(previous);
    return previous;
  }

  /** A folder to fill. Fails with `MODEL_INSTALLED` when that version is there already, or with `MODEL_NAME`. */
  async stage(ref: ModelRef): Promise<StagedModel> {
    checkRef(ref);
    if ((await this.#installed(ref)) !== undefined) {
      throw new AgentError("MODEL_INSTALLED", `${ref.name}@${ref.version} is installed already`, {
        disposition: "reject",
      });
    }
    const folder = join(this.#folder, `${STAGING}${randomBytes(6).toString("hex")}`);
    await mkdir(folder, { recursive: true, mode: 0o750 });
    return { folder, ref };
  }

  /** Everything in the staged folder has been flushed by whoever wrote it; here the folder gets its name. */
  async install({ folder, ref }: StagedModel): Promise<InstalledModel> {
    const home = join(this.#folder, ref.name);
    await mkdir(home, { recursive: true, mode: 0o750 });
    await flushFolder(folder);
    await rename(folder, join(home, ref.version));
    await flushFolder(home);
    await flushFolder(this.#folder);
    const installed = await this.#installed(ref);
    if (installed === undefined) throw notInstalled(`${ref.name}@${ref.version}`);
    return installed;
  }

  async discard({ folder }: StagedModel): Promise<void> {
    await rm(folder, { recursive: true, force: true });
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
    const folder = join(this.#folder, name, version);
    const file = join(folder, modelFileName);
    try {
      const { size, mtimeMs } = await stat(file);
      return { name, version, folder, file, bytes: size, installedAtMs: mtimeMs };
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
      throw unusable(file, error);
    }
  }

  async #linked(link: string): Promise<InstalledModel | undefined> {
    try {
      const [name = "", version = ""] = (await readlink(join(this.#folder, link))).split("/");
      return namePattern.test(name) && namePattern.test(version) ? await this.#installed({ name, version }) : undefined;
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EINVAL") return undefined;
      throw error instanceof AgentError ? error : unusable(join(this.#folder, link), error);
    }
  }

  async #link(link: string, { name, version }: ModelRef): Promise<void> {
    const temporary = join(this.#folder, `${STAGING}${randomBytes(6).toString("hex")}`);
    await symlink(`${name}/${version}`, temporary);
    await rename(temporary, join(this.#folder, link));
    await flushFolder(this.#folder);
  }
}

/** Versions as people count: 2 before 10. */
function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

function checkRef({ name, version }: ModelRef): void {
  if (namePattern.test(name) && namePattern.test(version)) return;
  const rule = "letters, digits, dots, dashes and underscores, 64 at most, the first a letter or digit";
  throw new AgentError("MODEL_NAME", `${name}@${version} is no name and version of a model: ${rule}`, {
    disposition: "reject",
  });
}

function notInstalled(what: string): AgentError {
  return new AgentError("MODEL_NOT_FOUND", `no model ${what} is installed`, { disposition: "reject" });
}

function unusable(path: string, error: unknown): AgentError {
  return new AgentError("MODEL_STORE", `cannot use ${path}: ${messageOf(error)}`, {
    disposition: "fatal",
    cause: error,
  });
}

async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
