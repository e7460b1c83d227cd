import { type FileHandle, mkdir, open, stat, statfs, unlink } from "node:fs/promises";
import { AgentError, errnoOf, isForWantOfRoom, messageOf } from "../core/errors.ts";
import { captureLimits } from "../core/capture-limits.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import type { RecordCipher } from "./cipher.ts";
import {
  decodeImage,
  decodeMetadata,
  decodeTrailer,
  type Decoded,
  type EnvelopeDraft,
  type Metadata,
  sealEnvelope,
  splitEnvelope,
  trailerBytes,
} from "./envelope.ts";
import { ensureFormat, type FormatSource } from "./format.ts";
import { envelopePath, type Layout, shardOf, shardPath } from "./layout.ts";
import { flush, replaceFile, textOf } from "./small-files.ts";

/**
 * On these file systems fsync of a new file also makes its folder entry durable (ext4 and XFS commit one journal, btrfs
 * logs the name with the inode); everywhere else the folder is flushed as well.
 */
const entryComesWithFile: ReadonlySet<number> = new Set([0xef53, 0x5846_5342, 0x9123_683e]);

/** What lies in the folder under a record's name may be anything: never read more than an envelope can be. */
export const envelopeBytesMax = captureLimits.jpegBytesMax + spoolLimits.metadataBytesMax + trailerBytes;

export type Reading<T> = Decoded<T> | { readonly ok: false; readonly damage: "missing" };

/** Envelopes on disk, read and written without blocking. Every failure of the disk becomes an AgentError here. */
export class EnvelopeFiles {
  readonly #layout: Layout;
  readonly #cipher: RecordCipher | undefined;
  #folderFlushes = true;
  #newestShard = -1;
  #makingShard: Promise<void> = Promise.resolve();

  /** With a cipher every record is written encrypted; those in the clear stay readable. */
  constructor(layout: Layout, cipher?: RecordCipher) {
    this.#layout = layout;
    this.#cipher = cipher;
  }

  get encrypts(): boolean {
    return this.#cipher !== undefined;
  }

