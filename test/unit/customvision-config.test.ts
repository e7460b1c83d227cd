import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { customVisionAccess, customVisionConfig, customVisionWarnings } from "../../src/targets/customvision/config.ts";

const withoutUrl = {
  id: "azure",
  kind: "customvision",
  trainingKey: "0123456789abcdef-training-key",
  projectId: "6a0c1f6e-0000-4000-8000-000000000001",
};
const least = { ...withoutUrl, url: "https://vision.cognitiveservices.azure.com" };

describe("customvision config", () => {
  it("needs the resource's endpoint, a key and a project, and fills in the rest", () => {
    const config = customVisionConfig.parse({ ...least, url: `${least.url}/` });
    assert.equal(config.url, least.url);
    assert.equal(config.apiVersion, "v3.3");
    assert.deepEqual([config.annotations, config.missingTags], ["auto", "create"]);
    assert.deepEqual([config.imagesPerRequest, config.bytesPerRequest], [64, 8 * 1024 * 1024]);
  });

  it("knows the one host of v1.2, and that v3.3 has none", () => {
    assert.equal(customVisionConfig.parse({ ...withoutUrl, apiVersion: "v1.2" }).url, undefined);
    assert.equal(customVisionAccess.safeParse({ ...withoutUrl, apiVersion: "v1.2" }).success, true);
    for (const schema of [customVisionConfig, customVisionAccess]) {
      const result = schema.safeParse(withoutUrl);
      assert.match(result.error?.message ?? "", /v3\.3 needs the endpoint/);
    }
  });

  const wrong: readonly (readonly [string, object])[] = [
    ["the API path in the address", { url: `${least.url}/customvision/v3.3` }],
    ["a key in the address", { url: `${least.url}?key=1` }],
    ["a key with a line break", { trainingKey: "abc\n" }],
    ["a project's name instead of its id", { projectId: "my-project" }],
    ["another version", { apiVersion: "v3.4-preview" }],
    ["regions on v1.2", { apiVersion: "v1.2", annotations: "regions" }],
    ["65 images a request", { imagesPerRequest: 65 }],
    ["no bytes a request", { bytesPerRequest: "0KB" }],
    ["an unknown key", { trainingkey: "x" }],
  ];
  for (const [name, change] of wrong) {
    it(`refuses ${name}, without repeating the key`, () => {
      const result = customVisionConfig.safeParse({ ...least, ...change });
      assert.equal(result.success, false);
      assert.ok(!result.error.message.includes(least.trainingKey));
    });
  }

  it("warns that v1.2 loses boxes, and of a key over plain http", () => {
    assert.deepEqual(customVisionWarnings(customVisionConfig.parse(least)), []);
    const old = customVisionWarnings(customVisionConfig.parse({ ...withoutUrl, apiVersion: "v1.2" }));
    assert.equal(old.length, 1);
    assert.match(old[0] ?? "", /no boxes/);
    const open = customVisionWarnings(customVisionConfig.parse({ ...least, url: "http://vision.example" }));
    assert.match(open.join(), /training key.*unencrypted/);
  });
});
