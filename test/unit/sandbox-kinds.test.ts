import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { configSchema } from "../../agent/config-schema.ts";
import { eachPlatform } from "../../agent/platforms/platforms.ts";
import { sandboxKinds } from "../../agent/sandboxes.ts";
import { parseConfig } from "../../src/config/load.ts";

const secret = "0123456789abcdef01234567";

describe("the sandboxes of the command line", () => {
  it("are those of all platforms", () => {
    const platforms: string[] = [];
    eachPlatform(({ kind }) => platforms.push(kind));
    assert.deepEqual(Object.keys(sandboxKinds).toSorted(), platforms.toSorted());
  });

  for (const [kind, sandbox] of Object.entries(sandboxKinds)) {
    it(`${kind}: name a target entry that works, and whose secrets are no words of a log`, async () => {
      const entry = `{ id: sandbox, kind: ${kind}, url: "http://127.0.0.1:1", ${sandbox.targetSettings(secret)} }`;
      const text = `cameras: [{ id: scene, driver: simulated }]\ntargets: [${entry}]\n`;
      const { secrets } = await parseConfig(text, "f.yaml", configSchema, { variables: {} });
      assert.ok(secrets.includes(secret));
      for (const word of secrets) assert.ok(!"framepost sandbox target delivered".includes(word), word);
    });
  }
});
