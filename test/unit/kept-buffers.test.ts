import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { KeptBuffers } from "../../src/core/kept-buffers.ts";
import { KB } from "../../src/core/units.ts";

describe("kept buffers", () => {
  it("gives the same memory again, at the size that is asked for", () => {
    const buffers = new KeptBuffers(4, 4096 * KB);
    const first = buffers.take(200 * KB);
    buffers.giveBack(first);
    const second = buffers.take(190 * KB);
    assert.equal(second.length, 190 * KB);
    assert.equal(second.buffer, first.buffer);
  });

  it("never gives to two at once", () => {
    const buffers = new KeptBuffers(4, 4096 * KB);
    buffers.giveBack(buffers.take(200 * KB));
    const taken = Array.from({ length: 5 }, () => buffers.take(100 * KB).buffer);
    assert.equal(new Set(taken).size, 5);
  });

  it("keeps no more than it may, neither in number nor in size", () => {
    const buffers = new KeptBuffers(2, 256 * KB);
    const [small, middle, large, huge] = [64, 128, 256, 512].map((size) => buffers.take(size * KB));
    for (const buffer of [large, small, huge, middle]) buffers.giveBack(buffer ?? Buffer.alloc(0));
    assert.equal(buffers.take(1).buffer, middle?.buffer);
    assert.equal(buffers.take(1).buffer, large?.buffer);
    assert.notEqual(buffers.take(1).buffer, small?.buffer);
  });
});
