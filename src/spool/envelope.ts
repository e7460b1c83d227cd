import { crc32 } from "node:zlib";
import { AgentError } from "../core/errors.ts";
import type { MovedDelivery } from "../core/queue.ts";
import type { StoredRecord } from "../core/types.ts";
import { ulidBytes, ulidOfBytes } from "../core/ulid.ts";
import { type Encrypted, newNonce, nonceBytes, type RecordCipher, tagBytes } from "./cipher.ts";

/**
 * One record as one file: JPEG, then metadata as JSON, then a trailer of 128 bytes. The JPEG comes first, so that any
 * viewer opens the file; the trailer comes last, so that a cut file cannot pass for a whole one.
 *
 * Trailer, little-endian:
 *
 *     0  magic "FPRECORD"         32  id, 16 bytes of the ULID     68  nonce, 12 bytes
 *     8  version u16              48  created, ms since 1970, u64  80  tag of the JPEG, 16 bytes
 *    10  flags u16                56  priority i32                 96  tag of the metadata, 16 bytes
 *    12  zeros                    60  CRC-32 of the JPEG          112  zeros
 *    16  JPEG length u32          64  CRC-32 of the metadata      124  CRC-32 of bytes 0 to 123
 *    20  metadata length u32
 *    24  sequence u64
 *
 * Bit 0 of `flags`: JPEG and metadata are each encrypted with AES-256-GCM, which keeps their lengths. The last bit of
 * the nonce is 0 for the JPEG and 1 for the metadata; bytes 0 to 59 are the associated data of both. In the clear, nonce
 * and tags are zeros. The checksums are those of the bytes as they lie in the file, so damage shows without a key, and
 * is never taken for a wrong one.
 */

export const trailerBytes = 128;

const magic = Buffer.from("FPRECORD", "latin1");
const version = 1;
const encryptedFlag = 1;
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
  nonce: 68,
  imageTag: 80,
  metadataTag: 96,
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
  /** Absent of a record in the clear. */
  readonly encryption?: Encryption;
}

/** What it takes to decrypt a record, but for the key. */
export interface Encryption {
  readonly nonce: Buffer;
  readonly associated: Buffer;
  readonly imageTag: Buffer;
  readonly metadataTag: Buffer;
}

/** What the metadata holds: the record, and whom it was owed to when it was appended. */
export interface Metadata {
  readonly record: StoredRecord;
  readonly owedTo: readonly string[];
  /** Of a record that came from another spool. */
  readonly arrival?: Arrival;
}

/** Which place a record had in the spool that it came from, and how its deliveries stood when it came. */
export interface Arrival {
  /** `{spoolId}-{sequence}`. */
  readonly from: string;
  readonly deliveries: readonly MovedDelivery[];
}

/**
 * What a record is known again by when it comes in twice. The id alone would not do: a record may come back to a spool
 * that it was moved out of. Nor would the place alone: copies of one disk have one spool id.
 */
export function placeOf(recordId: string, from: string): string {
  return `${recordId} ${from}`;
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
  | "image damaged"
  | "not decryptable";

export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly damage: Damage };

/** An envelope before it is sealed: its metadata in the clear, its trailer without checksums. */
export interface EnvelopeDraft {
  readonly metadata: Buffer;
  readonly trailer: Buffer;
  /** Of the whole file, the JPEG included. */
  readonly sizeBytes: number;
}

export function draftEnvelope(jpeg: Buffer, content: Metadata, createdMs: number): EnvelopeDraft {
  const { record } = content;
  const metadata = Buffer.from(JSON.stringify(content), "utf8");
  const trailer = Buffer.alloc(trailerBytes);
  magic.copy(trailer);
  trailer.writeUInt16LE(version, at.version);
  trailer.writeUInt32LE(jpeg.length, at.imageBytes);
  trailer.writeUInt32LE(metadata.length, at.metadataBytes);
  trailer.writeBigUInt64LE(BigInt(record.sequence), at.sequence);
  ulidBytes(record.id).copy(trailer, at.id);
  trailer.writeBigUInt64LE(BigInt(Math.max(0, Math.floor(createdMs))), at.createdMs);
  trailer.writeInt32LE(priorityOf(record), at.priority);
  return { metadata, trailer, sizeBytes: jpeg.length + metadata.length + trailerBytes };
}

/** The file's parts in order, encrypted when there is a cipher. The draft's trailer is used up. */
export async function sealEnvelope(
  jpeg: Buffer,
  { metadata, trailer }: EnvelopeDraft,
  cipher: RecordCipher | undefined,
): Promise<readonly Buffer[]> {
  if (cipher === undefined) return checked(jpeg, metadata, trailer);
  const nonce = newNonce();
  trailer.writeUInt16LE(encryptedFlag, at.flags);
  const known = { nonce, associated: trailer.subarray(0, at.imageCrc) };
  const [image, rest] = await Promise.all([
    cipher.encrypt("image", known, jpeg),
    cipher.encrypt("metadata", known, metadata),
  ]);
  nonce.copy(trailer, at.nonce);
  image.tag.copy(trailer, at.imageTag);
  rest.tag.copy(trailer, at.metadataTag);
  return checked(image.bytes, rest.bytes, trailer);
}

