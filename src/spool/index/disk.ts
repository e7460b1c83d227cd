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
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../../core/errors.ts";
import { spoolLimits } from "../../core/limits.ts";
import { decodeMetadata, type Decoded, decodeTrailer, imageIsWhole, trailerBytes } from "../envelope.ts";
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

export function sequencesInShard(layout: Layout, shard: number): readonly number[] {
  return namesIn(shardPath(layout, shard))
    .flatMap((name) => sequenceOfName(name) ?? [])
    .filter((sequence) => shardOf(sequence) === shard)
    .sort((a, b) => a - b);
}

/** These say that the machine is short of something, and nothing about the file. */
const shortages: ReadonlySet<string | undefined> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/** What the index has to know of an envelope, from the envelope itself. A file that cannot be read counts as damaged. */
export function examine(layout: Layout, sequence: number, depth: Depth): Decoded<IndexEntry> {
  const path = envelopePath(layout, sequence);
  try {
    const file = openSync(path, "r");
    try {
      return examineOpen(file, sequence, depth);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (shortages.has(errnoOf(error))) throw diskError("read", path, error);
    return { ok: false, damage: "unreadable" };
  }
}

function examineOpen(file: number, sequence: number, depth: Depth): Decoded<IndexEntry> {
  const bytes = fstatSync(file).size;
  if (bytes > envelopeBytesMax) return { ok: false, damage: "too long" };
  let read = readEnd(file, bytes, depth === "all" ? bytes : spoolLimits.tailReadBytes);
  const trailer = decodeTrailer(read, bytes);
  if (!trailer.ok) return trailer;
  const { imageBytes, metadataBytes } = trailer.value;
  if (read.length < metadataBytes + trailerBytes) read = readEnd(file, bytes, metadataBytes + trailerBytes);
  const metadataEnd = read.length - trailerBytes;
  const metadata = decodeMetadata(trailer.value, read.subarray(metadataEnd - metadataBytes, metadataEnd));
  if (!metadata.ok) return metadata;
  if (trailer.value.sequence !== sequence) return { ok: false, damage: "trailer damaged" };
  if (depth === "all" && !imageIsWhole(trailer.value, read.subarray(0, imageBytes))) {
    return { ok: false, damage: "image damaged" };
  }
  const { id, priority, createdMs } = trailer.value;
  return {
    ok: true,
    value: { sequence, id, priority, createdMs, imageBytes, bytes, encrypted: false, owedTo: metadata.value.owedTo },
  };
}

function readEnd(file: number, fileBytes: number, lengthMax: number): Buffer {
  const start = Math.max(0, fileBytes - lengthMax);
  const buffer = Buffer.allocUnsafe(fileBytes - start);
  let filled = 0;
  while (filled < buffer.length) {
    const got = readSync(file, buffer, filled, buffer.length - filled, start + filled);
    if (got === 0) break;
    filled += got;
  }
  return buffer.subarray(0, filled);
}

/**
 * Moves a damaged envelope out of the way; keeps the newest few for a person to look at. What cannot be moved stays where
 * it is, and holds up nothing: no record goes by its sequence any more.
 */
export function setEnvelopeAside(layout: Layout, sequence: number): void {
  try {
    mkdirSync(layout.bad, { recursive: true });
    renameSync(envelopePath(layout, sequence), join(layout.bad, `${String(sequence).padStart(12, "0")}.jpg.bad`));
    const kept = namesIn(layout.bad).sort();
    for (const name of kept.slice(0, Math.max(0, kept.length - spoolLimits.damagedFilesMax))) {
      rmSync(join(layout.bad, name), { recursive: true, force: true });
    }
  } catch {
    return;
  }
}

/** Removes envelopes, then the shards that are empty now: never the newest, which remembers how far sequences got. */
export function removeEnvelopes(layout: Layout, sequences: readonly number[]): void {
  for (const sequence of sequences) {
    try {
      unlinkSync(envelopePath(layout, sequence));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw diskError("remove", envelopePath(layout, sequence), error);
    }
  }
  const touched = new Set(sequences.map(shardOf));
  const newest = shardsOnDisk(layout).at(-1) ?? 0;
  for (const shard of touched) {
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

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw diskError("list", folder, error);
  }
}
