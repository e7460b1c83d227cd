import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { Slots } from "../../src/spool/slots.ts";

describe("slots", () => {
  it("let so many work at a time, the others in order, and refuse beyond the waiting room", async () => {
    const slots = new Slots(2, 3);
    const finish: (() => void)[] = [];
    const started: number[] = [];
    const use = async (number: number): Promise<void> =>
      await slots.use(async () => {
        started.push(number);
        await new Promise<void>((resolve) => finish.push(resolve));
      });
    const working = [1, 2, 3, 4, 5].map(use);
    await assert.rejects(use(6), { code: "SPOOL_BUSY", disposition: "retry" });
    assert.deepEqual(started, [1, 2]);
    for (let done = 0; done < 5; done += 1) {
      finish[done]?.();
      await working[done];
    }
    assert.deepEqual(started, [1, 2, 3, 4, 5]);
  });

  it("are free again after a failure", async () => {
    const slots = new Slots(1, 0);
    await assert.rejects(
      slots.use(async () => await Promise.reject(new Error("no"))),
      /no/,
    );
    assert.equal(await slots.use(async () => 7), 7);
  });
});
