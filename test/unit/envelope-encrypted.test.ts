import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { describe, it } from "mocha";
import { keyOfText } from "../../src/core/key-text.ts";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { checkValueOf, keyOf, newNonce, RecordCipher } from "../../src/spool/cipher.ts";
import {
  decodeImage,
  decodeMetadata,
  decodeTrailer,
  draftEnvelope,
  sealEnvelope,
  trailerBytes,
} from "../../src/spool/envelope.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { seededRandom } from "../lib/seams.ts";

const key = randomBytes(32);
const cipher = new RecordCipher(key);
const owedTo = ["iotown"];

function recordOf(cameraId: string): StoredRecord {
  return {
    ...draftOf({ cameraId }),
    ...{ id: "01ARYZ6S410123456789ABCDEF", name: "gw-abcd-42.jpg", device: "gw", sequence: 42 },
    ...{ imageBytes: 0, imageSha256: "0".repeat(64) },
  };
}

async function fileOf(jpeg: Buffer, cameraId = "gate", by: RecordCipher | "clear" = cipher): Promise<Buffer> {
  const draft = draftEnvelope(jpeg, { record: recordOf(cameraId), owedTo }, 1_700_000_000_123);
  return Buffer.concat(await sealEnvelope(jpeg, draft, by === "clear" ? undefined : by));
}

interface Read {
  readonly metadata: unknown;
  readonly image: Buffer;
}

/** Everything of a file, or the damage that one of its three parts has. */
async function read(file: Buffer, by = cipher): Promise<Read | string> {
  const trailer = decodeTrailer(file, file.length);
  if (!trailer.ok) return trailer.damage;
  const { imageBytes } = trailer.value;
  const metadata = decodeMetadata(trailer.value, file.subarray(imageBytes, file.length - trailerBytes), by);
  if (!metadata.ok) return metadata.damage;
  const image = await decodeImage(trailer.value, file.subarray(0, imageBytes), by);
  return image.ok ? { metadata: metadata.value, image: image.value } : image.damage;
}

/** The file with changed bytes, and checksums that agree with them: what only somebody with intent writes. */
function forged(file: Buffer, change: (file: Buffer, trailer: Buffer) => void): Buffer {
  const copy = Buffer.from(file);
  const trailer = copy.subarray(-trailerBytes);
  change(copy, trailer);
  const imageBytes = file.readUInt32LE(file.length - trailerBytes + 16);
  trailer.writeUInt32LE(crc32(copy.subarray(0, imageBytes)), 60);
  trailer.writeUInt32LE(crc32(copy.subarray(imageBytes, -trailerBytes)), 64);
  trailer.writeUInt32LE(crc32(trailer.subarray(0, 124)), 124);
  return copy;
}

