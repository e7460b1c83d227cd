import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { remoConfig, remoWarnings } from "../../src/targets/remo/config.ts";

const least = { id: "remo", kind: "remo", email: "a@site.example", password: "p", datasetId: 4 };

describe("remo config", () => {
  it("needs an account and a dataset, and has defaults for the rest", () => {
    const config = remoConfig.parse(least);
    assert.deepEqual(
      [config.url, config.task, config.sessions, config.sessionTimeout, config.annotationSetName],
      ["http://localhost:8123", "Object detection", true, 15_000, "framepost"],
    );
    assert.deepEqual(remoWarnings(config), []);
  });

  for (const [name, change] of [
    ["no e-mail address", { email: undefined }],
    ["no password", { password: undefined }],
    ["a password of nothing", { password: "" }],
    ["a dataset in words", { datasetId: "yard" }],
    ["another task", { task: "object_detection" }],
    ["an address with a path of the API", { url: "http://localhost:8123/api/" }],
    ["a wait beyond a delivery's time", { sessionTimeout: "1m" }],
    ["an unknown key", { dataset: 4 }],
  ] as const) {
    it(`refuses ${name}`, () => {
      assert.equal(remoConfig.safeParse({ ...least, ...change }).success, false);
    });
  }

  it("warns of a password over plain http to the internet, and of the old way of uploading", () => {
    const warnings = remoWarnings(remoConfig.parse({ ...least, url: "http://remo.example", sessions: false }));
    assert.match(warnings[0] ?? "", /the password and the pictures go to remo\.example unencrypted/);
    assert.match(warnings[1] ?? "", /sessions is false/);
    assert.equal(warnings.length, 2);
    assert.match(remoWarnings(remoConfig.parse({ ...least, folderId: 3 })).join(), /answers 500 .* folderId/);
  });
});
