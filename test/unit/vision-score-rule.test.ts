import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Reading } from "../../src/vision/config.ts";
import { objectMin, scoreRule } from "../../src/vision/process/families/score-rule.ts";

describe("score rules", () => {
  const cases: readonly (readonly [NonNullable<Reading["score"]>, number])[] = [
    ["class", 0.25],
    ["object*class", 0.16],
    ["sqrt(object*class)", 0.4],
    ["object^0.6*class^0.4", 0.64 ** 0.6 * 0.25 ** 0.4],
  ];
  for (const [rule, expected] of cases) {
    it(`makes a score as ${rule} says`, () => {
      assert.ok(Math.abs(scoreRule(rule, "class")(0.64, 0.25) - expected) < 1e-12);
      assert.equal(scoreRule(undefined, rule), scoreRule(rule, "class"));
    });

    it(`never passes over an objectness that could reach the score as ${rule}`, () => {
      const least = objectMin(rule, "class", 0.3);
      assert.ok(scoreRule(rule, "class")(Math.max(least, 0), 1) >= 0.3 - 1e-12);
      if (rule !== "class") assert.ok(scoreRule(rule, "class")(least * 0.999, 1) < 0.3);
    });
  }
});
