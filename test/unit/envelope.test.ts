import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Detection, StoredRecord } from "../../src/core/types.ts";
import {
  decodeMetadata,
  decodeTrailer,
  type Decoded,
  draftEnvelope,
  imageIsWhole,
  type Metadata,
  sealEnvelope,
  trailerBytes,
} from "../../src/spool/envelope.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";

const jpeg = imageOf(700);
const outlined: Detection = {
  label: "person",
  score: 0.9,
  box: { left: 1.5, top: 2, width: 3, height: 4 },
  polygon: [
    { x: 1.5, y: 2 },
    { x: 4.5, y: 2.1 },
    { x: 3, y: 6 },
  ],
  line: [
    { x: 1.5, y: 2 },
    { x: 4.5, y: 6.25 },
  ],
};
const record: StoredRecord = {
  ...draftOf({ reason: { rule: "label:größe ✓", priority: -3 }, detections: [outlined] }),
  id: "01ARYZ6S410123456789ABCDEF",
  name: "gw-abcd-42.jpg",
  device: "gw",
  sequence: 42,
  imageBytes: jpeg.length,
  imageSha256: "0".repeat(64),
};
const owedTo = ["iotown", "mqtt"];

async function fileOf(): Promise<Buffer> {
  const draft = draftEnvelope(jpeg, { record, owedTo }, 1_700_000_000_123);
  const file = Buffer.concat(await sealEnvelope(jpeg, draft, undefined));
  assert.equal(file.length, draft.sizeBytes);
  return file;
}

/** Reads a whole file as the spool does, image included. */
function decode(file: Buffer): Decoded<Metadata> {
  const trailer = decodeTrailer(file, file.length);
  if (!trailer.ok) return trailer;
  const { imageBytes, metadataBytes } = trailer.value;
  const metadata = decodeMetadata(trailer.value, file.subarray(imageBytes, imageBytes + metadataBytes));
  if (!metadata.ok) return metadata;
  return imageIsWhole(trailer.value, file.subarray(0, imageBytes)) ? metadata : { ok: false, damage: "image damaged" };
}

describe("envelope", () => {
  it("gives back the record, whom it was owed to, and what the index needs", async () => {
    const file = await fileOf();
    assert.deepEqual(decode(file), { ok: true, value: { record, owedTo } });
    const trailer = decodeTrailer(file.subarray(-trailerBytes), file.length);
    assert.ok(trailer.ok);
    const { imageBytes, sequence, id, createdMs, priority } = trailer.value;
    assert.deepEqual(
      { imageBytes, sequence, id, createdMs, priority },
      { imageBytes: 700, sequence: 42, id: record.id, createdMs: 1_700_000_000_123, priority: -3 },
    );
  });

  it("starts with the JPEG, byte for byte, so that any viewer opens it", async () => {
    assert.deepEqual((await fileOf()).subarray(0, jpeg.length), jpeg);
  });

  it("notices a cut at every byte", async () => {
    const file = await fileOf();
    for (let length = 0; length < file.length; length += 1) {
      assert.equal(decode(file.subarray(0, length)).ok, false, `cut after ${length} bytes`);
    }
  });

  it("notices every flipped bit of the trailer, and of the rest", async () => {
    const file = await fileOf();
    for (let at = file.length - trailerBytes; at < file.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        file[at] = (file[at] ?? 0) ^ (1 << bit);
        assert.equal(decode(file).ok, false, `byte ${at - file.length}, bit ${bit}`);
        file[at] = (file[at] ?? 0) ^ (1 << bit);
      }
    }
    for (let at = 0; at < file.length - trailerBytes; at += 1) {
      file[at] = (file[at] ?? 0) ^ (1 << (at % 8));
      const decoded = decode(file);
      assert.equal(decoded.ok ? "whole" : decoded.damage, at < jpeg.length ? "image damaged" : "metadata damaged");
      file[at] = (file[at] ?? 0) ^ (1 << (at % 8));
    }
    assert.ok(decode(file).ok, "the file is as it was");
  });

  it("notices zeros, bytes appended, and a stranger's file", async () => {
    const file = await fileOf();
    for (const [bytes, damage] of [
      [Buffer.alloc(0), "too short"],
      [Buffer.alloc(file.length), "no trailer"],
      [imageOf(5_000), "no trailer"],
      [Buffer.concat([file, Buffer.alloc(1)]), "no trailer"],
      [Buffer.concat([Buffer.alloc(1), file]), "length differs from the trailer's"],
    ] as const) {
      const decoded = decode(bytes);
      assert.equal(decoded.ok ? "whole" : decoded.damage, damage);
    }
  });
});