describe("encrypted envelope", () => {
  it("gives back every image and metadata, of any size, small and large ones alike", async () => {
    const here = spoolLimits.hashHereBytesMax;
    const random = seededRandom(3);
    const sizes = [...Array.from({ length: 300 }, () => 4 + Math.floor(random() * 3_000)), here - 1, here, here + 1];
    for (const [at, size] of [...sizes, 3 * here + 5].entries()) {
      const jpeg = imageOf(size, at);
      const cameraId = "g".repeat(1 + (at % 900));
      const file = await fileOf(jpeg, cameraId);
      assert.equal(file.length, (await fileOf(jpeg, cameraId, "clear")).length, "lengths stay");
      assert.deepEqual(await read(file), { metadata: { record: recordOf(cameraId), owedTo }, image: jpeg });
    }
  });

  it("shows nothing of the image or the metadata", async () => {
    const jpeg = imageOf(5_000);
    const file = await fileOf(jpeg, "a-camera-name");
    const plain = await fileOf(jpeg, "a-camera-name", "clear");
    for (const part of [
      jpeg.subarray(0, 16),
      jpeg.subarray(-16),
      Buffer.from("a-camera-name"),
      Buffer.from("person"),
    ]) {
      assert.ok(plain.includes(part), "it would be seen");
      assert.ok(!file.includes(part));
    }
  });

  it("gives nothing for a byte changed anywhere, whether its checksum was made to fit or not", async () => {
    for (const size of [400, spoolLimits.hashHereBytesMax + 1]) {
      const file = await fileOf(imageOf(size));
      const step = size === 400 ? 1 : 30_011;
      for (let at = 0; at < file.length; at += step) {
        const flip = (bytes: Buffer): number => (bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8)));
        const changed = Buffer.from(file);
        flip(changed);
        assert.equal(typeof (await read(changed)), "string", `byte ${at} of ${file.length}`);
        const inTrailer = at - (file.length - trailerBytes);
        // Checksums are made anew, and the zeros at the end mean nothing.
        if ((inTrailer >= 60 && inTrailer < 68) || inTrailer >= 112) continue;
        const damage = await read(forged(file, flip));
        assert.equal(typeof damage, "string", `byte ${at} of ${file.length}, checksums fit`);
        if (inTrailer < 0) assert.equal(damage, "not decryptable");
      }
    }
  });

  it("refuses a trailer field that somebody changed, checksum included", async () => {
    const file = await fileOf(imageOf(400));
    assert.notEqual(typeof (await read(forged(file, () => undefined))), "string", "as it was");
    for (const [field, at, damage] of [
      ["a reserved byte", 12, "not decryptable"],
      ["the sequence", 24, "not decryptable"],
      ["the id", 40, "not decryptable"],
      ["created", 48, "not decryptable"],
      ["the priority", 56, "not decryptable"],
      ["the nonce", 68, "not decryptable"],
      ["the tag of the image", 80, "not decryptable"],
      ["the tag of the metadata", 96, "not decryptable"],
      ["the flag, cleared", 10, "metadata damaged"],
    ] as const) {
      const changed = forged(file, (_, trailer) => (trailer[at] = (trailer[at] ?? 0) ^ 1));
      assert.equal(await read(changed), damage, field);
    }
    const unknownFlag = forged(file, (_, trailer) => (trailer[10] = 3));
    assert.equal(await read(unknownFlag), "unknown version");
  });

  it("tells a wrong key from damage, and a missing one from both", async () => {
    const file = await fileOf(imageOf(400));
    assert.equal(await read(file, new RecordCipher(randomBytes(32))), "not decryptable");
    const large = await fileOf(imageOf(spoolLimits.hashHereBytesMax + 1));
    const trailer = decodeTrailer(large, large.length);
    assert.ok(trailer.ok);
    const image = large.subarray(0, trailer.value.imageBytes);
    const other = await decodeImage(trailer.value, image, new RecordCipher(randomBytes(32)));
    assert.deepEqual(other, { ok: false, damage: "not decryptable" });
    const missing = { code: "SPOOL_KEY_MISSING", disposition: "fatal" };
    await assert.rejects(decodeImage(trailer.value, image), missing);
    const metadata = large.subarray(trailer.value.imageBytes, -trailerBytes);
    assert.throws(() => decodeMetadata(trailer.value, metadata), missing);
    metadata[3] = (metadata[3] ?? 0) ^ 1;
    assert.deepEqual(decodeMetadata(trailer.value, metadata), { ok: false, damage: "metadata damaged" });
  });

  it("reads a record in the clear with a key, and one that another thread encrypted", async () => {
    assert.deepEqual(await read(await fileOf(imageOf(900), "gate", "clear")), {
      metadata: { record: recordOf("gate"), owedTo },
      image: imageOf(900),
    });
    // Both ways of encrypting speak the same AES-256-GCM.
    const plain = randomBytes(spoolLimits.hashHereBytesMax + 77);
    const known = { nonce: newNonce(), associated: Buffer.from("x") };
    const elsewhere = await cipher.encrypt("image", known, plain);
    assert.deepEqual(cipher.decryptHere("image", known, elsewhere), plain);
    assert.equal(cipher.decryptHere("metadata", known, elsewhere), undefined, "the messages cannot be exchanged");
  });

  it("never repeats a nonce, and leaves its last bit to the message", async () => {
    const seen = new Set<string>();
    const jpeg = imageOf(8);
    for (let count = 0; count < 10_000; count += 1) {
      const nonce = (await fileOf(jpeg)).subarray(-trailerBytes).subarray(68, 80);
      assert.equal((nonce[11] ?? 1) & 1, 0);
      seen.add(nonce.toString("hex"));
    }
    assert.equal(seen.size, 10_000);
  });
});

describe("spool key", () => {
  const hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

  it("is 64 hexadecimal digits or base64 of 32 bytes", () => {
    const bytes = Buffer.from(hex, "hex");
    assert.deepEqual(keyOf(hex), bytes);
    assert.deepEqual(keyOf(hex.toUpperCase()), bytes);
    assert.deepEqual(keyOf(bytes.toString("base64")), bytes);
  });

  it("of any other form is refused without being shown", () => {
    const base64 = Buffer.from(hex, "hex").toString("base64");
    for (const text of [
      ...["", hex.slice(1), `${hex}0`, `${hex}\n`, ` ${hex}`, `0x${hex.slice(2)}`, `g${hex.slice(1)}`],
      ...[
        base64.slice(0, -1),
        `${base64}=`,
        base64.replace("=", "\n="),
        randomBytes(31).toString("base64"),
        "passphrase",
      ],
      // The last digit holds two bits that no encoder sets.
      `${base64.slice(0, 42)}9=`,
    ]) {
      assert.equal(keyOfText(text), undefined, JSON.stringify(text));
      assert.throws(
        () => keyOf(text),
        (error: Error) => {
          assert.ok("code" in error && error.code === "SPOOL_KEY_INVALID");
          return text === "" || !error.message.includes(text.trim());
        },
      );
    }
  });

  it("has a check value that differs by key and holds nothing of it", () => {
    const other = randomBytes(32);
    assert.equal(checkValueOf(key), checkValueOf(Buffer.from(key)));
    assert.notEqual(checkValueOf(key), checkValueOf(other));
    assert.match(checkValueOf(key), /^[0-9a-f]{32}$/);
    assert.ok(!key.toString("hex").includes(checkValueOf(key)));
  });
});
