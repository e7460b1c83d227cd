import { access, constants, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { AgentError, errnoOf, isForWantOfRoom } from "../src/core/errors.ts";
import type { MovedDelivery, MovedRecord } from "../src/core/queue.ts";
import { envelopeBytesMax } from "../src/spool/files.ts";
import { fileProblem } from "./files.ts";

/**
 * Records on their way from one spool to another:
 *
 *     framepost-export.json   what this folder is
 *     records/<id>.jpg        the envelope as it lay in its spool; any viewer opens it, unless it is encrypted
 *     records/<id>.json       where it comes from and what is owed of it. Written last: without it there is no record here
 *     records/<id>.taken      the same after another spool took the record in; what is left of it goes next
 *
 * So a crash of an export leaves no half record here, and one of an import none that seems to be damaged.
 */
const manifestName = "framepost-export.json";
const format = 1;

/** States of 128 deliveries with their longest cursors and errors. */
const stateBytesMax = 256 * 1024;

export interface ExportAbout {
  /** A new one, for a folder that is none yet. */
  readonly id: string;
  readonly atMs: number;
}

/** What lies beside an envelope. */
export type RecordState = Omit<MovedRecord, "envelope">;

export class ExportFolder {
  readonly folder: string;
  /** The folder's own, the same for every export to it. */
  readonly id: string;
  readonly #records: string;

  private constructor(folder: string, id: string) {
    this.folder = folder;
    this.id = id;
    this.#records = join(folder, "records");
  }

  /** Makes it where there is none. Fails with `USAGE_EXPORT` for a folder that holds anything else. */
  static async forExport(folder: string, about: ExportAbout): Promise<ExportFolder> {
    return await attempt("prepare", folder, async () => {
      const made = await mkdir(folder, { recursive: true });
      await makeFolder(join(folder, "records"));
      if (made !== undefined) await flushParents(folder, made);
      const found = await manifestIn(folder);
      if (found !== undefined) return new ExportFolder(folder, found);
      const others = (await readdir(folder)).filter((name) => name !== "records" && name !== `${manifestName}.tmp`);
      if (others.length > 0) {
        throw usage(`export to ${folder}: it holds other files; name a new or empty folder, or one exported to before`);
      }
      const at = new Date(about.atMs).toISOString();
      await writeDurably(join(folder, manifestName), [
        Buffer.from(`${JSON.stringify({ framepost: "export", format, id: about.id, at }, null, 2)}\n`),
      ]);
      await flushFolder(folder);
      return new ExportFolder(folder, about.id);
    });
  }

  /** Fails with `USAGE_EXPORT` for a folder that no export wrote, or that nothing can be moved out of. */
  static async forImport(folder: string): Promise<ExportFolder> {
    return await attempt("open", folder, async () => {
      const found = await manifestIn(folder);
      if (found === undefined) throw usage(`import from ${folder}: no export wrote it, for it has no ${manifestName}`);
      const opened = new ExportFolder(folder, found);
      await access(opened.#records, constants.W_OK);
      return opened;
    });
  }

  /** The records, oldest first. */
  async ids(): Promise<readonly string[]> {
    return await this.#namesEndingIn(".json");
  }

  /** Not durable before `flush`. On failure there is no such record here, unless the disk does not even say that. */
  async write(id: string, { envelope, ...state }: MovedRecord): Promise<void> {
    const path = this.#path(id, ".json");
    await attempt("write", path, async () => {
      // Another envelope under an old state would be no record.
      await rm(path, { force: true });
      await writeDurably(this.#path(id, ".jpg"), [envelope]);
      await writeDurably(path, [Buffer.from(`${JSON.stringify(state)}\n`)]);
    });
  }

  /** Everything written so far survives a power cut. */
  async flush(): Promise<void> {
    await attempt("flush", this.#records, async () => await flushFolder(this.#records));
  }

  /** Takes a written record back; no error where there is none. Not durable before `flush`. */
  async takeBack(id: string): Promise<void> {
    await attempt("remove", this.#path(id, ".json"), async () => {
      await rm(this.#path(id, ".json"), { force: true });
      await rm(this.#path(id, ".jpg"), { force: true });
      await rm(`${this.#path(id, ".jpg")}.tmp`, { force: true });
      await rm(`${this.#path(id, ".json")}.tmp`, { force: true });
    });
  }

  /** Undefined when it is damaged. */
  async state(id: string): Promise<RecordState | undefined> {
    const text = await this.#read(id, ".json", stateBytesMax);
    return text === undefined ? undefined : recordStateOf(text.toString("utf8"));
  }

  /** As it is; undefined when there is none of a possible size. */
  async envelope(id: string): Promise<Buffer | undefined> {
    return await this.#read(id, ".jpg", envelopeBytesMax);
  }

  /** Removes a record that was taken in elsewhere. */
  async remove(id: string): Promise<void> {
    await attempt("remove", this.#path(id, ".json"), async () => {
      await rename(this.#path(id, ".json"), this.#path(id, ".taken"));
      await rm(this.#path(id, ".jpg"), { force: true });
      await unlink(this.#path(id, ".taken"));
    });
  }

  /** Ends removals that a crash interrupted. */
  async endRemovals(): Promise<void> {
    const whole = new Set(await this.ids());
    for (const id of await this.#namesEndingIn(".taken")) {
      await attempt("remove", this.#path(id, ".taken"), async () => {
        // It has been exported here once more since.
        if (!whole.has(id)) await rm(this.#path(id, ".jpg"), { force: true });
        await unlink(this.#path(id, ".taken"));
      });
    }
  }

  async #namesEndingIn(ending: string): Promise<readonly string[]> {
    return await attempt("list", this.#records, async () =>
      (await readdir(this.#records))
        .filter((name) => name.endsWith(ending) && isRecordId(name.slice(0, -ending.length)))
        .map((name) => name.slice(0, -ending.length))
        .sort(),
    );
  }

  async #read(id: string, ending: string, bytesMax: number): Promise<Buffer | undefined> {
    const path = this.#path(id, ending);
    return await attempt("read", path, async () => {
      try {
        return (await stat(path)).size > bytesMax ? undefined : await readFile(path);
      } catch (error) {
        if (errnoOf(error) === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  #path(id: string, ending: string): string {
    return join(this.#records, `${id}${ending}`);
  }
}

function isRecordId(name: string): boolean {
  return /^[0-9A-HJKMNP-TV-Z]{26}$/.test(name);
}

/** The folder's id; undefined where there is no manifest. */
async function manifestIn(folder: string): Promise<string | undefined> {
  const path = join(folder, manifestName);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const manifest = objectIn(text);
  if (manifest?.["framepost"] !== "export" || typeof manifest["id"] !== "string") {
    throw usage(`read ${path}: it is damaged, or nothing that an export wrote`);
  }
  if (manifest["format"] !== format) {
    throw usage(`read ${path}: its format is ${JSON.stringify(manifest["format"])}, this version knows ${format}`);
  }
  return manifest["id"];
}

function recordStateOf(text: string): RecordState | undefined {
  const value = objectIn(text);
  if (value === undefined || typeof value["from"] !== "string" || !Array.isArray(value["deliveries"])) return undefined;
  const deliveries = value["deliveries"].flatMap((item: unknown) => movedDeliveryOf(item) ?? []);
  if (deliveries.length < value["deliveries"].length) return undefined;
  const { keyCheck } = value;
  return { from: value["from"], deliveries, ...(typeof keyCheck === "string" ? { keyCheck } : {}) };
}

function movedDeliveryOf(item: unknown): MovedDelivery | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { targetId, state, attempts, cursor, error } = item as Readonly<Record<string, unknown>>;
  if (typeof targetId !== "string" || typeof attempts !== "number") return undefined;
  if (state !== "pending" && state !== "quarantined") return undefined;
  return {
    ...{ targetId, state, attempts },
    ...(typeof cursor === "string" ? { cursor } : {}),
    ...(typeof error === "string" ? { error } : {}),
  };
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** Whole or not at all; its name is durable with the folder. */
async function writeDurably(path: string, parts: readonly Buffer[]): Promise<void> {
  const file = await open(`${path}.tmp`, "w", 0o640);
  try {
    for (const part of parts) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
}

/** Not `recursive`, which answers for a read-only disk that there is no such folder. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((error: unknown) => {
    if (errnoOf(error) !== "EEXIST") throw error;
  });
}

/** From the folder itself up to where `made`, the topmost new one, lies: a power cut must not take the way to it. */
async function flushParents(folder: string, made: string): Promise<void> {
  const top = dirname(resolve(made));
  for (let parent = dirname(resolve(folder)); ; parent = dirname(parent)) {
    await flushFolder(parent);
    if (parent === top || parent === dirname(parent)) return;
  }
}

/** Some file systems of sticks and shares cannot flush a folder; there is nothing better to do on them. */
async function flushFolder(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } catch (error) {
    if (errnoOf(error) !== "EINVAL" && errnoOf(error) !== "ENOTSUP") throw error;
  } finally {
    await handle.close();
  }
}

async function attempt<T>(verb: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    const code = isForWantOfRoom(error) ? "EXPORT_FULL" : "EXPORT_FAILED";
    throw new AgentError(code, `${verb} ${path}: ${fileProblem(error)}`, { disposition: "retry", cause: error });
  }
}

function usage(message: string): AgentError {
  return new AgentError("USAGE_EXPORT", message, { disposition: "fatal" });
}
