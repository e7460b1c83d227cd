import { lstat, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { judgePicture, type CaptureLimits } from "./judge.ts";

/** Uploaders write to `.name`, `name.part` or `name.tmp` and rename: none of these ends in .jpg without a leading dot. */
export function isPictureName(name: string): boolean {
  return !name.startsWith(".") && /\.jpe?g$/i.test(name);
}

/** A file as it was seen, and what tells that it changed. */
export interface SeenFile {
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

export type ReadPicture =
  { readonly kind: "good"; readonly jpeg: Buffer } | { readonly kind: "bad"; readonly why: string };

/** Where a watched folder's own work happens: on the same file system, so that a rename claims a file at once. */
export class WatchedFiles {
  readonly path: string;
  readonly #claimed: string;
  readonly #rejected: string;
  readonly #limits: CaptureLimits;

  constructor(path: string, limits: CaptureLimits) {
    this.path = path;
    this.#claimed = join(path, ".framepost-claimed");
    this.#rejected = join(path, "rejected");
    this.#limits = limits;
  }

  async prepare(): Promise<void> {
    try {
      await mkdir(this.#claimed, { mode: 0o700 }).catch(async (error: unknown) => {
        if (!(await lstat(this.#claimed)).isDirectory()) throw error;
      });
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  /** Files that an earlier run claimed and did not finish. */
  async leftovers(): Promise<string[]> {
    return (await readdir(this.#claimed)).sort();
  }

  /** Picture files proper: no folders, no links (an uploader could point one anywhere), no pipes that would block. */
  async scan(): Promise<SeenFile[]> {
    let names: string[];
    try {
      names = await readdir(this.path);
    } catch (error) {
      throw this.#unusable(error);
    }
    const seen: SeenFile[] = [];
    for (const name of names.filter(isPictureName).sort().slice(0, this.#limits.watchFilesMax)) {
      const file = await lstat(join(this.path, name)).catch(() => undefined);
      if (file?.isFile() !== true) continue;
      const { size: sizeBytes, mtimeMs, ctimeMs, ino } = file;
      const signature = `${ino}:${sizeBytes}:${mtimeMs}`;
      seen.push({ name, sizeBytes, mtimeMs, signature, renamed: ctimeMs > mtimeMs });
    }
    return seen;
  }

  /** Why a file is no complete picture (yet); undefined when it is one. */
  async faultOf(name: string): Promise<string | undefined> {
    const read = await readPicture(join(this.path, name), this.#limits);
    return read.kind === "bad" ? read.why : undefined;
  }

  /** Why the file could not be claimed, for example because somebody else took it; undefined when it is ours. */
  async claim(name: string): Promise<string | undefined> {
    return rename(join(this.path, name), join(this.#claimed, name)).then(
      () => undefined,
      (error: unknown) => `it cannot be claimed: ${messageOf(error)}`,
    );
  }

  async readClaimed(name: string): Promise<ReadPicture> {
    return readPicture(join(this.#claimed, name), this.#limits);
  }

  async removeClaimed(name: string): Promise<void> {
    await rm(join(this.#claimed, name), { force: true });
  }

  async rejectClaimed(name: string, atMs: number): Promise<void> {
    await this.#reject(join(this.#claimed, name), name, atMs);
  }

  async reject(name: string, atMs: number): Promise<void> {
    await this.#reject(join(this.path, name), name, atMs);
  }

  /** Names begin with the time, so that two bad files of one name both stay and the oldest sort first. */
  async #reject(file: string, name: string, atMs: number): Promise<void> {
    try {
      await mkdir(this.#rejected, { recursive: true });
      await rename(file, join(this.#rejected, `${atMs}-${name}`));
      const kept = (await readdir(this.#rejected)).filter((entry) => /^\d+-/.test(entry)).sort();
      for (const entry of kept.slice(0, Math.max(0, kept.length - this.#limits.rejectedFilesMax))) {
        await rm(join(this.#rejected, entry), { force: true });
      }
    } catch (error) {
      const message = `watched folder: ${JSON.stringify(name)} cannot be set aside: ${messageOf(error)}`;
      throw new AgentError("CAMERA_BAD_IMAGE", message, { disposition: "retry", cause: error });
    }
  }

  #unusable(error: unknown): AgentError {
    const why = errnoOf(error) === "ENOENT" ? "it is not there" : messageOf(error);
    const message = `watched folder ${this.path} cannot be used: ${why}`;
    return new AgentError("CAMERA_NO_FOLDER", message, { disposition: "retry", cause: error });
  }
}

async function readPicture(file: string, limits: CaptureLimits): Promise<ReadPicture> {
  try {
    const { size } = await lstat(file);
    if (size > limits.jpegBytesMax) return { kind: "bad", why: `it has ${size} bytes` };
    const jpeg = await readFile(file);
    const judgement = judgePicture(jpeg, limits);
    return judgement.kind === "bad" ? judgement : { kind: "good", jpeg };
  } catch (error) {
    return { kind: "bad", why: `it cannot be read: ${messageOf(error)}` };
  }
}
