import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { recordFilter } from "../../src/targets/config.ts";
import { filterWants, type RecordFilter } from "../../src/targets/filter.ts";
import { sampleDetection, sampleDraft } from "../lib/records.ts";

const plain: RecordFilter = { minScore: 0, includeEmpty: false, includeUnlabelled: false };
const model = {
  name: "tiny",
  sha256: "0".repeat(64),
  inputWidth: 64,
  inputHeight: 64,
  threshold: 0.5,
  nmsIou: 0.5,
  runtime: "test",
};

describe("record filter", () => {
  it("takes records that show something, and neither empty nor unlabelled ones, by default", () => {
    assert.equal(filterWants(plain, sampleDraft()), true);
    assert.equal(filterWants(plain, sampleDraft({ detections: [] })), false);
    assert.equal(filterWants(plain, sampleDraft({ labelled: false, detections: [] })), false);
  });

  it("counts a record as empty when all its detections lie below the threshold", () => {
    const draft = sampleDraft({ model, detections: [sampleDetection({ score: 0.4 })] });
    assert.equal(filterWants(plain, draft), false);
    assert.equal(filterWants({ ...plain, includeEmpty: true }, draft), true);
    assert.equal(filterWants({ ...plain, minScore: 0.95 }, sampleDraft()), false);
  });

  it("never lowers the model's threshold", () => {
    const draft = sampleDraft({ model, detections: [sampleDetection({ score: 0.4 })] });
    assert.equal(filterWants({ ...plain, minScore: 0.1 }, draft), false);
  });

  it("tells a frame that the detector never saw from one it found empty", () => {
    const unlabelled = sampleDraft({ labelled: false, detections: [] });
    assert.equal(filterWants({ ...plain, includeEmpty: true }, unlabelled), false);
    assert.equal(filterWants({ ...plain, includeUnlabelled: true }, unlabelled), true);
    assert.equal(filterWants({ ...plain, includeUnlabelled: true }, sampleDraft({ detections: [] })), false);
  });

  it("takes a record when one of its shown labels is on the list", () => {
    const draft = sampleDraft({ detections: [sampleDetection(), sampleDetection({ label: "dog", score: 0.2 })] });
    assert.equal(filterWants({ ...plain, labels: ["dog", "cat"] }, draft), true);
    assert.equal(filterWants({ ...plain, labels: ["dog"], minScore: 0.5 }, draft), false);
    assert.equal(filterWants({ ...plain, labels: ["cat"] }, draft), false);
  });

  it("has the same defaults in the config", () => {
    assert.deepEqual(recordFilter.parse({}), plain);
    assert.equal(recordFilter.safeParse({ labels: [] }).success, false);
    assert.equal(recordFilter.safeParse({ label: ["person"] }).success, false);
  });
});