function checked(image: Buffer, metadata: Buffer, trailer: Buffer): readonly Buffer[] {
  trailer.writeUInt32LE(crc32(image), at.imageCrc);
  trailer.writeUInt32LE(crc32(metadata), at.metadataCrc);
  trailer.writeUInt32LE(crc32(trailer.subarray(0, at.trailerCrc)), at.trailerCrc);
  return [image, metadata, trailer];
}

/** The order in which deliveries go: a whole number of 32 bits. */
export function priorityOf(record: Pick<StoredRecord, "reason">): number {
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
  const flags = trailer.readUInt16LE(at.flags);
  if (trailer.readUInt16LE(at.version) !== version || (flags & ~encryptedFlag) !== 0) {
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
    ...(flags === encryptedFlag ? { encryption: encryptionIn(trailer) } : {}),
  };
  if (value.imageBytes + value.metadataBytes + trailerBytes !== fileBytes) {
    return damaged("length differs from the trailer's");
  }
  return { ok: true, value };
}

/** Copies: the trailer may be the end of a large read. */
function encryptionIn(trailer: Buffer): Encryption {
  const part = (start: number, bytes: number): Buffer => Buffer.from(trailer.subarray(start, start + bytes));
  return {
    nonce: part(at.nonce, nonceBytes),
    associated: part(0, at.imageCrc),
    imageTag: part(at.imageTag, tagBytes),
    metadataTag: part(at.metadataTag, tagBytes),
  };
}

/**
 * `bytes` are exactly the metadata of the envelope that `trailer` ends. Of an encrypted one it takes the cipher: without
 * one it fails with `SPOOL_KEY_MISSING`, for that is no damage.
 */
export function decodeMetadata(trailer: Trailer, bytes: Buffer, cipher?: RecordCipher): Decoded<Metadata> {
  if (!metadataIsWhole(trailer, bytes)) return damaged("metadata damaged");
  const { encryption } = trailer;
  const plain =
    encryption === undefined
      ? bytes
      : needed(cipher, trailer).decryptHere("metadata", encryption, { bytes, tag: encryption.metadataTag });
  if (plain === undefined) return damaged("not decryptable");
  let parsed: unknown;
  try {
    parsed = JSON.parse(plain.toString("utf8"));
  } catch {
    return damaged("metadata damaged");
  }
  return isMetadata(parsed) && parsed.record.sequence === trailer.sequence && parsed.record.id === trailer.id
    ? { ok: true, value: parsed }
    : damaged("metadata damaged");
}

/** `bytes` are exactly the image as it lies in the file. Of an encrypted one it takes the cipher, as metadata does. */
export async function decodeImage(trailer: Trailer, bytes: Buffer, cipher?: RecordCipher): Promise<Decoded<Buffer>> {
  if (!imageIsWhole(trailer, bytes)) return damaged("image damaged");
  const { encryption } = trailer;
  if (encryption === undefined) return { ok: true, value: bytes };
  const encrypted: Encrypted = { bytes, tag: encryption.imageTag };
  const image = await needed(cipher, trailer).decrypt("image", encryption, encrypted);
  return image === undefined ? damaged("not decryptable") : { ok: true, value: image };
}

/** An envelope's parts as they lie in its file. */
export interface WholeEnvelope {
  readonly trailer: Trailer;
  readonly image: Buffer;
  readonly metadata: Buffer;
}

/** A whole file, verified by its checksums. */
export function splitEnvelope(bytes: Buffer): Decoded<WholeEnvelope> {
  const trailer = decodeTrailer(bytes, bytes.length);
  if (!trailer.ok) return trailer;
  const { imageBytes } = trailer.value;
  const image = bytes.subarray(0, imageBytes);
  const metadata = bytes.subarray(imageBytes, bytes.length - trailerBytes);
  if (!imageIsWhole(trailer.value, image)) return damaged("image damaged");
  if (!metadataIsWhole(trailer.value, metadata)) return damaged("metadata damaged");
  return { ok: true, value: { trailer: trailer.value, image, metadata } };
}

/** By its checksum, which takes no key. */
export function imageIsWhole(trailer: Trailer, bytes: Buffer): boolean {
  return bytes.length === trailer.imageBytes && crc32(bytes) === trailer.imageCrc;
}

/** By its checksum, which takes no key. */
export function metadataIsWhole(trailer: Trailer, bytes: Buffer): boolean {
  return bytes.length === trailer.metadataBytes && crc32(bytes) === trailer.metadataCrc;
}

function needed(cipher: RecordCipher | undefined, { id }: Trailer): RecordCipher {
  if (cipher !== undefined) return cipher;
  throw new AgentError("SPOOL_KEY_MISSING", `read record ${id}: it is encrypted, and no key is configured`, {
    disposition: "fatal",
  });
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
