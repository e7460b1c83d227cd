import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { ManyModels } from "../lib/many-models.ts";
import { fewPhotos, measureParityAmong, parityModels } from "../lib/parity.ts";
import { needsShared } from "../lib/shared.ts";

/**
 * A few photos that show everything, and one process for all models. All photos, fast detection, and a process for each
 * model: `npm run bench -- parity`.
 */
describe("exact detection against references", () => {
  let models: ManyModels;
  before(() => {
    models = new ManyModels();
  });
  after(async () => models[Symbol.asyncDispose]());

  for (const model of parityModels) {
    it(`agrees for ${model.name}, read as ${model.family}`, async function () {
      const shared = needsShared(this);
      this.timeout(60_000);
      const figures = await measureParityAmong(models, shared, model, { photos: fewPhotos(model) });
      assert.ok(figures.references >= 12, JSON.stringify(figures));
      assert.equal(figures.missed, 0);
      assert.ok(figures.extraScoreMax < 0.31, JSON.stringify(figures));
      assert.ok(figures.iouMin >= (model.quantised ? 0.97 : 0.99), JSON.stringify(figures));
      assert.ok(figures.scoreDifferenceMax <= (model.quantised ? 0.03 : 0.01), JSON.stringify(figures));
    });
  }
});
