import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "mocha";
import { canonicalJson } from "../../src/remote/canonical-json.ts";
import {
  isSigned,
  newKeyTexts,
  nextSeq,
  privateKeyOf,
  publicKeyOf,
  publicKeyText,
  sign,
} from "../../src/remote/signature.ts";

const recipient = { root: "framepost", to: "gw", command: "snapshot" };

describe("canonical JSON", () => {
  it("is what RFC 8785 prints for its example", () => {
    const source = `{
      "numbers": [333333333.33333329, 1E20, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
      "literals": [null, true, false]
    }`;
    // Of the example's numbers 1e30 is left out: it is beyond 2^53.
    const value = JSON.parse(source.replace("1E20", "1E15")) as unknown;
    assert.equal(
      canonicalJson(value),
      `{"literals":[null,true,false],"numbers":[333333333.3333333,1000000000000000,4.5,0.002,1e-27],"string":"€$\\u000f\\nA'B\\"\\\\\\\\\\"/"}`,
    );
  });

  it("sorts by UTF-16 units, as RFC 8785 shows it", () => {
    const names = ["\u20ac", "\r", "\ufb33", "1", "\ud83d\ude00", "\u0080", "\u00f6"];
    const sorted = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\ud83d\ude00", "\ufb33"];
    const text = canonicalJson(Object.fromEntries(names.map((name) => [name, 0])));
    assert.deepEqual(text, `{${sorted.map((name) => `${JSON.stringify(name)}:0`).join(",")}}`);
  });

  it("is the same however the members stood, and whatever their white space", () => {
    const one = JSON.parse(`{"b": [1, {"y": 1, "x": 2}], "a": -0, "__proto__": 1}`) as unknown;
    const other = JSON.parse(`{"__proto__":1,"a":0.0,"b":[1.0,{"x":2e0,"y":1}]}`) as unknown;
    assert.equal(canonicalJson(one), canonicalJson(other));
    assert.equal(canonicalJson(one), `{"__proto__":1,"a":0,"b":[1,{"x":2,"y":1}]}`);
  });

  const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  for (const text of [
    "9007199254740992",
    "-9007199254740992",
    "1e300",
    "1e400",
    `"\\ud800"`,
    `{"\\udc00":1}`,
    nested(33),
    nested(30_000),
  ]) {
    it(`refuses ${text.slice(0, 24)}`, () => {
      assert.throws(() => canonicalJson(JSON.parse(text)), { code: "JSON_FORM" });
    });
  }

  it("takes what is just within its bounds", () => {
    for (const text of ["9007199254740991", "-9007199254740991", nested(32), `"😀"`]) {
      assert.equal(canonicalJson(JSON.parse(text)), text);
    }
  });
});

describe("signatures of requests", () => {
  const keys = newKeyTexts();
  const privateKey = privateKeyOf(keys.privateKey);
  const publicKey = publicKeyOf(keys.publicKey);
  const envelope = { id: "a-1", args: { camera: "front" }, key: "ops", seq: 7 };
  const signed = sign(envelope, recipient, privateKey);
  const unsigned = canonicalJson(envelope);

  it("hold for what was signed", () => {
    const { sig, ...rest } = signed;
    assert.deepEqual(rest, envelope);
    assert.match(sig, /^[A-Za-z0-9+/]{86}==$/);
    assert.ok(isSigned({ unsigned, sig }, recipient, publicKey));
  });

  it("are the same for the same envelope, and replace one that it had", () => {
    assert.deepEqual(
      sign({ seq: 7, sig: "x", key: "ops", args: { camera: "front" }, id: "a-1" }, recipient, privateKey),
      signed,
    );
  });

  const others = [
    ["root", { ...recipient, root: "other" }, envelope],
    ["device", { ...recipient, to: "gw2" }, envelope],
    ["group in place of a device", { ...recipient, to: "group/gw" }, envelope],
    ["command", { ...recipient, command: "restart" }, envelope],
    ["argument", recipient, { ...envelope, args: { camera: "back" } }],
    ["counter", recipient, { ...envelope, seq: 8 }],
    ["id", recipient, { ...envelope, id: "a-2" }],
    ["key", recipient, { ...envelope, key: "other" }],
    ["member more", recipient, { ...envelope, dry: false }],
    // Lines that are moved from one field to the next.
    ["border between its fields", { root: "framepost\ngw", to: "snapshot", command: "" }, envelope],
  ] as const;
  for (const [what, to, text] of others) {
    it(`do not hold for another ${what}`, () => {
      assert.equal(isSigned({ unsigned: canonicalJson(text), sig: signed.sig }, to, publicKey), false);
    });
  }

  it("do not hold for another key, nor with a changed bit", () => {
    assert.equal(isSigned({ unsigned, sig: signed.sig }, recipient, publicKeyOf(newKeyTexts().publicKey)), false);
    const sig = Buffer.from(signed.sig, "base64");
    sig.writeUInt8(sig.readUInt8(40) ^ 1, 40);
    assert.equal(isSigned({ unsigned, sig: sig.toString("base64") }, recipient, publicKey), false);
    assert.equal(isSigned({ unsigned, sig: "" }, recipient, publicKey), false);
  });

  it("come with keys in the forms of config and OpenSSL", () => {
    assert.match(keys.publicKey, /^[A-Za-z0-9+/]{43}=$/);
    assert.match(keys.privateKey, /^-----BEGIN PRIVATE KEY-----\n/);
    assert.equal(publicKeyText(privateKey), keys.publicKey);
    assert.equal(publicKeyText(publicKey), keys.publicKey);
  });

  it("refuse other keys without quoting them", () => {
    const { privateKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 1024 });
    const pem = rsa.export({ type: "pkcs8", format: "pem" }).toString();
    for (const text of [pem, "no key: secret", keys.publicKey]) {
      assert.throws(
        () => privateKeyOf(text),
        (error: Error) => "code" in error && error.code === "SIGNING_KEY" && !error.message.includes("secret"),
      );
    }
    for (const text of ["", "AAAA", keys.privateKey]) assert.throws(() => publicKeyOf(text), { code: "SIGNING_KEY" });
  });

  it("count up by the clock, and without it where it stands or goes back", () => {
    assert.equal(nextSeq(0, 1_700_000_000_000.7), 1_700_000_000_000);
    assert.equal(nextSeq(1_700_000_000_000, 1_700_000_000_000), 1_700_000_000_001);
    assert.equal(nextSeq(1_700_000_000_005, 0), 1_700_000_000_006);
  });
});
