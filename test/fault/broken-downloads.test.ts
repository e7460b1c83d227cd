import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { brokenRounds, downloadKinds } from "../lib/broken-downloads.ts";
import { releaseKinds } from "../lib/broken-releases.ts";

const kindsHere = [...downloadKinds, ...releaseKinds];

describe("broken downloads of models, and broken releases", () => {
  it("never put a wrong file to use, go on where they can, and leave nothing behind", async function () {
    this.timeout(20_000);
    const seed = Number(process.env["FRAMEPOST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const { kinds, ...problems } = await brokenRounds(2 * kindsHere.length, seed, kindsHere);
    assert.deepEqual(problems, { activated: [], leftBehind: [], notResumed: [], wrongEnding: [] }, `seed ${seed}`);
    assert.ok(kinds.every(({ rounds }) => rounds === 2));
  });
});
