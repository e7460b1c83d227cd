import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { idInJson, idOf, jwtOf, uploadIdOf } from "../../src/targets/onestepai/answers.ts";
import { onestepaiConfig, onestepaiWarnings } from "../../src/targets/onestepai/config.ts";

const context = { attempted: "POST https://osai.example/api", secrets: [] };
const answerOf = (body: string, type = "application/json") => ({
  status: 200,
  headers: { "content-type": type },
  body: Buffer.from(body),
});
const unexpected = { code: "HTTP_NOT_THE_PLATFORM" };

describe("OneStepAI answers", () => {
  const jwt = "eyJhbGciOi.J9_x-y.sig";
  const forms = [jwt, `"${jwt}"`, `${jwt}\r\n`, `  ${jwt} `, `Bearer ${jwt}`, `"Bearer ${jwt}"\n`, `bearer  ${jwt}`];
  for (const form of forms) {
    it(`reads the token out of ${JSON.stringify(form)}`, () => assert.equal(jwtOf(Buffer.from(form)), jwt));
  }

  const nonsense = ["", " ", '""', "two words", "a\u0000b", '{"token":"x"}', "<html></html>", "null", "77", "[1]", "é"];
  for (const text of [...nonsense, "Bearer ", "x".repeat(20_000)]) {
    it(`takes ${JSON.stringify(text.slice(0, 20))} for no token`, () => {
      assert.equal(jwtOf(Buffer.from(text)), undefined);
    });
  }

  it("keeps the id of an upload as the text that came, a scalar or in an object", () => {
    assert.equal(uploadIdOf(answerOf("9031"), context), "9031");
    assert.equal(uploadIdOf(answerOf('"9f-aa"'), context), "9f-aa");
    assert.equal(uploadIdOf(answerOf('{"id":77,"x":1}'), context), "77");
    assert.equal(uploadIdOf(answerOf('{"id":"77"}'), context), "77");
    assert.equal(uploadIdOf(answerOf("90310000000000000001\n"), context), "90310000000000000001");
  });

  for (const body of [
    "null",
    "true",
    '""',
    "[9031]",
    "{}",
    '{"id":null}',
    "1.5",
    "-3",
    '{"id":90310000000000000001}',
    "x",
  ]) {
    it(`takes ${body} for no id`, () => {
      assert.throws(() => uploadIdOf(answerOf(body), context), unexpected);
      assert.throws(() => idOf(answerOf(body), context), unexpected);
    });
  }

  it("wants an object with an id where something was made", () => {
    assert.equal(idOf(answerOf('{"id":514}'), context), "514");
    assert.throws(() => idOf(answerOf("514"), context), unexpected);
    assert.throws(() => idOf(answerOf('{"id":514}', "text/html"), context), unexpected);
  });

  it("sends an id that came as a number as one", () => {
    assert.equal(idInJson("514"), 514);
    assert.equal(idInJson("0514"), "0514");
    assert.equal(idInJson("9f-aa"), "9f-aa");
  });
});

describe("OneStepAI config", () => {
  const least = { id: "osai", kind: "onestepai", accessToken: "secret-canary", datasetId: 514 };
  const valid = { ...least, category: { default: 77 } };

  it("needs an access token, a dataset and a category, and fills in the rest", () => {
    const config = onestepaiConfig.parse(valid);
    assert.equal(config.url, "https://app-eu.onestepai.com/api");
    assert.deepEqual(
      [config.skipUnsupportedImages, config.emptyAsVoc, config.createCategories, config.category.rules],
      [false, false, false, []],
    );
    assert.deepEqual(onestepaiWarnings(config), []);
    assert.equal(onestepaiConfig.safeParse(least).success, false);
  });

  it("refuses the name of a category that has no id and may not be created", () => {
    const rules = [{ label: "dog", category: "dogs of war" }];
    const named = { ...valid, category: { default: 77, rules } };
    assert.match(onestepaiConfig.safeParse(named).error?.message ?? "", /createCategories: true/);
    assert.ok(onestepaiConfig.safeParse({ ...named, createCategories: true }).success);
    const ids = { "dogs of war": 5 };
    assert.ok(onestepaiConfig.safeParse({ ...named, category: { default: 77, rules, ids } }).success);
  });

  it("strips a trailing slash, and warns of a token over plain http and of pictures lost in silence", () => {
    const config = onestepaiConfig.parse({ ...valid, url: "http://osai.example/api/", skipUnsupportedImages: true });
    assert.equal(config.url, "http://osai.example/api");
    assert.equal(onestepaiWarnings(config).length, 2);
  });

  for (const wrong of [
    { url: "ftp://x" },
    { accessToken: "a b" },
    { datasetId: "a b" },
    { category: { default: " " } },
  ]) {
    it(`refuses ${JSON.stringify(wrong)}, without repeating a secret`, () => {
      const result = onestepaiConfig.safeParse({ ...valid, ...wrong });
      assert.equal(result.success, false);
      assert.ok(!result.error.message.includes("secret-canary"));
    });
  }
});
