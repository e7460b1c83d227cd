import { crc32 } from "node:zlib";
import type { StoredRecord } from "../core/types.ts";
import { ulidBytes, ulidOfBytes } from "../core/ulid.ts";

/**
 * One record as one file: JPEG, then metadata as JSON, then a trailer of 128 bytes. The JPEG comes first, so that any
 * viewer opens the file; the trailer comes last, so that a cut file cannot pass for a whole one.
 *
 * Trailer, little-endian:
 *
 *     0  magic "FPRECORD"         32  id, 16 bytes of the ULID     68  nonce, 12 bytes
 *     8  version u16              48  created, ms since 1970, u64  80  authentication tag, 16 bytes
 *    10  flags u16                56  priority i32                 96  zeros
 *    12  zeros                    60  CRC-32 of the JPEG          124  CRC-32 of bytes 0 to 123
 *    16  JPEG length u32          64  CRC-32 of the metadata
 *    20  metadata length u32
 *    24  sequence u64
 *
 * Nonce and tag are zeros while `flags` does not say that the record is encrypted; no flag is defined yet.
 */

export const trailerBytes = 128;

const magic = Buffer.from("FPRECORD", "latin1");
const version = 1;
const at = {
  version: 8,
  flags: 10,
  imageBytes: 16,
  metadataBytes: 20,
  sequence: 24,
  id: 32,
  createdMs: 48,
  priority: 56,
  imageCrc: 60,
  metadataCrc: 64,
  trailerCrc: 124,
} as const;

export interface Trailer {
  readonly imageBytes: number;
  readonly metadataBytes: number;
  readonly sequence: number;
  readonly id: string;
  readonly createdMs: number;
  readonly priority: number;
  readonly imageCrc: number;
  readonly metadataCrc: number;
}

/** What the metadata holds: the record, and whom it was owed to when it was appended. */
export interface Metadata {
  readonly record: StoredRecord;
  readonly owedTo: readonly string[];
}

/** Why a file is no envelope, or not any more. */
export type Damage =
  | "unreadable"
  | "too short"
  | "too long"
  | "no trailer"
  | "trailer damaged"
  | "unknown version"
  | "length differs from the trailer's"
  | "metadata damaged"
  | "image damaged";

export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly damage: Damage };

export interface EncodedEnvelope {
  readonly metadata: Buffer;
  readonly trailer: Buffer;
  /** Of the whole file, the JPEG included. */
  readonly sizeBytes: number;
}

/** Everything of the file that follows the JPEG. */
export function encodeEnvelope(jpeg: Buffer, { record, owedTo }: Metadata, createdMs: number): EncodedEnvelope {
  const metadata = Buffer.from(JSON.stringify({ record, owedTo }), "utf8");
  const trailer = Buffer.alloc(trailerBytes);
  magic.copy(trailer);
  trailer.writeUInt16LE(version, at.version);
  trailer.writeUInt32LE(jpeg.length, at.imageBytes);
  trailer.writeUInt32LE(metadata.length, at.metadataBytes);
  trailer.writeBigUInt64LE(BigInt(record.sequence), at.sequence);
  ulidBytes(record.id).copy(trailer, at.id);
  trailer.writeBigUInt64LE(BigInt(Math.max(0, Math.floor(createdMs))), at.createdMs);
  trailer.writeInt32LE(priorityOf(record), at.priority);
  trailer.writeUInt32LE(crc32(jpeg), at.imageCrc);
  trailer.writeUInt32LE(crc32(metadata), at.metadataCrc);
  trailer.writeUInt32LE(crc32(trailer.subarray(0, at.trailerCrc)), at.trailerCrc);
  return { metadata, trailer, sizeBytes: jpeg.length + metadata.length + trailerBytes };
}

/** The order in which deliveries go: a whole number of 32 bits. */
export function priorityOf(record: StoredRecord): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(record.reason.priority) || 0));
}

/** `tail` ends where the file ends and holds at least its last 128 bytes, unless the file is shorter. */
export function decodeTrailer(tail: Buffer, fileBytes: number): Decoded<Trailer> {
  if (tail.length < trailerBytes) return damaged("too short");
  const trailer = tail.subarray(tail.length - trailerBytes);
  if (!trailer.subarray(0, magic.length).equals(magic)) return damaged("no trailer");
  if (crc32(trailer.subarray(0, at.trailerCrc)) !== trailer.readUInt32LE(at.trailerCrc)) {
    return damaged("trailer damaged");
  }
  if (trailer.readUInt16LE(at.version) !== version || trailer.readUInt16LE(at.flags) !== 0) {
    return damaged("unknown version");
  }
  const value: Trailer = {
    imageBytes: trailer.readUInt32LE(at.imageBytes),
    metadataBytes: trailer.readUInt32LE(at.metadataBytes),
    sequence: Number(trailer.readBigUInt64LE(at.sequence)),
    id: ulidOfBytes(trailer.subarray(at.id, at.id + 16)),
    createdMs: Number(trailer.readBigUInt64LE(at.createdMs)),
    priority: trailer.readInt32LE(at.priority),
    imageCrc: trailer.readUInt32LE(at.imageCrc),
    metadataCrc: trailer.readUInt32LE(at.metadataCrc),
  };
  if (value.imageBytes + value.metadataBytes + trailerBytes !== fileBytes) {
    return damaged("length differs from the trailer's");
  }
  return { ok: true, value };
}

/** `bytes` are exactly the metadata of the envelope that `trailer` ends. */
export function decodeMetadata(trailer: Trailer, bytes: Buffer): Decoded<Metadata> {
  if (bytes.length !== trailer.metadataBytes || crc32(bytes) !== trailer.metadataCrc)
    return damaged("metadata damaged");
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString("utf8"));
  } catch {
    return damaged("metadata damaged");
  }
  return isMetadata(parsed) && parsed.record.sequence === trailer.sequence && parsed.record.id === trailer.id
    ? { ok: true, value: parsed }
    : damaged("metadata damaged");
}

export function imageIsWhole(trailer: Trailer, bytes: Buffer): boolean {
  return bytes.length === trailer.imageBytes && crc32(bytes) === trailer.imageCrc;
}

function damaged(damage: Damage): { readonly ok: false; readonly damage: Damage } {
  return { ok: false, damage };
}

/** The CRC vouches that these are the bytes an agent wrote, so only what names the record is looked at. */
function isMetadata(value: unknown): value is Metadata {
  if (typeof value !== "object" || value === null || !("record" in value) || !("owedTo" in value)) return false;
  const { record, owedTo } = value;
  if (typeof record !== "object" || record === null || !Array.isArray(owedTo)) return false;
  return (
    "id" in record &&
    "sequence" in record &&
    "name" in record &&
    typeof record.name === "string" &&
    "detections" in record &&
    Array.isArray(record.detections) &&
    "reason" in record &&
    owedTo.every((targetId) => typeof targetId === "string")
  );
}
