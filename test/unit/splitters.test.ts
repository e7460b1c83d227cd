import assert from "node:assert/strict";
import fc from "fast-check";
import { before, describe, it } from "mocha";
import sharp from "sharp";
import { JpegSplitter } from "../../src/capture/stream/jpeg-splitter.ts";
import { MultipartSplitter } from "../../src/capture/stream/multipart-splitter.ts";
import { handmadeJpeg, segment } from "../lib/jpegs.ts";
import { jpegOf } from "../lib/pictures.ts";

const boundBytes = 64 * 1_024;
const chunkSizes = [1, 7, 4_096, 65_536, 300_000];

type Splitter = typeof JpegSplitter | typeof MultipartSplitter;

/** The frames of a stream that arrives in chunks of this size, or of these sizes in turn. */
function split(Kind: Splitter, stream: Buffer, sizes: number | readonly number[], bound = boundBytes): Buffer[] {
  const frames: Buffer[] = [];
  const splitter = new Kind(bound, (view) => frames.push(Buffer.from(view)));
  const turns = typeof sizes === "number" ? [sizes] : sizes;
  for (let at = 0, turn = 0; at < stream.length; turn += 1) {
    const size = turns[turn % turns.length] ?? 1;
    splitter.push(stream.subarray(at, at + size));
    at += size;
  }
  return frames;
}

/** Every chunk size that is asked for, and a cut at every byte. */
function assertFrames(Kind: Splitter, stream: Buffer, expected: readonly Buffer[], bound = boundBytes): void {
  for (const size of chunkSizes) assert.deepEqual(split(Kind, stream, size, bound), expected, `chunks of ${size}`);
  if (stream.length > 4_000) return;
  for (let cut = 1; cut < stream.length; cut += 1) {
    assert.deepEqual(split(Kind, stream, [cut, stream.length], bound), expected, `cut at ${cut}`);
  }
}

