import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { AgentError, errnoOf } from "../../core/errors.ts";
import { spoolLimits } from "../../core/spool-limits.ts";
import { keyMissing, type RecordCipher } from "../cipher.ts";
import {
  decodeMetadata,
  type Decoded,
  decodeTrailer,
  imageIsWhole,
  type Metadata,
  type Trailer,
  trailerBytes,
} from "../envelope.ts";
import { diskError, envelopeBytesMax } from "../files.ts";
import { envelopePath, type Layout, sequenceOfName, shardOf, shardOfName, shardPath } from "../layout.ts";
import type { IndexEntry } from "./store.ts";

/** What the index thread does to files. It blocks, which costs nobody anything in a thread of its own. */

/** `headers` trusts the JPEG and reads the end of the file only; `all` checks every byte. */
export type Depth = "headers" | "all";

/** Shards from the one that holds `fromSequence`, oldest first. */
export function shardsOnDisk(layout: Layout, fromSequence = 0): readonly number[] {
  return namesIn(layout.data)
    .flatMap((name) => shardOfName(name) ?? [])
    .filter((shard) => shard >= shardOf(fromSequence))
    .sort((a, b) => a - b);
}

/** Undefined when the shard cannot be listed. */
export function sequencesInShard(layout: Layout, shard: number): readonly number[] | undefined {
  const path = shardPath(layout, shard);
  let names: readonly string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return [];
    if (shortages.has(errno)) throw diskError("list", path, error);
    return undefined;
  }
  return names
    .flatMap((name) => sequenceOfName(name) ?? [])
    .filter((sequence) => shardOf(sequence) === shard)
    .sort((a, b) => a - b);
}

/** These say that the machine is short of something, and nothing about the file. */
const shortages: ReadonlySet<string | undefined> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/**
 * What the index has to know of an envelope, from the envelope itself. A file that cannot be read counts as damaged; one
 * that is encrypted when there is no cipher fails with `SPOOL_KEY_MISSING`.
 */
export function examine(layout: Layout, sequence: number, depth: Depth, cipher?: RecordCipher): Decoded<IndexEntry> {
  return opened(layout, sequence, (file) => {
    const end = readTrailerAndMetadata(file);
    if (!end.ok) return end;
    const { trailer, metadata } = end.value;
    if (trailer.encryption !== undefined && cipher === undefined) throw keyMissing(layout.folder);
    if (trailer.sequence !== sequence) return { ok: false, damage: "trailer damaged" };
    const decoded = decodeMetadata(trailer, metadata, cipher);
    if (!decoded.ok) return decoded;
    if (depth === "all" && !imageIsWhole(trailer, readAt(file, 0, trailer.imageBytes))) {
      return { ok: false, damage: "image damaged" };
    }
    return { ok: true, value: entryOf(trailer, decoded.value) };
  });
}

/**
 * Looks for encrypted records from a sequence on, and tries the cipher on up to so many of them: `none` when there is
 * none, `fits` as soon as it decrypts one, `refused` when it decrypts none of those, or there is no cipher.
 */
export function tryEncrypted(
  layout: Layout,
  fromSequence: number,
  recordsMax: number,
  cipher?: RecordCipher,
): "none" | "fits" | "refused" {
  let refused = 0;
  for (const shard of shardsOnDisk(layout, fromSequence)) {
    for (const sequence of sequencesInShard(layout, shard) ?? []) {
      if (sequence < fromSequence) continue;
      const end = opened(layout, sequence, readTrailerAndMetadata);
      if (!end.ok || end.value.trailer.encryption === undefined) continue;
      if (cipher !== undefined && decodeMetadata(end.value.trailer, end.value.metadata, cipher).ok) return "fits";
      refused += 1;
      if (refused >= recordsMax) return "refused";
    }
  }
  return refused === 0 ? "none" : "refused";
}

