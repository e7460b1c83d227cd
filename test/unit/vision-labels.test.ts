import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { labelOf, labelsFrom } from "../../src/vision/process/labels.ts";

describe("labels in a model's metadata", () => {
  it("are read from a Python dictionary with either quote, escapes and odd characters", () => {
    const literal = `{0: 'person', 1: "driver's seat", 2: 'it\\'s', 3: 'a, b: {c}', 4: 'straße'}`;
    assert.deepEqual(labelsFrom(literal), ["person", "driver's seat", "it's", "a, b: {c}", "straße"]);
  });

  it("are not taken from a list with a hole, or from anything else", () => {
    for (const literal of [undefined, "", "{}", "{0: 'a', 2: 'c'}", "{1: 'b'}", "person, bicycle"]) {
      assert.equal(labelsFrom(literal), undefined, literal);
    }
  });

  it("stay usable for a class without a name", () => {
    assert.equal(labelOf(["a"], 0), "a");
    assert.equal(labelOf(["a"], 7), "class7");
  });
});
