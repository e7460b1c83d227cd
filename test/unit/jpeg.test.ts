import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import sharp, { type JpegOptions } from "sharp";
import { standardHuffmanTables } from "../../src/core/huffman-tables.ts";
import { scanJpeg, withHuffmanTables, withoutMetadata } from "../../src/core/jpeg.ts";
import { exifSegment, segment } from "../lib/jpegs.ts";

const soi = Buffer.from([0xff, 0xd8]);
const eoi = Buffer.from([0xff, 0xd9]);
const frameHeader = segment(0xc0, Buffer.from([8, 0, 48, 0, 64, 1, 1, 0x11, 0]));
const scan = Buffer.concat([
  segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0])),
  Buffer.from([1, 0xff, 0, 2, 0xff, 0xd3, 3]),
]);
const picture = (...extra: Buffer[]) => Buffer.concat([soi, ...extra, frameHeader, scan, eoi]);

/** With a thumbnail's own start and end markers in it. */
const exif = (orientation: number) => exifSegment(orientation, Buffer.concat([soi, eoi]).toString("latin1"));

describe("JPEG scan", () => {
  it("reads size, orientation and length past an EXIF thumbnail", () => {
    const bytes = Buffer.concat([picture(exif(6)), Buffer.from("trailing")]);
    const found = scanJpeg(bytes);
    assert.equal(found.kind, "complete");
    assert.equal(found.facts.width, 64);
    assert.equal(found.facts.height, 48);
    assert.equal(found.facts.orientation, 6);
    assert.equal(found.facts.sizeBytes, bytes.length - "trailing".length);
  });

  it("takes out EXIF, IPTC and comments and nothing else", () => {
    const bytes = picture(exif(1), segment(0xfe, Buffer.from("a secret place")), segment(0xed, Buffer.from("iptc")));
    const found = scanJpeg(bytes);
    assert.equal(found.kind, "complete");
    assert.deepEqual(withoutMetadata(bytes, found.facts), picture());
  });

  it("calls a picture damaged that has two frame headers, as one has that swallowed the start of the next", () => {
    assert.equal(scanJpeg(picture(frameHeader)).kind, "damaged");
  });

  it("calls every cut of a picture damaged", () => {
    const bytes = picture(exif(1));
    for (let length = 0; length < bytes.length; length += 1) {
      assert.equal(scanJpeg(bytes.subarray(0, length)).kind, "damaged", `cut at ${length}`);
    }
  });

  it("calls a picture that starts again inside its data damaged", () => {
    const whole = picture();
    const spliced = Buffer.concat([whole.subarray(0, whole.length - 3), whole]);
    assert.equal(scanJpeg(spliced).kind, "damaged");
  });

  it("calls a picture damaged whose size does not fit into its header", () => {
    for (let length = 0; length < 7; length += 1) {
      const bytes = Buffer.from([0xff, 0xd8, 0xff, 0xc0, 0, length]);
      assert.equal(scanJpeg(bytes).kind, "damaged", `a header of ${length} bytes`);
      assert.equal(scanJpeg(Buffer.concat([bytes.subarray(0, 6), scan, eoi])).kind, "damaged");
    }
  });

  it("never throws, whatever bytes are changed or missing", () => {
    const whole = picture(exif(6), segment(0xfe, Buffer.from("a comment")));
    // Every byte may become a marker's, and every length the smallest or the largest.
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 2, 0xc0, 0xd8, 0xd9, 0xda, 0xe1, 0xff));
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), byte), { maxLength: 6 });
    const cut = fc.tuple(fc.nat(whole.length), fc.nat(whole.length));
    fc.assert(
      fc.property(changes, cut, (changed, [from, to]) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changed) bytes[at] = value;
        for (const text of [
          bytes,
          bytes.subarray(0, to),
          Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]),
        ]) {
          const found = scanJpeg(text);
          if (found.kind === "complete") withoutMetadata(text, found.facts);
        }
      }),
      { numRuns: 3_000 },
    );
    // Headers that lie about their length, one after the other, with the end anywhere.
    const marker = fc.oneof(fc.integer({ min: 0xc0, max: 0xef }), fc.constant(0xfe));
    const header = fc.tuple(marker, fc.nat(12), fc.uint8Array({ maxLength: 12 }));
    fc.assert(
      fc.property(fc.array(header, { maxLength: 5 }), (headers) => {
        const parts = headers.map(([kind, length, body]) => Buffer.from([0xff, kind, 0, length, ...body]));
        scanJpeg(Buffer.concat([soi, ...parts]));
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("a JPEG without its Huffman tables, as USB cameras send it", () => {
  /** Encoded with the standard tables; `stripped` is the same without them, with a comment before and after. */
  async function pictures(options: JpegOptions = {}) {
    const noise = { type: "gaussian", mean: 128, sigma: 50 } as const;
    const drawn = sharp({ create: { width: 120, height: 90, channels: 3, background: "grey", noise } });
    const whole = await drawn.jpeg({ optimiseCoding: false, ...options }).toBuffer();
    const tables: Buffer[] = [];
    const kept: Buffer[] = [whole.subarray(0, 2), segment(0xfe, Buffer.from("before"))];
    let at = 2;
    while (whole[at + 1] !== 0xda) {
      const end = at + 2 + whole.readUInt16BE(at + 2);
      (whole[at + 1] === 0xc4 ? tables : kept).push(whole.subarray(at, end));
      at = end;
    }
    return { whole, tables, stripped: Buffer.concat([...kept, whole.subarray(at), Buffer.from("trailing")]) };
  }

  const pixels = (jpeg: Buffer) => sharp(jpeg).raw().toBuffer();

  it("gets the tables of the standard, which are those that encoders use", async () => {
    const { tables } = await pictures();
    const bodies = tables.map((table) => table.subarray(4));
    assert.equal(bodies.length, 4);
    for (const body of bodies) assert.ok(standardHuffmanTables.includes(body));
    assert.equal(standardHuffmanTables.length, 4 + bodies.reduce((sum, body) => sum + body.length, 0));
  });

  it("decodes to the same pixels, is complete, and has its facts right", async () => {
    for (const options of [{}, { chromaSubsampling: "4:4:4" }, { quality: 30 }]) {
      const { whole, stripped } = await pictures(options);
      const found = scanJpeg(stripped);
      assert.equal(found.kind, "complete");
      assert.equal(typeof found.facts.huffmanTablesAt, "number");
      const { jpeg, facts } = withHuffmanTables(stripped, found.facts);
      const again = scanJpeg(jpeg);
      assert.equal(again.kind, "complete");
      assert.deepEqual(facts, again.facts);
      assert.equal(facts.sizeBytes, jpeg.length);
      assert.deepEqual(await pixels(jpeg), await pixels(whole));
      assert.equal(withoutMetadata(jpeg, facts).includes("before"), false);
    }
  });

  it("is left alone where it has tables, and where the standard ones would be wrong", async () => {
    const { whole } = await pictures();
    const progressive = await sharp(whole).jpeg({ progressive: true }).toBuffer();
    for (const jpeg of [whole, progressive, await sharp(whole).jpeg({ optimiseCoding: true }).toBuffer()]) {
      const found = scanJpeg(jpeg);
      assert.equal(found.kind, "complete");
      assert.equal(withHuffmanTables(jpeg, found.facts).jpeg, jpeg);
    }
    const arithmetic = picture();
    arithmetic[arithmetic.indexOf(0xc0)] = 0xc9;
    const found = scanJpeg(arithmetic);
    assert.equal(found.kind === "complete" && found.facts.huffmanTablesAt === undefined, true);
  });
});
