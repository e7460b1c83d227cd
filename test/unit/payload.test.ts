import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { KeptBuffers } from "../../src/core/kept-buffers.ts";
import { base64Bytes, jsonOfPieces, jsonWithBase64 } from "../../src/link/payload.ts";
import { sampleJpeg } from "../lib/records.ts";

describe("payload", () => {
  it("is the same text as JSON.stringify's, whatever the length of the image", () => {
    const slice = 24 * 1024;
    for (const length of [0, 1, 2, 3, 4, slice - 1, slice, slice + 1, 3 * slice + 2, 200_000]) {
      const image = Buffer.alloc(length, 0xa7);
      const after = `","labels":[{"name":"caf\u00e9 \\"x\\" \u{1f600}"}]}`;
      const expected = `{"image":"${image.toString("base64")}${after}`;
      const built = jsonWithBase64('{"image":"', image, after);
      assert.equal(built.toString("utf8"), expected);
      assert.equal(built.length, Buffer.byteLength(expected));
      JSON.parse(built.toString("utf8"));
    }
  });

  it("holds several images, each as base64 between its texts", () => {
    const images = [sampleJpeg(1, 100_001), Buffer.alloc(0), sampleJpeg(2, 301)];
    const expected = JSON.stringify({
      images: images.map((image) => ({ name: "é", contents: image.toString("base64") })),
    });
    const pieces = images.flatMap((image, at) => [`${at === 0 ? "" : ","}{"name":"é","contents":"`, image, '"}']);
    assert.equal(jsonOfPieces(['{"images":[', ...pieces, "]}"]).toString(), expected);
    assert.deepEqual(
      images.map(({ length }) => base64Bytes(length)),
      images.map((image) => image.toString("base64").length),
    );
  });

  it("leaves no trace of a longer picture that was in the same buffer", () => {
    const buffers = new KeptBuffers(1, 1024 * 1024);
    const take = (sizeBytes: number) => buffers.take(sizeBytes);
    const [long, short] = [sampleJpeg(1, 150_000), sampleJpeg(2, 140_000)];
    buffers.giveBack(jsonWithBase64('{"image":"', long, '"}', take));
    const body = jsonWithBase64('{"image":"', short, '"}', take);
    assert.deepEqual(body, jsonWithBase64('{"image":"', short, '"}'));
  });
});
