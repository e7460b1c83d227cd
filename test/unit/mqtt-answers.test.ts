import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AnswerReader } from "../../src/link/mqtt-answers.ts";

describe("answers of an MQTT 5 broker", () => {
  it("are read whole, however the network cuts them", () => {
    const pubacks = [
      [0x40, 2, 0, 1],
      [0x40, 3, 0, 2, 149],
      [0x40, 6, 1, 3, 16, 2, 0x1f, 0],
    ];
    // A PINGRESP, and a PUBLISH of 300 bytes whose length takes two.
    const others = [
      [0xd0, 0],
      [0x30, 0xac, 0x02, ...Array<number>(300).fill(0x40)],
    ];
    const bytes = Buffer.from([...pubacks.flat(), ...others.flat(), ...pubacks.flat()]);
    for (const step of [1, 2, 3, 7, bytes.length]) {
      const seen: string[] = [];
      const reader = new AnswerReader((id, reason) => seen.push(`${id}:${reason}`));
      for (let at = 0; at < bytes.length; at += step) reader.read(bytes.subarray(at, at + step));
      assert.deepEqual(seen, ["2:149", "259:16", "2:149", "259:16"], `in steps of ${step}`);
    }
  });

  it("that never end are not kept", () => {
    const reader = new AnswerReader(() => assert.fail("there is none"));
    for (let at = 0; at < 100; at += 1) reader.read(Buffer.alloc(10_000, 0xff));
  });
});