  /** Creates what is missing, durably; refuses a folder that a newer version wrote. */
  async prepare(): Promise<FormatSource> {
    const { folder, data, version } = this.#layout;
    await attempt("open the spool", folder, async () => {
      await mkdir(data, { recursive: true });
      await flush(data);
      this.#folderFlushes = !entryComesWithFile.has((await statfs(folder)).type);
    });
    return await attempt("read the spool's version", version, async () => await ensureFormat(this.#layout, this));
  }

  /** The spool's id; undefined where none was written yet, or what lies there is none. */
  async readId(): Promise<string | undefined> {
    const { id } = this.#layout;
    return await attempt("read the spool's id", id, async () => {
      const text = (await textOf(id))?.trim();
      return text !== undefined && /^[0-9a-z]{8}$/.test(text) ? text : undefined;
    });
  }

  /** Resolves when the id survives a power cut. */
  async writeId(spoolId: string): Promise<void> {
    const { id } = this.#layout;
    await attempt("write the spool's id", id, async () => await replaceFile(id, `${spoolId}\n`));
  }

  /** Free bytes of the file system that holds the spool, for a process without privileges. */
  async freeBytes(): Promise<number> {
    return await attempt("measure free space", this.#layout.folder, async () => {
      const { bavail, bsize } = await statfs(this.#layout.folder);
      return bavail * bsize;
    });
  }

  /** Resolves when the file survives a power cut. On failure nothing of it is left. */
  async write<T extends { readonly envelope: EnvelopeDraft }>(
    sequence: number,
    jpeg: Buffer,
    prepare: () => Promise<T>,
  ): Promise<T> {
    const path = envelopePath(this.#layout, sequence);
    return await attempt("write", path, async () => {
      const opening = this.#openNew(path, shardOf(sequence));
      // Digest, checksums and ciphers run here while another thread opens the file.
      const [opened, sealed] = await Promise.allSettled([opening, this.#sealed(jpeg, prepare)]);
      if (opened.status === "rejected") throw opened.reason;
      const file = opened.value;
      try {
        if (sealed.status === "rejected") throw sealed.reason;
        await writeAll(file, sealed.value.parts);
        await file.sync();
      } catch (error) {
        await file.close().catch(() => undefined);
        await unlink(path).catch(() => undefined);
        throw error;
      }
      await file.close();
      if (this.#folderFlushes) await flush(shardPath(this.#layout, shardOf(sequence)));
      return sealed.value.prepared;
    });
  }

  async #sealed<T extends { readonly envelope: EnvelopeDraft }>(
    jpeg: Buffer,
    prepare: () => Promise<T>,
  ): Promise<{ readonly prepared: T; readonly parts: readonly Buffer[] }> {
    const prepared = await prepare();
    return { prepared, parts: await sealEnvelope(jpeg, prepared.envelope, this.#cipher) };
  }

  async #openNew(path: string, shard: number): Promise<FileHandle> {
    // Nothing to wait for on the usual way: the opening is under way when this answers.
    if (shard > this.#newestShard) await this.#ensureShard(shard);
    try {
      return await open(path, "w", 0o640);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      // It was empty at that moment and no longer the newest, and so was removed.
      this.#newestShard = shard - 1;
      await this.#ensureShard(shard);
      return await open(path, "w", 0o640);
    }
  }

  /** For a file that was written but could not be indexed. */
  async remove(sequence: number): Promise<void> {
    const path = envelopePath(this.#layout, sequence);
    await attempt("remove", path, async () => await unlink(path));
  }

  /** Trailer and metadata, in one read where the metadata is of usual size. */
  async readMetadata(sequence: number): Promise<Reading<Metadata>> {
    return await this.#reading(sequence, async (file, fileBytes) => {
      const tail = await readAt(file, Math.max(0, fileBytes - spoolLimits.tailReadBytes), spoolLimits.tailReadBytes);
      const trailer = decodeTrailer(tail, fileBytes);
      if (!trailer.ok) return trailer;
      const { imageBytes, metadataBytes } = trailer.value;
      const start = tail.length - trailerBytes - metadataBytes;
      const metadata =
        start >= 0
          ? tail.subarray(start, start + metadataBytes)
          : await readAt(file, imageBytes, Math.min(metadataBytes, spoolLimits.metadataBytesMax));
      return matching(sequence, decodeMetadata(trailer.value, metadata, this.#cipher));
    });
  }

  /** The JPEG, verified against its checksum, and against the key's tag where it is encrypted. */
  async readImage(sequence: number): Promise<Reading<Buffer>> {
    return await this.#reading(sequence, async (file, fileBytes) => {
      const bytes = await readAt(file, 0, fileBytes);
      const trailer = decodeTrailer(bytes, fileBytes);
      if (!trailer.ok) return trailer;
      return await decodeImage(trailer.value, bytes.subarray(0, trailer.value.imageBytes), this.#cipher);
    });
  }

  /** The whole file, verified by its checksums, which takes no key. */
  async readEnvelope(sequence: number): Promise<Reading<{ readonly bytes: Buffer; readonly encrypted: boolean }>> {
    return await this.#reading(sequence, async (file, fileBytes) => {
      const bytes = await readAt(file, 0, fileBytes);
      const split = splitEnvelope(bytes);
      if (!split.ok) return split;
      const { trailer } = split.value;
      if (trailer.sequence !== sequence) return { ok: false, damage: "trailer damaged" };
      return { ok: true, value: { bytes, encrypted: trailer.encryption !== undefined } };
    });
  }

  /** A whole file of another spool, decrypted where it has to be. */
  async open(bytes: Buffer): Promise<Decoded<{ readonly jpeg: Buffer; readonly createdMs: number } & Metadata>> {
    const split = splitEnvelope(bytes);
    if (!split.ok) return split;
    const { trailer, image, metadata } = split.value;
    const decoded = decodeMetadata(trailer, metadata, this.#cipher);
    if (!decoded.ok) return decoded;
    const jpeg = await decodeImage(trailer, image, this.#cipher);
    if (!jpeg.ok) return jpeg;
    return { ok: true, value: { ...decoded.value, jpeg: jpeg.value, createdMs: trailer.createdMs } };
  }

  /** Of the whole file; undefined when it is gone. */
  async sizeBytes(sequence: number): Promise<number | undefined> {
    const path = envelopePath(this.#layout, sequence);
    return await attempt("measure", path, async () => {
      try {
        return (await stat(path)).size;
      } catch (error) {
        if (errnoOf(error) === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  async #reading<T>(
    sequence: number,
    read: (file: FileHandle, fileBytes: number) => Promise<Decoded<T>>,
  ): Promise<Reading<T>> {
    const path = envelopePath(this.#layout, sequence);
    return await attempt("read", path, async () => {
      let file: FileHandle;
      try {
        file = await open(path, "r");
      } catch (error) {
        if (errnoOf(error) === "ENOENT") return { ok: false, damage: "missing" };
        throw error;
      }
      try {
        const { size } = await file.stat();
        return size > envelopeBytesMax ? { ok: false, damage: "too long" } : await read(file, size);
      } finally {
        await file.close();
      }
    });
  }

  /** The new folder's own entry must be durable before the first file in it counts. One at a time: callers share it. */
  async #ensureShard(shard: number): Promise<void> {
    const making = this.#makingShard.then(async () => {
      if (shard <= this.#newestShard) return;
      await mkdir(shardPath(this.#layout, shard), { recursive: true });
      await flush(this.#layout.data);
      this.#newestShard = shard;
    });
    this.#makingShard = making.catch(() => undefined);
    await making;
  }
}

async function attempt<T>(verb: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw diskError(verb, path, error);
  }
}

export function diskError(verb: string, path: string, cause: unknown): AgentError {
  const errno = errnoOf(cause);
  const refused = errno === "EACCES" || errno === "EPERM" || errno === "EROFS";
  const code = isForWantOfRoom(cause) ? "DISK_FULL" : refused ? "DISK_REFUSED" : "DISK_FAILED";
  return new AgentError(code, `${verb} ${path}: ${messageOf(cause)}`, {
    disposition: refused ? "fatal" : "retry",
    cause,
  });
}

/** A disk that fills up takes a part without an error; the next write then says so. */
async function writeAll(file: FileHandle, parts: readonly Buffer[]): Promise<void> {
  let rest = parts.filter(({ length }) => length > 0);
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev([...rest]);
    rest = rest.flatMap((part) => {
      const skipped = Math.min(bytesWritten, part.length);
      bytesWritten -= skipped;
      return skipped === part.length ? [] : [part.subarray(skipped)];
    });
  }
}

async function readAt(file: FileHandle, position: number, lengthMax: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(lengthMax);
  let filled = 0;
  while (filled < lengthMax) {
    const { bytesRead } = await file.read(buffer, filled, lengthMax - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** A whole envelope under another record's name is damage too. */
function matching(sequence: number, decoded: Decoded<Metadata>): Decoded<Metadata> {
  if (!decoded.ok || decoded.value.record.sequence === sequence) return decoded;
  return { ok: false, damage: "trailer damaged" };
}
