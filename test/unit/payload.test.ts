import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { jsonWithBase64, PayloadBuffers } from "../../src/link/payload.ts";
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
});

describe("payload buffers", () => {
  it("are as long as asked for and used again once given back", () => {
    const buffers = new PayloadBuffers();
    const first = buffers.take(100_000);
    assert.equal(first.length, 100_000);
    buffers.giveBack(first);
    const second = buffers.take(110_000);
    assert.equal(second.length, 110_000);
    assert.equal(second.buffer, first.buffer);
  });

  it("are never lent twice at a time", () => {
    const buffers = new PayloadBuffers();
    const taken = Array.from({ length: 5 }, () => buffers.take(70_000));
    for (const buffer of taken) buffers.giveBack(buffer);
    const again = Array.from({ length: 5 }, () => buffers.take(70_000));
    assert.equal(new Set(again.map(({ buffer }) => buffer)).size, 5);
  });

  it("leave no trace of the longer picture before", () => {
    const buffers = new PayloadBuffers();
    const [long, short] = [sampleJpeg(1, 150_000), sampleJpeg(2, 140_000)];
    buffers.giveBack(jsonWithBase64('{"image":"', long, '"}', buffers.take));
    const body = jsonWithBase64('{"image":"', short, '"}', buffers.take);
    assert.deepEqual(body, jsonWithBase64('{"image":"', short, '"}'));
  });

  it("keep no more than two, and none of an unusual size", () => {
    const buffers = new PayloadBuffers();
    const large = buffers.take(5_000_000);
    buffers.giveBack(large);
    assert.notEqual(buffers.take(5_000_000).buffer, large.buffer);
    const taken = Array.from({ length: 3 }, () => buffers.take(70_000));
    for (const buffer of taken) buffers.giveBack(buffer);
    const reused = Array.from({ length: 3 }, () => buffers.take(70_000)).filter(({ buffer }) =>
      taken.some((one) => one.buffer === buffer),
    );
    assert.equal(reused.length, 2);
  });
});
