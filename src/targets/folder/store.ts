import { constants } from "node:fs";
import { access, mkdir, open, opendir, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AgentError, errnoOf, isForWantOfRoom } from "../../core/errors.ts";

/**
 * The files of a data set: `images/<name>` and one line for each in `annotations.jsonl`. The order is what holds it
 * together: an image is durable under its name before its line is written, so a line never names a missing image, and
 * an image without a line is one whose record will come again.
 */

const chunkBytes = 64 * 1024;
const newline = 0x0a;

export class FolderStore {
  readonly #root: string;
  readonly #images: string;
  readonly #annotations: string;

  constructor(root: string) {
    this.#root = root;
    this.#images = join(root, "images");
    this.#annotations = join(root, "annotations.jsonl");
  }

  /** Makes the folders, takes away what a crash left half done, and answers with the bytes in use. */
  async open(): Promise<number> {
    return this.#attempt("open", async () => {
      await mkdir(this.#images, { recursive: true });
      await cutTornLine(this.#annotations);
      return this.#measure((part) => rm(part, { force: true }));
    });
  }

  /** Answers with the bytes in use where the folder can be written or made. Changes nothing: it may be in use. */
  async check(): Promise<number> {
    return this.#attempt("look at", async () => {
      if (!(await mayWrite(this.#annotations))) await mustBeMakeable(this.#annotations);
      if (await mayWrite(this.#images)) return this.#measure(() => Promise.resolve());
      await mustBeMakeable(this.#images);
      return 0;
    });
  }

  async hasImage(name: string): Promise<boolean> {
    return this.#attempt("look for an image in", async () => (await sizeOf(join(this.#images, name))) !== undefined);
  }

  /** Durable under its name when this resolves. */
  async writeImage(name: string, jpeg: Buffer): Promise<void> {
    await this.#attempt("write an image to", async () => {
      const temporary = join(this.#images, `.${name}.part`);
      try {
        await writeDurably(temporary, jpeg);
        await rename(temporary, join(this.#images, name));
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      await syncFolder(this.#images);
    });
  }

  /** Durable when this resolves; where it fails, nothing of the line is left. */
  async appendLine(line: string): Promise<void> {
    await this.#attempt("append to annotations.jsonl in", async () => {
      const isNew = (await sizeOf(this.#annotations)) === undefined;
      const file = await open(this.#annotations, "a");
      try {
        await appendWhole(file, Buffer.from(line));
      } finally {
        await file.close();
      }
      if (isNew) await syncFolder(this.#root);
    });
  }

  /** Reads backwards: the line that is asked for is nearly always among the last. */
  async hasLine(start: string): Promise<boolean> {
    return this.#attempt("read annotations.jsonl in", () => someLineStartsWith(this.#annotations, start));
  }

  /** `onPart` is given the images that a crash, or a writer at work, has left half done. */
  async #measure(onPart: (path: string) => Promise<void>): Promise<number> {
    let bytes = (await sizeOf(this.#annotations)) ?? 0;
    for await (const entry of await opendir(this.#images)) {
      const path = join(this.#images, entry.name);
      if (entry.name.endsWith(".part")) await onPart(path);
      else bytes += (await sizeOf(path)) ?? 0;
    }
    return bytes;
  }

  async #attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const code = isForWantOfRoom(error) ? "DISK_FULL" : "DISK_FAILED";
      throw new AgentError(code, `${what} ${this.#root}: ${errnoOf(error) ?? String(error)}`, {
        disposition: "retry",
        cause: error,
      });
    }
  }
}

/** Undefined where there is no such file. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** False where there is nothing; fails where there is something that may not be written. */
async function mayWrite(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** The nearest folder above that exists must be one that something can be made in. */
async function mustBeMakeable(path: string): Promise<void> {
  let parent = dirname(path);
  while (!(await mayWrite(parent))) parent = dirname(parent);
}

async function writeDurably(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A disk that fills up in the middle of a line must not leave its first half before the next one. */
async function appendWhole(file: FileHandle, bytes: Buffer): Promise<void> {
  const { size } = await file.stat();
  try {
    await file.appendFile(bytes);
    await file.datasync();
  } catch (error) {
    await file.truncate(size);
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function cutTornLine(path: string): Promise<void> {
  const size = await sizeOf(path);
  if (size === undefined || size === 0) return;
  const file = await open(path, "r+");
  try {
    const whole = await endOfLastLine(file, size);
    if (whole === size) return;
    await file.truncate(whole);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function endOfLastLine(file: FileHandle, size: number): Promise<number> {
  const chunk = Buffer.allocUnsafe(chunkBytes);
  for (let end = size; end > 0; end = Math.max(0, end - chunkBytes)) {
    const from = Math.max(0, end - chunkBytes);
    const { bytesRead } = await file.read(chunk, 0, end - from, from);
    const at = chunk.subarray(0, bytesRead).lastIndexOf(newline);
    if (at !== -1) return from + at + 1;
  }
  return 0;
}

async function someLineStartsWith(path: string, start: string): Promise<boolean> {
  const size = await sizeOf(path);
  if (size === undefined) return false;
  const wanted = Buffer.from(`\n${start}`);
  const atFileStart = wanted.subarray(1);
  const chunk = Buffer.allocUnsafe(chunkBytes);
  const file = await open(path, "r");
  try {
    // Chunks overlap by the length that is looked for, or one could lie across their border.
    for (let end = size; end > 0; end -= chunkBytes - wanted.length) {
      const from = Math.max(0, end - chunkBytes);
      const { bytesRead } = await file.read(chunk, 0, end - from, from);
      const read = chunk.subarray(0, bytesRead);
      if (read.includes(wanted)) return true;
      if (from === 0) return read.subarray(0, atFileStart.length).equals(atFileStart);
    }
    return false;
  } finally {
    await file.close();
  }
}
