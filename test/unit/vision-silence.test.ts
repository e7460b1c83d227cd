import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Detection } from "../../src/core/types.ts";
import { Silence } from "../../src/vision/silence.ts";

const something: readonly Detection[] = [{ label: "dog", score: 0.06, box: { left: 0, top: 0, width: 1, height: 1 } }];

/** The pictures, counted from 1, that are looked at closer. */
function suspicious(silence: Silence, pictures: number, scoreMax: number): readonly number[] {
  return Array.from({ length: pictures }, (_, index) => index + 1).filter(() => {
    const suspected = silence.isSuspicious([]);
    if (suspected) silence.judge(scoreMax);
    return suspected;
  });
}

describe("the silence of a model", () => {
  it("is looked into once, and means nothing while there is any score", () => {
    const silence = new Silence(5);
    assert.deepEqual(suspicious(silence, 20, 1e-6), [5]);
    assert.equal(silence.silent, false);
  });

  it("is that of a dead model where there is no score at all, until it speaks or another is loaded", () => {
    const silence = new Silence(5);
    assert.deepEqual(suspicious(silence, 20, 0), [5]);
    assert.equal(silence.silent, true);
    assert.equal(silence.isSuspicious(something), false);
    assert.equal(silence.silent, false);
    assert.deepEqual(suspicious(silence, 20, 0), []);
    silence.forget();
    assert.deepEqual(suspicious(silence, 20, 0), [5]);
  });

  it("is looked into again where nothing could be judged", () => {
    const silence = new Silence(5);
    const suspected = Array.from({ length: 10 }, () => silence.isSuspicious([]));
    assert.deepEqual([suspected.indexOf(true), suspected.lastIndexOf(true)], [4, 9]);
  });

  it("is over with the first detection of all", () => {
    const silence = new Silence(5);
    silence.isSuspicious(something);
    assert.deepEqual(suspicious(silence, 20, 0), []);
  });
});
