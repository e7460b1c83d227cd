import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { ProgramSpeech } from "../../src/capture/stream/program-speech.ts";

function spoken(secrets: readonly string[], ...texts: readonly string[]): string {
  const speech = new ProgramSpeech(secrets, 100);
  for (const text of texts) speech.add(text);
  return speech.lastLine();
}

describe("what a camera program says", () => {
  it("is its last line, without colours and control characters, and short", () => {
    assert.equal(spoken([], "first\n\u001b[31mno\u0007 camera\u001b[0m \n\n"), "no camera");
    assert.equal(spoken([], "50 %\r100 %\r"), "100 %");
    assert.equal(spoken([]), "");
    assert.ok(new ProgramSpeech([], 4_096).lastLine().length === 0);
    assert.ok(spoken([], "word ".repeat(1_000)).length <= 200);
  });

  it("holds no secret, as it is or as it stands in an address, nor the user of any address", () => {
    const secret = "pä ss/w'ord!";
    for (const form of [
      secret,
      encodeURIComponent(secret),
      encodeURIComponent(secret).toLowerCase(),
      "p%C3%A4%20ss%2Fw%27ord%21",
    ]) {
      assert.equal(spoken([secret], `cannot log in with ${form} here`), "cannot log in with *** here", form);
    }
    assert.equal(spoken(["a%20secret"], "it is a secret"), "it is ***");
    assert.equal(spoken(["one line\nand two"], "it is and two"), "it is ***");
    assert.equal(spoken([], "rtsp://me:mine@host/path?token=x : 404"), "rtsp://***@host/path?*** : 404");
    assert.equal(spoken(["secret", "secretive"], "secretive"), "***");
    assert.equal(spoken(["x", ""], "a text with x"), "a text with x", "what is too short to be one");
  });

  it("shows no part of a secret that was cut, wherever it arrived in pieces", () => {
    const secret = "swordfish-0123456789-abcdefghij";
    const parts = Array.from({ length: secret.length - 4 }, (_, at) => secret.slice(at, at + 5));
    const pieces = fc.array(fc.oneof(fc.constant(secret), fc.constantFrom(" ", "x", "yz ", "\n")), { maxLength: 60 });
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 40 }), (words, size) => {
        const text = words.join("");
        const speech = new ProgramSpeech([secret], 64);
        for (let at = 0; at < text.length; at += size) speech.add(text.slice(at, at + size));
        const said = speech.lastLine();
        for (const part of parts) assert.ok(!said.includes(part), said);
      }),
      { numRuns: 1_000 },
    );
  });
});
