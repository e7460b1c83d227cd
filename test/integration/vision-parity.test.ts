import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { measureParity, parityModels } from "../lib/parity.ts";
import { needsShared } from "../lib/shared.ts";

describe("exact detection against references, 14 photos each", () => {
  for (const model of parityModels) {
    it(`agrees for ${model.name}`, async function () {
      const shared = needsShared(this);
      this.timeout(120_000);
      const figures = await measureParity(shared, model);
      assert.ok(figures.photos === 14 && figures.references > 50, JSON.stringify(figures));
      assert.equal(figures.missed, 0);
      assert.ok(figures.extraScoreMax < 0.31, JSON.stringify(figures));
      assert.ok(figures.iouMin >= (model.quantised ? 0.97 : 0.99), JSON.stringify(figures));
      assert.ok(figures.scoreDifferenceMax <= (model.quantised ? 0.03 : 0.01), JSON.stringify(figures));
    });
  }
});
