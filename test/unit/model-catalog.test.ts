import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { catalog, inCatalog } from "../../src/models/catalog.ts";
import { coco80, coco90 } from "../../src/models/coco.ts";
import { manifestSchema } from "../../src/vision/config.ts";

describe("the catalog of public models", () => {
  it("gives each a manifest that the vision process takes, of the file at its address", () => {
    for (const { name, manifest, sha256, bytes, licence } of catalog) {
      const read = manifestSchema.parse(manifest);
      assert.deepEqual(
        { sha256: read.sha256, bytes: read.bytes, licence: read.licence },
        { sha256, bytes, licence },
        name,
      );
      assert.equal(read.file, "model.onnx");
      assert.ok(read.family !== undefined && read.labels !== undefined && read.threshold !== undefined, name);
      assert.ok(read.input?.width !== undefined && read.input.order !== undefined, name);
    }
  });

  it("names one file of one commit for each, over https, with a licence that lets anybody use it", () => {
    for (const { name, url, page, licence, sha256, bytes } of catalog) {
      assert.match(
        url,
        /^https:\/\/(raw|media)\.githubusercontent\.com\/(media\/)?[\w.-]+\/[\w.-]+\/[0-9a-f]{40}\/\S+\.onnx$/,
        name,
      );
      assert.match(page, /^https:\/\/github\.com\/[\w.-]+\/[\w.-]+\/blob\/[0-9a-f]{40}\//, name);
      assert.match(licence, /^(MIT|BSD-3-Clause|Apache-2\.0)$/, name);
      assert.match(sha256, /^[0-9a-f]{64}$/, name);
      assert.ok(bytes > 50_000 && bytes < 64_000_000, name);
    }
  });

  it("lists each name and each file once, in the order of names", () => {
    const names = catalog.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)].toSorted());
    assert.equal(new Set(catalog.map(({ sha256 }) => sha256)).size, catalog.length);
    for (const name of names) {
      assert.match(name, /^[a-z0-9][\w.-]{0,63}$/);
      assert.equal(inCatalog(name)?.name, name);
    }
    assert.equal(inCatalog("yolov8n"), undefined);
  });

  it("counts COCO's classes as detectors do, and as TensorFlow's do", () => {
    assert.equal(new Set(coco80).size, 80);
    assert.deepEqual([coco80[0], coco80[79]], ["person", "toothbrush"]);
    assert.equal(new Set(coco90).size, 90);
    // Numbers of the annotation files, from 1.
    const numbers = { person: 1, "stop sign": 13, bird: 16, backpack: 27, frisbee: 34, bottle: 44, "wine glass": 46 };
    for (const [label, number] of Object.entries(numbers)) assert.equal(coco90[number - 1], label);
    assert.deepEqual([coco90[66], coco90[72], coco90[89]], ["dining table", "laptop", "toothbrush"]);
  });
});
