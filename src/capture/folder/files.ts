import { lstat, mkdir, readdir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, errnoOf, messageOf } from "../../core/errors.ts";
import { Claims } from "./claims.ts";
import { judgePicture, type CaptureLimits } from "../judge.ts";
import { rejectedFolder, walk, type Walked } from "./walk.ts";

/** A file as it was seen, and what tells that it changed. */
export interface SeenFile {
  /** With the folders below the watched one that lead to it. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly signature: string;
  /**
   * The inode changed after its content did: it was renamed into place (or touched at the end of its upload), so
   * nobody writes to it any more.
   */
  readonly renamed: boolean;
}

/** One look at a watched folder. */
export interface Scan {
  readonly files: readonly SeenFile[];
  /** Below it, relative to it. */
  readonly folders: readonly string[];
  readonly unreadable: readonly { readonly folder: string; readonly error: AgentError }[];
}

/** `bad` is a judgement of bytes that were read; what cannot be read fails with `CAMERA_READ_FAILED` instead. */
export type ReadPicture =
  | { readonly kind: "good"; readonly jpeg: Buffer }
  | { readonly kind: "bad"; readonly why: string }
  | { readonly kind: "gone" };

export interface WatchedPlace {
  readonly path: string;
  /** Pictures in folders below it, too. */
  readonly recursive: boolean;
  /** False removes what is no picture, in place of setting it aside: half of one may show what nobody may see. */
  readonly keepsRejected?: boolean;
}

/** The disk side of a watched folder. Every failure of its file system is an AgentError. */
export class WatchedFiles {
  readonly path: string;
  readonly #claims: Claims;
  readonly #rejected: string;
  readonly #recursive: boolean;
  readonly #keepsRejected: boolean;
  readonly #limits: CaptureLimits;
  /** Dated folders that are empty, as many as are looked at, and since when nobody has changed them. */
  #resting = new Map<string, { readonly mtimeMs: number; readonly sinceMs: number }>();

  constructor({ path, recursive, keepsRejected = true }: WatchedPlace, limits: CaptureLimits) {
    this.path = path;
    this.#claims = new Claims(path);
    this.#rejected = join(path, rejectedFolder);
    this.#recursive = recursive;
    this.#keepsRejected = keepsRejected;
    this.#limits = limits;
  }

  /** Files that were claimed and not finished are pictures of the folder again. */
  async open(): Promise<void> {
    await this.#claims.open().catch((error: unknown) => Promise.reject(this.#unusable(error)));
  }

  /** Puts back what is claimed. */
  async close(): Promise<void> {
    await this.#claims.close().catch((error: unknown) => Promise.reject(this.#unusable(error)));
  }

