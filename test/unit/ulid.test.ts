import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { ulidBytes, ulidOfBytes, Ulids } from "../../src/core/ulid.ts";
import { SimulatedClock, seededRandom } from "../lib/seams.ts";

describe("ulid", () => {
  it("sorts as text in the order it was made, within a millisecond and across them", () => {
    const clock = new SimulatedClock();
    const ulids = new Ulids(clock, seededRandom(3));
    const made: string[] = [];
    for (let at = 0; at < 300; at += 1) {
      made.push(ulids.next());
      if (at % 7 === 0) clock.advance(1 + at * 1_000);
    }
    assert.deepEqual(made, [...made].sort());
    assert.equal(new Set(made).size, made.length);
  });

  it("counts on across digits within one millisecond", () => {
    const ulids = new Ulids(new SimulatedClock(), () => 31.5 / 32);
    assert.match(ulids.next(), /^[0-9A-Z]{10}Z{16}$/);
    assert.match(ulids.next(), /^[0-9A-Z]{10}0{16}$/);
  });

  it("writes the time as the specification's example does", () => {
    const clock = new SimulatedClock(1_469_918_176_385);
    assert.equal(new Ulids(clock, () => 0).next().slice(0, 10), "01ARYZ6S41");
  });

  it("goes to 16 bytes and back", () => {
    const ulids = new Ulids(new SimulatedClock(), seededRandom(5));
    for (let at = 0; at < 50; at += 1) {
      const id = ulids.next();
      assert.equal(ulidBytes(id).length, 16);
      assert.equal(ulidOfBytes(ulidBytes(id)), id);
    }
    assert.equal(ulidOfBytes(Buffer.alloc(16)), "0".repeat(26));
    for (const bad of ["", "0".repeat(25), "0".repeat(27), "8".padEnd(26, "0"), "U".repeat(26), "i".repeat(26)]) {
      assert.throws(() => ulidBytes(bad), RangeError, bad);
    }
  });
});
