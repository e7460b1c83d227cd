import { createHash, type Hash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, errnoOf, isForWantOfRoom, messageOf } from "../core/errors.ts";
import { isDead, nobody, ownMark, writerPattern } from "./writer.ts";

/** What a next try has to know to go on with the same file. No address that may hold a secret. */
export interface PartFacts {
  /** Without user and query, for a person. */
  readonly shown: string;
  /** A strong ETag, or a Last-Modified, of the file that was begun. */
  readonly validator?: string;
  readonly totalBytes?: number;
  /** So many lie on the disk for sure, after a power cut too. */
  readonly bytes: number;
}

const fileName = "model.onnx.part";
const factsName = "about.json";
const folderPattern = new RegExp(`^\\.part-([0-9a-f]{16})-(${writerPattern.source})-[0-9a-f]{8}$`);

/**
 * A file that is downloaded, in a folder `.part-<key>-<process>-<random>` beside the models. A process that wants to go on
 * with what another has left renames the folder, which only one can do. Bytes count once they are flushed: after a crash
 * it goes on from the last flush, so that no hole of a power cut can stay in the file.
 */
export class DownloadPart {
  readonly #home: string;
  readonly #key: string;
  #folder: string;
  #file: FileHandle;
  #hash: Hash = createHash("sha256");
  #bytes = 0;
  #facts: PartFacts;
  #gone = false;

  private constructor(home: string, key: string, folder: string, file: FileHandle, facts: PartFacts) {
    this.#home = home;
    this.#key = key;
    this.#folder = folder;
    this.#file = file;
    this.#facts = facts;
  }

  /** Goes on with what lies there of `key` (16 hex digits), or begins. Fails with `MODEL_STORE`. */
  static async claim(home: string, key: string, shown: string): Promise<DownloadPart> {
    const folder = nameOf(home, key, await ownMark());
    let isNew = false;
    try {
      await mkdir(home, { recursive: true, mode: 0o750 });
      isNew = !(await inherited(home, key, folder));
      if (isNew) await mkdir(folder, { mode: 0o700 });
      const facts = (await factsIn(folder)) ?? { shown, bytes: 0 };
      const file = await open(join(folder, fileName), "a+").then(async (made) => {
        await made.close();
        // Positional writes: a file opened for appending takes no position on Linux.
        return await open(join(folder, fileName), "r+");
      });
      const part = new DownloadPart(home, key, folder, file, { ...facts, shown });
      await part.#takeUp();
      return part;
    } catch (error) {
      if (isNew) await rm(folder, { recursive: true, force: true });
      throw storeError(folder, error);
    }
  }

  /** Bytes that are there, flushed or not. */
  get bytes(): number {
    return this.#bytes;
  }

  get validator(): string | undefined {
    return this.#facts.validator;
  }

  get totalBytes(): number | undefined {
    return this.#facts.totalBytes;
  }

