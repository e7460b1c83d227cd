import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { runSpoolModel } from "../lib/spool-model-run.ts";

const sequences = Number(process.env["FRAMEPOST_MODEL_SEQUENCES"] ?? 100);
const seed = Number(process.env["FRAMEPOST_MODEL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

describe("spool against its model", function () {
  this.timeout(sequences * 200);

  it(`shows no difference in ${sequences} random sequences of append, lease, settle, evict, reopen and crash`, async () => {
    const figures = await runSpoolModel(sequences, seed);
    assert.equal(figures.sequences, sequences);
    assert(figures.compared >= sequences);
  });
});
