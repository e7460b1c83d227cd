import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { NewestShares } from "../../src/spool/newest-share.ts";

/** Asks `times` times for so many deliveries, and is given as many newest ones as it wants. */
function newestOf(share: number, deliveries: number, times: number): number[] {
  const shares = new NewestShares(new Map([["a", share]]));
  return Array.from({ length: times }, () => {
    const newest = shares.newestOf("a", deliveries);
    shares.chose("a", deliveries, newest);
    return newest;
  });
}

describe("the share of the newest records", () => {
  it("adds up over leases of one record", () => {
    assert.deepEqual(newestOf(0.25, 1, 8), [0, 0, 0, 1, 0, 0, 0, 1]);
    assert.deepEqual(newestOf(0.1, 1, 20).indexOf(1), 9, "ten tenths are one");
    assert.deepEqual(newestOf(0.75, 1, 4), [0, 1, 1, 1]);
    assert.deepEqual(newestOf(1, 1, 3), [1, 1, 1]);
    assert.deepEqual(newestOf(0, 1, 3), [0, 0, 0]);
  });

  it("carries the rest from one batch to the next", () => {
    assert.deepEqual(newestOf(0.25, 10, 4), [2, 3, 2, 3]);
    assert.deepEqual(newestOf(1, 10, 2), [10, 10]);
  });

  it("holds also when a limit of bytes lets only the first of a batch through", () => {
    const shares = new NewestShares(new Map([["a", 0.2]]));
    let newestChosen = 0;
    for (let each = 0; each < 100; each += 1) {
      const first = shares.newestOf("a", 10) > 0 ? 1 : 0;
      newestChosen += first;
      shares.chose("a", 1, first);
    }
    assert(newestChosen >= 20 && newestChosen <= 22, `${newestChosen} of 100`);
  });

  it("saves up no more than one while there is nothing newest to choose", () => {
    const shares = new NewestShares(new Map([["a", 0.5]]));
    for (let each = 0; each < 100; each += 1) shares.chose("a", 1, 0);
    assert.equal(shares.newestOf("a", 1), 1);
    shares.chose("a", 1, 1);
    assert.equal(shares.newestOf("a", 1), 1);
    shares.chose("a", 1, 1);
    assert.equal(shares.newestOf("a", 1), 0);
  });
});