  /**
   * Picture files proper: no links (an uploader could point one anywhere), no pipes that would block. `nowMs` is of the
   * monotonic clock.
   */
  async scan(nowMs: number): Promise<Scan> {
    const { watchFilesMax: filesMax, watchFoldersMax: foldersMax, folderDepthMax: depthMax } = this.#limits;
    const bounds = { recursive: this.#recursive, filesMax, foldersMax, depthMax };
    const found = await walk(this.path, bounds).catch((error: unknown) => Promise.reject(this.#unusable(error)));
    const files: SeenFile[] = [];
    for (const name of found.pictures.sort()) {
      const file = await lstat(join(this.path, name)).catch(() => undefined);
      if (file?.isFile() !== true) continue;
      const { size: sizeBytes, mtimeMs, ctimeMs, ino } = file;
      const signature = `${ino}:${sizeBytes}:${mtimeMs}`;
      files.push({ name, sizeBytes, mtimeMs, signature, renamed: ctimeMs > mtimeMs });
    }
    await this.#removeOldFolders(found, nowMs);
    const unreadable = found.unreadable.map(({ folder, error }) => ({
      folder,
      error: this.#untakeable(folder, error),
    }));
    return { files, folders: found.folders, unreadable };
  }

  /**
   * Cameras make a folder for each day and never remove one. Those that are dated, empty and were left alone for a day of
   * watching go; all others may be somebody's who expects to find them. A file's time tells that a folder was changed, not
   * when: the wall clock may have been set since, and a folder that an uploader has just made would be decades old.
   */
  async #removeOldFolders({ empty }: Walked, nowMs: number): Promise<void> {
    const before = this.#resting;
    this.#resting = new Map();
    for (const folder of empty.filter((name) => dated.test(name))) {
      const path = join(this.path, folder);
      const seen = await lstat(path).catch(() => undefined);
      if (seen?.isDirectory() !== true) continue;
      const known = before.get(folder);
      const resting = known?.mtimeMs === seen.mtimeMs ? known : { mtimeMs: seen.mtimeMs, sinceMs: nowMs };
      if (nowMs - resting.sinceMs <= this.#limits.emptyFolderMs) this.#resting.set(folder, resting);
      else await rmdir(path).catch(() => undefined);
    }
  }

  async read(name: string): Promise<ReadPicture> {
    return this.#attempt(name, () => readPicture(join(this.path, name), this.#limits));
  }

  /** False when somebody else took the file. Fails with `CAMERA_NO_FOLDER` where nothing can be claimed any more. */
  async claim(name: string): Promise<boolean> {
    return this.#attempt(name, () => this.#claims.take(name));
  }

  async readClaimed(name: string): Promise<ReadPicture> {
    return this.#attempt(name, () => readPicture(this.#claims.placeOf(name), this.#limits));
  }

  async finish(name: string): Promise<void> {
    await this.#attempt(name, () => this.#claims.finish(name));
  }

  async putBack(name: string): Promise<void> {
    await this.#attempt(name, () => this.#claims.putBack(name));
  }

  async reject(name: string, atMs: number): Promise<void> {
    await this.#attempt(name, () => this.#setAside(join(this.path, name), name, atMs));
  }

  async rejectClaimed(name: string, atMs: number): Promise<void> {
    await this.#attempt(name, () => this.#setAside(this.#claims.placeOf(name), name, atMs));
  }

  /** Names begin with the time, so that two bad files of one name both stay and the oldest sort first. */
  async #setAside(file: string, name: string, atMs: number): Promise<void> {
    if (!this.#keepsRejected) return rm(file, { force: true });
    await mkdir(this.#rejected, { recursive: true });
    await rename(file, join(this.#rejected, `${atMs}-${flatName(name)}`));
    const kept = (await readdir(this.#rejected)).filter((entry) => /^\d+-/.test(entry)).sort();
    for (const entry of kept.slice(0, Math.max(0, kept.length - this.#limits.rejectedFilesMax))) {
      await rm(join(this.#rejected, entry), { force: true });
    }
  }

  /** What goes wrong with one file is the file's; without a place for claims it is the folder's. */
  async #attempt<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(await this.#claims.isOpen())) throw this.#unusable(error);
      throw this.#untakeable(name, error);
    }
  }

  #untakeable(name: string, error: unknown): AgentError {
    const message = `watched folder: ${JSON.stringify(name)} cannot be taken: ${messageOf(error)}`;
    return new AgentError("CAMERA_READ_FAILED", message, { disposition: "retry", cause: error });
  }

  #unusable(error: unknown): AgentError {
    const why = errnoOf(error) === "ENOENT" ? "it is not there" : messageOf(error);
    const message = `watched folder ${this.path} cannot be used: ${why}`;
    return new AgentError("CAMERA_NO_FOLDER", message, { disposition: "retry", cause: error });
  }
}

/** A path that leads through a day: 2026-11-21, 20261121, 2026/11/21. */
const dated = /(^|[^0-9])20\d\d[-_./]?(0[1-9]|1[0-2])[-_./]?(0[1-9]|[12]\d|3[01])([^0-9]|$)/;

/** One name for a path, of a length that a file may have. */
function flatName(name: string): string {
  const flat = name.replaceAll("/", "_");
  return Buffer.byteLength(flat) <= 200
    ? flat
    : Buffer.from(flat)
        .subarray(-200)
        .toString("latin1")
        .replaceAll(/[^\x20-\x7e]/g, "_");
}

async function readPicture(file: string, limits: CaptureLimits): Promise<ReadPicture> {
  try {
    const { size } = await lstat(file);
    if (size > limits.jpegBytesMax) return { kind: "bad", why: `it has ${size} bytes` };
    const jpeg = await readFile(file);
    const judgement = judgePicture(jpeg, limits);
    return judgement.kind === "bad" ? judgement : { kind: "good", jpeg };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { kind: "gone" };
    throw error;
  }
}
