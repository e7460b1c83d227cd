import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { iotownConfig, iotownWarnings } from "../../src/targets/iotown/config.ts";

const least = { id: "town", kind: "iotown", url: "http://192.168.0.5:8888", token: "aoijobseij12312oi51o4i6" };

describe("iotown config", () => {
  it("needs id, kind, url and token, and fills in the rest", () => {
    const config = iotownConfig.parse(least);
    assert.equal(config.boxOrigin, "center");
    assert.equal(config.includeEmpty, false);
    assert.equal(config.includeUnlabelled, false);
    assert.deepEqual([config.mode, config.dataBody, config.dataDetails], ["image", "multipart", true]);
    assert.equal(config.imagePath, "/api/v1.0/file/{id}");
  });

  it("strips a trailing slash, which would make //api of the path", () => {
    assert.equal(iotownConfig.parse({ ...least, url: "https://town.example:8888/" }).url, "https://town.example:8888");
  });

  const wrong: readonly (readonly [string, object])[] = [
    ["an address without scheme", { url: "town.example" }],
    ["another scheme", { url: "ftp://town.example" }],
    ["a password in the address", { url: "https://a:b@town.example" }],
    ["a query in the address", { url: "https://town.example?token=1" }],
    ["the API path in the address", { url: "https://town.example/api/v1.0" }],
    ["a token with a line break", { token: "abc\n" }],
    ["an empty token", { token: "" }],
    ["an unknown key", { tokn: "x" }],
    ["data of no node", { mode: "data" }],
    ["a node without its mode", { nid: "WF1" }],
    ["a node that is a step up", { mode: "data", nid: ".." }],
    ["a path of pictures without their id", { imagePath: "/file/" }],
    ["a path of pictures with a query", { imagePath: "/file?id={id}" }],
    ["a path of pictures that is another address", { imagePath: "https://a.example/{id}" }],
    ["callbacks of every group", { callbacks: { url: "mqtts://town.example", username: "me", group: "+" } }],
    [
      "callbacks with the password in the address",
      { callbacks: { url: "mqtts://me:pw@a.b", username: "me", group: "g" } },
    ],
    [
      "certificates for a broker without TLS",
      { callbacks: { url: "mqtt://10.0.0.1", username: "me", group: "g", tls: { ca: "a.pem" } } },
    ],
    ["a proxy that is no URL", { proxy: "proxy.example:3128" }],
  ];
  for (const [name, change] of wrong) {
    it(`refuses ${name}, without repeating a secret`, () => {
      const result = iotownConfig.safeParse({ ...least, ...change });
      assert.equal(result.success, false);
      assert.ok(!result.error.message.includes(least.token));
    });
  }

  it("warns of a token over plain http to the internet, and of certificates that nobody checks", () => {
    assert.deepEqual(iotownWarnings(iotownConfig.parse(least)), []);
    const open = iotownConfig.parse({
      ...least,
      url: "http://town.example",
      tls: { insecureSkipVerify: true },
    });
    const warnings = iotownWarnings(open);
    assert.equal(warnings.length, 2);
    assert.match(warnings[0] ?? "", /unencrypted/);
    assert.match(warnings[1] ?? "", /not checked/);
    assert.ok(!warnings.join().includes(least.token));
  });

  it("warns of a token on its way to a broker that does not encrypt, or that nobody checks", () => {
    const callbacks = { username: "me", group: "g" };
    const open = iotownConfig.parse({ ...least, callbacks: { ...callbacks, url: "mqtt://town.example" } });
    assert.match(iotownWarnings(open).join(), /token goes to town\.example unencrypted \(callbacks\.url\)/);
    const tls = { insecureSkipVerify: true };
    const unchecked = iotownConfig.parse({ ...least, callbacks: { ...callbacks, url: "mqtts://10.0.0.1", tls } });
    assert.match(iotownWarnings(unchecked).join(), /certificate is not checked/);
  });
});