describe("JPEG splitter", () => {
  const small = handmadeJpeg(64, 48);
  const other = handmadeJpeg(32, 24, segment(0xfe, Buffer.from("another")));
  const thumbnail = segment(0xe1, Buffer.concat([Buffer.from("Exif\0\0"), small, Buffer.from([0xff, 0xd9])]));
  const withThumbnail = handmadeJpeg(64, 48, thumbnail);
  let noisy: Buffer;
  let progressive: Buffer;
  let restarts: Buffer;

  before(async () => {
    const noise = { type: "gaussian", mean: 128, sigma: 60 } as const;
    const drawn = () => sharp({ create: { width: 128, height: 128, channels: 3, background: "grey", noise } });
    noisy = await drawn().jpeg({ quality: 95 }).toBuffer();
    progressive = await drawn().jpeg({ progressive: true }).toBuffer();
    // FF D0 in the picture data, and fill bytes before a marker.
    restarts = Buffer.concat([small.subarray(0, -2), Buffer.from([7, 0xff, 0xd0, 9, 0xff, 0xff, 0xff, 0xd9])]);
  });

  it("cuts what cameras send, at any chunk size", () => {
    const frames = [small, noisy, withThumbnail, progressive, restarts, other, noisy];
    assertFrames(JpegSplitter, Buffer.concat(frames), frames);
    assertFrames(JpegSplitter, Buffer.concat([small, withThumbnail, restarts, other]), [
      small,
      withThumbnail,
      restarts,
      other,
    ]);
  });

  it("keeps every frame that has a thumbnail", () => {
    const frames = Array.from({ length: 400 }, (_, turn) => (turn % 2 === 0 ? withThumbnail : small));
    for (const size of chunkSizes) assert.equal(split(JpegSplitter, Buffer.concat(frames), size).length, 400);
  });

  it("takes fill bytes before any marker", () => {
    const filled = Buffer.concat([small.subarray(0, 2), Buffer.from([0xff, 0xff]), small.subarray(2)]);
    assertFrames(JpegSplitter, Buffer.concat([filled, small]), [filled, small]);
  });

  it("passes over what is between frames", () => {
    const rubbish = Buffer.from([0, 0xff, 0, 0xff, 0xff, 0xd9, 13, 10, 0xff, 0xe0, 0, 4]);
    const text = Buffer.from("\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n");
    assertFrames(JpegSplitter, Buffer.concat([rubbish, small, text, other, rubbish, text, small]), [
      small,
      other,
      small,
    ]);
  });

  it("takes a start marker that begins nothing for rubbish", () => {
    const soi = Buffer.from([0xff, 0xd8]);
    const stubs = [soi, Buffer.from([0xff, 0xd8, 0xff, 0xd9]), Buffer.from([0xff, 0xd8, 0xff, 0x01, 2])];
    for (const stub of stubs)
      assertFrames(JpegSplitter, Buffer.concat([stub, small, stub, stub, other]), [small, other]);
  });

  it("drops a frame that another one begins in, and goes on with that", () => {
    for (const whole of [small, withThumbnail]) {
      const pixelsAt = whole.length - 6;
      for (let cut = pixelsAt; cut < whole.length - 1; cut += 1) {
        assertFrames(JpegSplitter, Buffer.concat([whole.subarray(0, cut), other, small]), [other, small]);
      }
    }
  });

  it("loses no frame to one that was cut short in a header, wherever that was", () => {
    // A length that is made of a start marker claims 64 KB, and what it claims has to come before it is found out.
    const following = Array.from({ length: 12 }, (_, turn) => (turn % 2 === 0 ? noisy : other));
    assert.ok(noisy.length > 12_000 && other.length < 100);
    for (let cut = 2; cut < small.length - 6; cut += 1) {
      const stream = Buffer.concat([small.subarray(0, cut), ...following]);
      const [first, ...rest] = split(JpegSplitter, stream, 4_096);
      assert.deepEqual(rest, following.slice(1), `cut at ${cut}`);
      // Where just the bytes of a start marker are missing, that of the next frame is taken for them.
      const isSpliced =
        first?.subarray(2 - noisy.length).equals(noisy.subarray(2)) === true && first.length <= noisy.length + cut;
      assert.ok(first?.equals(noisy) === true || isSpliced, `cut at ${cut}`);
      assert.deepEqual(split(JpegSplitter, stream, [1, 65_536]), [first, ...rest]);
    }
  });

  it("goes on after a frame beyond the bound, and holds no more than one", () => {
    const bound = 4_096;
    const huge = Buffer.concat([small.subarray(0, -2), Buffer.alloc(3 * bound, 5), small.subarray(-2)]);
    const header = handmadeJpeg(8, 8, ...Array.from({ length: 40 }, () => segment(0xe2, Buffer.alloc(200, 3))));
    for (const large of [huge, header])
      assertFrames(JpegSplitter, Buffer.concat([small, large, other]), [small, other], bound);
    const just = Buffer.concat([small.subarray(0, -2), Buffer.alloc(bound - small.length, 5), small.subarray(-2)]);
    assertFrames(JpegSplitter, Buffer.concat([just, small]), [just, small], bound);
  });

  it("holds a bounded amount of rubbish without end", () => {
    const bound = 1024 * 1_024;
    for (const start of [Buffer.alloc(0), small.subarray(0, -2), Buffer.from([0xff, 0xd8])]) {
      const frames: Buffer[] = [];
      const splitter = new JpegSplitter(bound, (view) => frames.push(Buffer.from(view)));
      const before = process.memoryUsage().arrayBuffers;
      splitter.push(start);
      const rubbish = Buffer.alloc(65_536, 0x41);
      for (let turn = 0; turn < 1_000; turn += 1) splitter.push(rubbish);
      assert.ok(process.memoryUsage().arrayBuffers - before < 8 * bound);
      splitter.push(Buffer.concat([small, other]));
      assert.deepEqual(frames, [small, other]);
    }
  });

  it("gives the same frames however a stream is chunked", () => {
    const piece = fc.oneof(
      fc.constantFrom(small, other, withThumbnail),
      fc.integer({ min: 1, max: 200 }).map((size) => withThumbnail.subarray(0, size)),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .array(fc.constantFrom(0xff, 0xd8, 0xd9, 0xda, 0xe1, 0, 1, 63), { maxLength: 12 })
        .map((bytes) => Buffer.from(bytes)),
    );
    const stream = fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.concat(pieces));
    const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(stream, sizes, fc.constantFrom(64, 256, boundBytes), (bytes, chunks, bound) => {
        assert.deepEqual(split(JpegSplitter, bytes, chunks, bound), split(JpegSplitter, bytes, 1_000_000, bound));
      }),
      { numRuns: 1_000 },
    );
  });

  it("finds every frame of a stream of whole ones, with anything between that is no start of one", () => {
    const between = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0xff)));
    const frame = fc.constantFrom(small, other, withThumbnail);
    const sizes = fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(between, frame), { maxLength: 20 }), sizes, (parts, chunks) => {
        const stream = Buffer.concat(parts.flat());
        assert.deepEqual(
          split(JpegSplitter, stream, chunks),
          parts.map(([, whole]) => whole),
        );
      }),
      { numRuns: 500 },
    );
  });
});

