import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { webWarnings } from "../../agent/warnings.ts";
import { webConfig } from "../../src/web/config.ts";

const problem = (config: object) => webConfig.safeParse(config).error?.issues[0]?.message;

describe("the section web", () => {
  it("lets nobody but this machine in without a token", () => {
    for (const listen of ["0.0.0.0:8470", "[::]:8470", "192.168.1.5:80", "gw.example:8470"]) {
      assert.match(problem({ listen }) ?? "", /set token/, listen);
      assert.equal(problem({ listen, enabled: false }), undefined);
      assert.equal(problem({ listen, token: "a".repeat(16) }), undefined);
    }
    for (const listen of ["127.0.0.1:8470", "127.9.9.9:1", "[::1]:8470", "localhost:0"]) {
      assert.equal(problem({ listen }), undefined, listen);
    }
  });

  it("takes an address and a port, and a token that cannot be found by trying", () => {
    for (const listen of ["8470", "127.0.0.1", "127.0.0.1:65536", "[1.2.3.4]:1", "http://127.0.0.1:1", ""]) {
      assert.match(problem({ listen }) ?? "", /ADDRESS:PORT/, listen);
    }
    assert.match(problem({ token: "short" }) ?? "", /at least 16/);
  });

  it("warns of a token and pictures that cross the network in the open", () => {
    const token = "a".repeat(16);
    const warnings = (config: object) => webWarnings(webConfig.parse(config)).length;
    assert.equal(warnings({ listen: "0.0.0.0:1", token }), 1);
    assert.equal(warnings({ listen: "0.0.0.0:1", token, tls: { cert: "a", key: "b" } }), 0);
    assert.equal(warnings({ token }), 0);
  });

  it("warns of a proxy before a page that asks nobody for a token", () => {
    const warnings = (config: object) => webWarnings(webConfig.parse(config));
    const allowedHosts = ["gateway.example"];
    assert.match(warnings({ allowedHosts }).join(), /^web: whoever reaches gateway\.example sees .*; set web\.token$/);
    assert.deepEqual(warnings({ allowedHosts, token: "a".repeat(16) }), []);
    assert.deepEqual(warnings({ allowedHosts, enabled: false }), []);
  });
});
