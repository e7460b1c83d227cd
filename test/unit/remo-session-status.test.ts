import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { imageVerdicts, labelsVerdict } from "../../src/targets/remo/judge.ts";
import { isFinished, progressMark, sessionStatusOf } from "../../src/targets/remo/session-status.ts";

const counts = (successful: number, failed: number, errors: object[] = []) => ({
  pending: 0,
  total: successful + failed,
  successful,
  failed,
  errors,
});

describe("remo's session status", () => {
  it("is read with the errors of its files, wherever they stand", () => {
    const status = sessionStatusOf(
      {
        status: "failed",
        images: counts(1, 1, [{ filename: "a.jpg", errors: ["bad", "worse"] }]),
        annotations: counts(1, 0, [{ filename: "b.csv", errors: ["no image"] }]),
        errors: [{ type: "file", value: "c.txt", error: "not supported" }, { error: "the worker died" }, "text"],
        uploaded: { images: { items: 2 } },
      },
      "GET status",
    );
    assert.deepEqual(
      [...status.fileErrors],
      [
        ["a.jpg", "bad; worse"],
        ["b.csv", "no image"],
        ["c.txt", "not supported"],
      ],
    );
    assert.deepEqual(status.errors, ["the worker died", "text"]);
    assert.ok(isFinished(status));
  });

  it("is unfinished where it says nothing or something new, and fails where it is no object", () => {
    for (const value of [{}, { status: 3 }, { status: "sleeping" }, { status: "in progress", images: "many" }]) {
      assert.equal(isFinished(sessionStatusOf(value, "GET status")), false);
    }
    for (const value of [null, [], "done", 7]) {
      assert.throws(() => sessionStatusOf(value, "GET status"), { code: "REMO_ANSWER" });
    }
  });

  it("has a mark of its progress that fits a cursor", () => {
    const mark = (successful: number) =>
      progressMark(sessionStatusOf({ status: "in progress", images: counts(successful, 0) }, ""));
    assert.notEqual(mark(1), mark(2));
    assert.match(mark(2 ** 40), /^\S{1,64}$/);
  });

  const verdictsOf = (successful: number, errors: object[], names: readonly string[], doubt = false) => {
    const status = sessionStatusOf({ status: "done", images: counts(successful, 0, errors) }, "");
    return [...imageVerdicts(status, names, doubt).values()].map(({ kind }) => kind);
  };

  it("proves arrivals by its counts only when they leave nobody out", () => {
    const names = ["a.jpg", "b.jpg"];
    const duplicate = { filename: "a.jpg", errors: ["not added (Duplicated image)"] };
    const bad = { filename: "a.jpg", errors: ["Failed to upload image"] };
    assert.deepEqual(verdictsOf(2, [], names), ["arrived", "arrived"]);
    assert.deepEqual(verdictsOf(1, [], names), ["unproven", "unproven"]);
    assert.deepEqual(verdictsOf(2, [], names, true), ["unproven", "unproven"]);
    assert.deepEqual(verdictsOf(1, [duplicate], names), ["arrived", "unproven"]);
    assert.deepEqual(verdictsOf(1, [bad], names), ["refused", "arrived"]);
    const ofDatabase = { filename: "a.jpg", errors: ["Failed, error: duplicate key value violates unique constraint"] };
    assert.deepEqual(verdictsOf(1, [ofDatabase], names), ["refused", "arrived"]);
  });

  it("blames the annotations of those that the server names, of all where it names nobody", () => {
    const verdict = (successful: number, errors: object[]) =>
      labelsVerdict(
        sessionStatusOf({ status: "failed", annotations: counts(successful, successful === 0 ? 1 : 0, errors) }, ""),
        "s.csv",
        ["a.jpg", "b.jpg"],
      );
    const missing = { filename: "s.csv", errors: ["has annotations for 'b.jpg', which can't be found"] };
    assert.deepEqual(verdict(1, []), { kind: "taken", blamed: [], text: "" });
    assert.equal(JSON.stringify(verdict(1, [missing])).includes('"blamed":["b.jpg"]'), true);
    assert.equal(verdict(0, [{ filename: "s.csv", errors: ["format not recognised"] }]).kind, "refused");
    assert.equal(labelsVerdict(sessionStatusOf({ status: "done" }, ""), "s.csv", []).kind, "missing");
  });
});