/** As ffmpeg's mpjpeg muxer writes it. */
function part(body: Buffer, ...headers: readonly string[]): Buffer {
  const lines = ["Content-type: image/jpeg", ...headers];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body, Buffer.from("\r\n--ffmpeg\r\n")]);
}

describe("multipart splitter", () => {
  const sized = (body: Buffer) => part(body, `Content-length: ${body.length}`);
  const opening = Buffer.from("--ffmpeg\r\n");
  let pictures: Buffer[];

  before(async () => {
    pictures = [await jpegOf(20), await jpegOf(90), Buffer.from("a body\r\n\r\nof any kind"), await jpegOf(200)];
  });

  it("cuts by the length, at any chunk size", () => {
    assertFrames(MultipartSplitter, Buffer.concat([opening, ...pictures.map(sized)]), pictures);
    assertFrames(
      MultipartSplitter,
      Buffer.concat(pictures.map((body) => part(body, `CONTENT-LENGTH:${body.length} `))),
      pictures,
    );
  });

  it("passes over a part without a length, of none, or beyond the bound, and goes on with the next", () => {
    const [first = opening, second = opening] = pictures;
    for (const wrong of [
      part(first),
      part(first, "Content-length: many"),
      part(first, "Content-length: 99999999"),
      part(first, "Content-length: 0"),
    ]) {
      assertFrames(MultipartSplitter, Buffer.concat([opening, sized(first), wrong, sized(second)]), [first, second]);
    }
  });

  it("goes on after a length that is wrong", () => {
    const [first = opening, second = opening] = pictures;
    for (const wrong of [-40, 40]) {
      const lie = part(first, `Content-length: ${first.length + wrong}`);
      const stream = Buffer.concat([opening, lie, ...Array.from({ length: 4 }, () => sized(second))]);
      const frames = split(MultipartSplitter, stream, 100);
      assert.deepEqual(frames.slice(-3), [second, second, second]);
      for (const size of chunkSizes) assert.deepEqual(split(MultipartSplitter, stream, size), frames);
    }
  });

  it("holds a bounded amount of rubbish without end, in time that grows with its length alone", () => {
    const frames: Buffer[] = [];
    const splitter = new MultipartSplitter(boundBytes, (view) => frames.push(Buffer.from(view)));
    const before = process.memoryUsage().arrayBuffers;
    const rubbish = Buffer.alloc(64, 0x41);
    for (let turn = 0; turn < 200_000; turn += 1) splitter.push(rubbish);
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1_024 * 1_024);
    splitter.push(Buffer.concat([Buffer.from("\r\n"), sized(Buffer.from("body"))]));
    assert.deepEqual(frames.map(String), ["body"]);
  });

  it("gives the same bodies however a stream is chunked", () => {
    const body = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes));
    const piece = fc.oneof(
      body.map(sized),
      body.map((bytes) => part(bytes)),
      fc.tuple(body, fc.nat(100)).map(([bytes, length]) => part(bytes, `Content-length: ${length}`)),
      fc.constantFrom("\r\n\r\n", "Content-length: 5\r\n\r\n", "\r\n").map((text) => Buffer.from(text)),
    );
    const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), sizes, (pieces, chunks) => {
        const stream = Buffer.concat(pieces);
        assert.deepEqual(split(MultipartSplitter, stream, chunks), split(MultipartSplitter, stream, 1_000_000));
      }),
      { numRuns: 500 },
    );
  });
});
