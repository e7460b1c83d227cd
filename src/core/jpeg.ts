import { standardHuffmanTables } from "./huffman-tables.ts";

/**
 * What can be known of a JPEG without decoding it: a walk over its markers. A search for FF D8 … FF D9 is not enough,
 * because EXIF thumbnails hold both.
 */

export interface JpegFacts {
  /** As stored, before any EXIF rotation. */
  readonly width: number;
  readonly height: number;
  /** EXIF orientation, 1 (upright) to 8. */
  readonly orientation: number;
  /** Bytes up to and including the end marker; what follows it is not part of the picture. */
  readonly sizeBytes: number;
  /** Byte ranges of segments that describe more than pixels: EXIF, XMP, IPTC, comments. */
  readonly metadata: readonly { readonly start: number; readonly end: number }[];
  /** Where the Huffman tables belong of a motion JPEG that leaves them out; absent of a JPEG that needs nothing more. */
  readonly huffmanTablesAt?: number;
}

export type JpegScan =
  | { readonly kind: "complete"; readonly facts: JpegFacts }
  /** `why` is a phrase for an error text. */
  | { readonly kind: "damaged"; readonly why: string };

const SOF0 = 0xc0;
const SOF1 = 0xc1;
const DHT = 0xc4;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP1 = 0xe1;
const APP13 = 0xed;
const COM = 0xfe;

export function scanJpeg(bytes: Buffer): JpegScan {
  if (bytes.length < 4 || bytes[0] !== 0xff || bytes[1] !== SOI) return damaged("it does not start as a JPEG");
  let size: { width: number; height: number } | undefined;
  let orientation = 1;
  let coding = 0;
  let sawTables = false;
  let firstScanAt: number | undefined;
  const metadata: { start: number; end: number }[] = [];
  let at = 2;
  for (;;) {
    if (bytes[at] !== 0xff) return damaged(at >= bytes.length ? "it ends too early" : `no marker at byte ${at}`);
    while (bytes[at + 1] === 0xff) at += 1;
    const marker = bytes[at + 1];
    if (marker === undefined) return damaged("it ends too early");
    if (marker === EOI) break;
    if (marker === SOI) return damaged("a second picture starts inside it");
    if (marker < 0xc0 || isRestart(marker)) return damaged(`no marker at byte ${at}`);
    const end = at + 2 + (at + 4 <= bytes.length ? bytes.readUInt16BE(at + 2) : Infinity);
    if (end > bytes.length) return damaged("it ends inside a header");
    if (isFrameHeader(marker) && end < at + 9) return damaged("a header of it is cut short");
    if (isFrameHeader(marker)) {
      if (size !== undefined) return damaged("it has two frame headers");
      size = { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
      coding = marker;
    }
    if (marker === DHT) sawTables = true;
    if (marker === APP1) orientation = exifOrientation(bytes.subarray(at + 4, end)) ?? orientation;
    if (marker === APP1 || marker === APP13 || marker === COM) metadata.push({ start: at, end });
    if (marker === SOS) firstScanAt ??= at;
    at = end;
    if (marker === SOS) {
      const next = endOfEntropyData(bytes, at);
      if (next === undefined) return damaged("its picture data ends too early");
      at = next;
    }
  }
  if (size === undefined || size.width === 0 || size.height === 0) return damaged("it names no size");
  if (firstScanAt === undefined) return damaged("it holds no picture data");
  const lacksTables = !sawTables && (coding === SOF0 || coding === SOF1);
  const tablesAt = lacksTables ? { huffmanTablesAt: firstScanAt } : {};
  return { kind: "complete", facts: { ...size, orientation, sizeBytes: at + 2, metadata, ...tablesAt } };
}

/** The same pixels without EXIF, XMP, IPTC, comments and whatever follows the end marker. Copies only when it must. */
export function withoutMetadata(bytes: Buffer, facts: JpegFacts): Buffer {
  if (facts.metadata.length === 0) return bytes.subarray(0, facts.sizeBytes);
  const kept: Buffer[] = [];
  let from = 0;
  for (const { start, end } of facts.metadata) {
    kept.push(bytes.subarray(from, start));
    from = end;
  }
  kept.push(bytes.subarray(from, facts.sizeBytes));
  return Buffer.concat(kept);
}

/** The same picture with the standard Huffman tables, where it lacks them and means them. Copies only when it must. */
export function withHuffmanTables(
  bytes: Buffer,
  facts: JpegFacts,
): { readonly jpeg: Buffer; readonly facts: JpegFacts } {
  const { huffmanTablesAt: at, metadata, sizeBytes, ...rest } = facts;
  if (at === undefined) return { jpeg: bytes, facts };
  const added = standardHuffmanTables.length;
  const jpeg = Buffer.allocUnsafeSlow(sizeBytes + added);
  bytes.copy(jpeg, 0, 0, at);
  standardHuffmanTables.copy(jpeg, at);
  bytes.copy(jpeg, at + added, at, sizeBytes);
  const moved = metadata.map(({ start, end }) =>
    start < at ? { start, end } : { start: start + added, end: end + added },
  );
  return { jpeg, facts: { ...rest, sizeBytes: sizeBytes + added, metadata: moved } };
}

function damaged(why: string): JpegScan {
  return { kind: "damaged", why };
}

/** SOF0–SOF15 without DHT (C4), JPG (C8) and DAC (CC). */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function isRestart(marker: number): boolean {
  return marker >= 0xd0 && marker <= 0xd7;
}

/** Inside entropy data FF00 is a literal and FFD0–FFD7 are restart marks; any other marker ends it. */
function endOfEntropyData(bytes: Buffer, from: number): number | undefined {
  let at = from;
  for (;;) {
    at = bytes.indexOf(0xff, at);
    if (at === -1 || at + 1 >= bytes.length) return undefined;
    const next = bytes[at + 1] ?? 0;
    if (next !== 0 && next !== 0xff && !isRestart(next)) return at;
    at += next === 0xff ? 1 : 2;
  }
}

/** Tag 0x0112 of the first directory (EXIF 2.3, TIFF 6). Anything odd counts as upright. */
function exifOrientation(segment: Buffer): number | undefined {
  if (segment.length < 14 || segment.toString("latin1", 0, 6) !== "Exif\0\0") return undefined;
  const tiff = segment.subarray(6);
  const little = tiff.toString("latin1", 0, 2) === "II";
  const u16 = (at: number) => (at + 2 > tiff.length ? 0 : little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const u32 = (at: number) => (at + 4 > tiff.length ? 0 : little ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at));
  const directory = u32(4);
  const entries = Math.min(u16(directory), 256);
  for (let entry = 0; entry < entries; entry += 1) {
    const at = directory + 2 + entry * 12;
    if (u16(at) !== 0x0112) continue;
    const value = u16(at + 8);
    return value >= 1 && value <= 8 ? value : undefined;
  }
  return undefined;
}