function opened<T>(layout: Layout, sequence: number, read: (file: number) => Decoded<T>): Decoded<T> {
  const path = envelopePath(layout, sequence);
  try {
    const file = openSync(path, "r");
    try {
      return read(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof AgentError) throw error;
    if (shortages.has(errnoOf(error))) throw diskError("read", path, error);
    return { ok: false, damage: "unreadable" };
  }
}

function entryOf(trailer: Trailer, { owedTo, arrival }: Metadata): IndexEntry {
  const { sequence, id, priority, createdMs, imageBytes, metadataBytes, encryption } = trailer;
  const bytes = imageBytes + metadataBytes + trailerBytes;
  const entry = { sequence, id, priority, createdMs, imageBytes, bytes, encrypted: encryption !== undefined, owedTo };
  return arrival === undefined ? entry : { ...entry, arrival };
}

/** In one read where the metadata is of usual size. */
function readTrailerAndMetadata(file: number): Decoded<{ readonly trailer: Trailer; readonly metadata: Buffer }> {
  const bytes = fstatSync(file).size;
  if (bytes > envelopeBytesMax) return { ok: false, damage: "too long" };
  const tailBytes = Math.min(bytes, spoolLimits.tailReadBytes);
  const tail = readAt(file, bytes - tailBytes, tailBytes);
  const trailer = decodeTrailer(tail, bytes);
  if (!trailer.ok) return trailer;
  const { imageBytes, metadataBytes } = trailer.value;
  const start = tail.length - trailerBytes - metadataBytes;
  const metadata = start >= 0 ? tail.subarray(start, start + metadataBytes) : readAt(file, imageBytes, metadataBytes);
  return { ok: true, value: { trailer: trailer.value, metadata } };
}

function readAt(file: number, position: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < buffer.length) {
    const got = readSync(file, buffer, filled, buffer.length - filled, position + filled);
    if (got === 0) break;
    filled += got;
  }
  return buffer.subarray(0, filled);
}

/**
 * Moves a damaged envelope out of the way; keeps the newest few for a person to look at. False when it cannot be moved:
 * then it stays where it is, and holds up nothing, for no record goes by its sequence any more.
 */
export function setEnvelopeAside(layout: Layout, sequence: number): boolean {
  try {
    mkdirSync(layout.bad, { recursive: true });
    renameSync(envelopePath(layout, sequence), join(layout.bad, `${String(sequence).padStart(12, "0")}.jpg.bad`));
    const kept = namesIn(layout.bad).sort();
    for (const name of kept.slice(0, Math.max(0, kept.length - spoolLimits.damagedFilesMax))) {
      rmSync(join(layout.bad, name), { recursive: true, force: true });
    }
    return true;
  } catch {
    return false;
  }
}

export interface Stuck {
  readonly sequence: number;
  readonly error: AgentError;
}

/**
 * Removes envelopes, then the shards that are empty now: never the newest, which remembers how far sequences got. One
 * that cannot be removed holds up no other; the answer names them.
 */
export function removeEnvelopes(layout: Layout, sequences: readonly number[]): readonly Stuck[] {
  const stuck = sequences.flatMap((sequence) => {
    const path = envelopePath(layout, sequence);
    try {
      unlinkSync(path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") return [{ sequence, error: diskError("remove", path, error) }];
    }
    return [];
  });
  removeEmptyShards(layout, new Set(sequences.map(shardOf)));
  return stuck;
}

/**
 * Their removal is durable when this returns. Rows must not go before: a power cut would bring the files back, and nobody
 * would ever know them again. Where a whole shard went, its own entry says so.
 */
export function flushRemoval(layout: Layout, sequences: readonly number[]): void {
  const shards = [...new Set(sequences.map(shardOf))].map((shard) => shardPath(layout, shard));
  const there = shards.filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);
  for (const path of there) flushFolder(path);
  if (there.length < shards.length) flushFolder(layout.data);
}

function removeEmptyShards(layout: Layout, shards: ReadonlySet<number>): void {
  const newest = shardsOnDisk(layout).at(-1) ?? 0;
  for (const shard of shards) {
    if (shard >= newest) continue;
    try {
      rmdirSync(shardPath(layout, shard));
    } catch {
      // Not empty: its other records are still owed.
    }
  }
}

export function flushFolder(path: string): void {
  try {
    const folder = openSync(path, "r");
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    throw diskError("flush", path, error);
  }
}

/** What lies in the folder beside records: the index with its companions, and what was set aside. */
export function overheadBytes(layout: Layout): number {
  const beside = namesIn(layout.folder).map((name) => join(layout.folder, name));
  const setAside = namesIn(layout.bad).map((name) => join(layout.bad, name));
  return [...beside, ...setAside].reduce((sum, path) => sum + fileBytes(path), 0);
}

/** 0 for what is no file, or gone by now. */
function fileBytes(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true ? found.size : 0;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw diskError("list", folder, error);
  }
}
