import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { remoteKills } from "../lib/remote-kills.ts";

/** The short form of `npm run test:endurance -- remote-kill`. */
describe("the daemon killed while commands arrive", () => {
  it("does each once, or says that it was interrupted", async function () {
    this.timeout(120_000);
    const found = await remoteKills({ rounds: 1, seed: 5 });
    const { contradicted, missing, extra, other } = found;
    assert.deepEqual({ contradicted, missing, extra, other }, { contradicted: [], missing: [], extra: [], other: [] });
    assert.equal(found.done + found.interrupted, 4);
  });
});
