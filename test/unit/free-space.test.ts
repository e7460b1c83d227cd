import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { FreeSpace } from "../../src/spool/free-space.ts";
import { SimulatedClock } from "../lib/seams.ts";

describe("FreeSpace", () => {
  function freeSpace() {
    const disk = { freeBytes: 1_000_000, asked: 0 };
    const clock = new SimulatedClock();
    const ask = async (): Promise<number> => {
      disk.asked += 1;
      return disk.freeBytes;
    };
    return { space: new FreeSpace(ask, clock), disk, clock };
  }

  it("asks the disk once a second, and takes off whole blocks of what was written since", async () => {
    const { space, disk, clock } = freeSpace();
    assert.equal(await space.bytes(), 1_000_000);
    space.took(5_000);
    clock.advance(999);
    assert.equal(await space.bytes(), 1_000_000 - 8_192);
    assert.equal(disk.asked, 1);
    disk.freeBytes = 500_000;
    clock.advance(1);
    assert.equal(await space.bytes(), 500_000);
  });

  it("asks at once when it has to know", async () => {
    const { space, disk } = freeSpace();
    await space.bytes();
    disk.freeBytes = 7;
    assert.equal(await space.askedAgain(), 7);
    assert.equal(await space.bytes(), 7);
  });

  it("takes off what is written while the disk answers", async () => {
    let answer: (freeBytes: number) => void = () => undefined;
    const space = new FreeSpace(
      async () => await new Promise<number>((resolve) => (answer = resolve)),
      new SimulatedClock(),
    );
    const asking = space.bytes();
    space.took(4_096);
    answer(10_000);
    await asking;
    assert.equal(await space.bytes(), 10_000 - 4_096);
  });
});