  /** Of all bytes as they came. */
  sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  /** What the server says of the file. From here on these bytes belong to that file. */
  expect(facts: { readonly validator: string | undefined; readonly totalBytes: number | undefined }): void {
    const { validator, totalBytes } = facts;
    this.#facts = {
      shown: this.#facts.shown,
      bytes: this.#facts.bytes,
      ...(validator === undefined ? {} : { validator }),
      ...(totalBytes === undefined ? {} : { totalBytes }),
    };
  }

  /** Fails with `MODEL_NO_ROOM` or `MODEL_STORE`. */
  async write(chunk: Buffer): Promise<void> {
    try {
      for (let done = 0; done < chunk.length;) {
        const { bytesWritten } = await this.#file.write(chunk, done, chunk.length - done, this.#bytes + done);
        done += bytesWritten;
      }
      this.#hash.update(chunk);
      this.#bytes += chunk.length;
    } catch (error) {
      throw storeError(this.#folder, error);
    }
  }

  /** What has come until now outlives a power cut. */
  async flush(): Promise<void> {
    try {
      await this.#file.datasync();
      this.#facts = { ...this.#facts, bytes: this.#bytes };
      const temporary = join(this.#folder, `${factsName}.new`);
      await writeFile(temporary, JSON.stringify(this.#facts), { mode: 0o600 });
      await rename(temporary, join(this.#folder, factsName));
    } catch (error) {
      throw storeError(this.#folder, error);
    }
  }

  /** From the first byte again. */
  async restart(): Promise<void> {
    try {
      await this.#file.truncate(0);
      this.#hash = createHash("sha256");
      this.#bytes = 0;
      this.#facts = { shown: this.#facts.shown, bytes: 0 };
      await rm(join(this.#folder, factsName), { force: true });
    } catch (error) {
      throw storeError(this.#folder, error);
    }
  }

  /** Of the file as the disk gives it back. */
  async readBack(): Promise<string> {
    const hash = createHash("sha256");
    await this.#read(this.#bytes, hash);
    return hash.digest("hex");
  }

  /** Bytes that others leave on this disk. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize;
  }

  /** The whole file, flushed, under its own name; nothing stays here. */
  async moveTo(file: string): Promise<void> {
    try {
      await this.#file.sync();
      await this.#file.close();
      await rename(join(this.#folder, fileName), file);
    } catch (error) {
      throw storeError(file, error);
    }
    await this.discard();
  }

  /** It stays for the next try, of whichever process. */
  async release(): Promise<void> {
    if (this.#gone) return;
    this.#gone = true;
    await this.flush().catch(() => undefined);
    await this.#file.close().catch(() => undefined);
    await rename(this.#folder, nameOf(this.#home, this.#key, nobody)).catch(() => undefined);
  }

  async discard(): Promise<void> {
    this.#gone = true;
    await this.#file.close().catch(() => undefined);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #takeUp(): Promise<void> {
    const { size } = await this.#file.stat();
    // Fewer bytes than were flushed are another file, or a damaged disk.
    const bytes = size < this.#facts.bytes ? 0 : this.#facts.bytes;
    await this.#file.truncate(bytes);
    if (bytes === 0) this.#facts = { shown: this.#facts.shown, bytes: 0 };
    await this.#read(bytes, this.#hash);
    this.#bytes = bytes;
  }

  async #read(bytes: number, into: Hash): Promise<void> {
    if (bytes === 0) return;
    const path = join(this.#folder, fileName);
    try {
      for await (const chunk of createReadStream(path, { end: bytes - 1, highWaterMark: 256 * 1024 })) {
        into.update(chunk as Buffer);
      }
    } catch (error) {
      throw storeError(path, error);
    }
  }
}

export interface LeftPart extends PartFacts {
  readonly folder: string;
  readonly atMs: number;
  /** Unknown where it is a process of another container's, say. */
  readonly state: "cut" | "under way" | "unknown";
}

/** Every download that was begun and is not done. */
export async function partsIn(home: string): Promise<readonly LeftPart[]> {
  const parts: LeftPart[] = [];
  for (const name of await readdir(home).catch(() => [])) {
    const [, , writer] = folderPattern.exec(name) ?? [];
    if (writer === undefined) continue;
    const folder = join(home, name);
    const facts = await factsIn(folder);
    const about = await stat(join(folder, fileName)).catch(() => undefined);
    const dead = await isDead(writer);
    const state = dead === undefined ? "unknown" : dead ? "cut" : "under way";
    const { mtimeMs: atMs } = about ?? (await stat(folder).catch(() => ({ mtimeMs: 0 })));
    parts.push({ shown: "", bytes: 0, ...facts, folder, atMs, state });
  }
  return parts;
}

/** True when the folder of one that is gone is ours now. */
async function inherited(home: string, key: string, folder: string): Promise<boolean> {
  for (const name of await readdir(home)) {
    const [, itsKey, writer] = folderPattern.exec(name) ?? [];
    if (writer === undefined || itsKey !== key || (await isDead(writer)) !== true) continue;
    try {
      await rename(join(home, name), folder);
      return true;
    } catch (error) {
      // Somebody else was faster.
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
  return false;
}

/** Undefined for anything that is not surely what was written here. */
async function factsIn(folder: string): Promise<PartFacts | undefined> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(join(folder, factsName), "utf8"));
  } catch {
    return undefined;
  }
  const { shown, validator, totalBytes, bytes } = parsed as Readonly<Partial<Record<keyof PartFacts, unknown>>>;
  if (typeof shown !== "string" || typeof bytes !== "number" || !Number.isSafeInteger(bytes)) return undefined;
  return {
    shown,
    bytes,
    ...(typeof validator === "string" ? { validator } : {}),
    ...(typeof totalBytes === "number" ? { totalBytes } : {}),
  };
}

function nameOf(home: string, key: string, writer: string): string {
  return join(home, `.part-${key}-${writer}-${randomBytes(4).toString("hex")}`);
}

function storeError(path: string, error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  const isFull = isForWantOfRoom(error) || errnoOf(error) === "EFBIG";
  return new AgentError(isFull ? "MODEL_NO_ROOM" : "MODEL_STORE", `cannot write ${path}: ${messageOf(error)}`, {
    disposition: isFull ? "retry" : "fatal",
    cause: error,
  });
}
