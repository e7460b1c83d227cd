import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { layernextConfig, layernextWarnings } from "../../src/targets/layernext/config.ts";

const url = "https://api.example.layernext.ai/";
const least = { id: "lake", kind: "layernext", url, apiKey: "key-1", secret: "s3cret-canary", collection: "dock-3" };

describe("layernext config", () => {
  it("needs id, kind, url, key, secret and collection, and fills in the rest", () => {
    const config = layernextConfig.parse(least);
    assert.equal(config.url, "https://api.example.layernext.ai");
    assert.deepEqual([config.api, config.basePath, config.operationId], ["3.x", undefined, "{model} {version}"]);
    assert.deepEqual(config.batch, { maxRecords: 8, maxBytes: 4 * 1024 * 1024 });
  });

  const wrong: readonly (readonly [string, object])[] = [
    ["an operation id with a slash", { operationId: "dock/v2" }],
    ["an operation id with a question mark", { operationId: "dock?" }],
    ["an operation id with a hash", { operationId: "dock#2" }],
    ["an operation id with a percent sign", { operationId: "dock%20" }],
    ["a field that is none", { operationId: "{camera}" }],
    ["a key with a colon", { apiKey: "a:b" }],
    ["a secret with a line break", { secret: "abc\n" }],
    ["the API path in the address", { url: "https://a.example/datalake/api" }],
    ["a base path without its slash", { basePath: "datalake" }],
    ["a batch that its journal cannot hold", { batch: { maxRecords: 13 } }],
    ["a generation that nobody knows", { api: "4.x" }],
    ["an empty collection", { collection: "" }],
    ["a collection whose files' keys would be too long", { collection: "倉".repeat(34) }],
    ["a folder whose files' keys would be too long", { storagePrefix: "p".repeat(101) }],
    ["an unknown key", { colection: "x" }],
  ];
  for (const [name, change] of wrong) {
    it(`refuses ${name}, without repeating a secret`, () => {
      const result = layernextConfig.safeParse({ ...least, ...change });
      assert.equal(result.success, false);
      assert.ok(!result.error.message.includes(least.secret));
    });
  }

  it("warns of plain http to the internet and of a storage that was never tried", () => {
    assert.deepEqual(layernextWarnings(layernextConfig.parse(least)), []);
    const open = layernextConfig.parse({ ...least, url: "http://lake.example", otherStorage: "unproven" });
    assert.equal(layernextWarnings(open).length, 2);
  });
});
