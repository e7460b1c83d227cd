import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { fuzzDaemon, fuzzInbox } from "../lib/remote-fuzz-run.ts";

/** The short form of `npm run test:endurance -- remote-fuzz`. */
describe("malformed requests", () => {
  it("are each answered once by the inbox, and have no effect", async function () {
    this.timeout(30_000);
    const found = await fuzzInbox({ count: 1_500, seed: 1 });
    assert.deepEqual(found.mistakes, []);
    assert.equal(found.finals, found.requests);
    assert.equal(found.effects, 1);
    for (const word of ["bad_json", "unauthorized", "stale", "retained_refused", "too_large", "unknown_command"]) {
      assert.ok((found.words.get(`refused/${word}`) ?? 0) > 0, `none was refused as ${word}`);
    }
  });

  it("are each answered or counted by the daemon, and have no effect", async function () {
    this.timeout(60_000);
    const found = await fuzzDaemon({ count: 300, seed: 2 });
    assert.deepEqual(found.mistakes, []);
    assert.equal(found.finals + found.unanswered, found.requests);
    assert.equal(found.effects, 1);
  });
});
