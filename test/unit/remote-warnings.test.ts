import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { remoteWarnings } from "../../agent/warnings.ts";
import { remoteConfig } from "../../src/remote/config.ts";

const warningsOf = (settings: object) => remoteWarnings(remoteConfig.parse(settings));

describe("what an operator is told of remote", () => {
  it("is nothing where all is well, or there is none", () => {
    assert.deepEqual(remoteWarnings(undefined), []);
    assert.deepEqual(warningsOf({ url: "mqtts://broker.example", username: "gw", password: "x" }), []);
    assert.deepEqual(warningsOf({ url: "mqtt://127.0.0.1" }), []);
  });

  const cases: readonly (readonly [object, RegExp])[] = [
    [
      { url: "mqtt://broker.example", username: "gw", password: "x" },
      /password and all commands go to broker\.example/,
    ],
    [{ url: "mqtts://b.example", username: "gw", tls: { insecureSkipVerify: true } }, /certificate is not checked/],
    [{ url: "mqtts://b.example", allowAnonymous: true }, /whoever reaches this broker commands this device/],
    [{ url: "mqtts://b.example", username: "gw", unsigned: [] }, /every request is refused/],
  ];
  for (const [settings, said] of cases) {
    it(`says ${said.source}`, () => {
      const [warning, ...others] = warningsOf(settings);
      assert.match(warning ?? "", said);
      assert.deepEqual(others, []);
      // Doctor shows what follows the last one as what to do.
      assert.ok(warning?.includes("; "));
    });
  }

  it("is an error where two keys have one id", () => {
    const key = { id: "a", publicKey: "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", scopes: ["read"] };
    assert.throws(() => remoteConfig.parse({ url: "mqtt://127.0.0.1", keys: [key, key] }), /another key has the id/);
  });
});
