import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { RecordDraft } from "../../src/core/types.ts";
import { imageUpdate, layernextAnnotations } from "../../src/targets/layernext/encode.ts";
import { generations, objectKeyOf } from "../../src/targets/layernext/generation.ts";
import { modelNameProblem, operationIdOf, operationIdProblem } from "../../src/targets/layernext/operation-id.ts";
import { sampleDetection, sampleDraft } from "../lib/records.ts";
import { seededRandom } from "../lib/seams.ts";

interface WireShape {
  readonly boxBoundariesAndDimensions: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly points: readonly (readonly [number, number])[];
}

/** Through JSON, as on the wire. */
function wireShapes(draft: RecordDraft): readonly WireShape[] {
  const references = new Map([["person", { ref: "r", color: "#000", attributes: new Map() }]]);
  const how = { generation: generations["3.x"], references, isGroundTruth: false, nowMs: 0 };
  const annotations = layernextAnnotations(draft, { minScore: 0, geometry: "outline" });
  const image = { address: { by: "key", objectKey: "k" } as const, annotations, newId: () => "id" };
  const { data } = JSON.parse(JSON.stringify(imageUpdate(image, how))) as {
    readonly data: { readonly annotationObjects: readonly WireShape[] };
  };
  return data.annotationObjects;
}

describe("LayerNext encoding", () => {
  it("gives back 10,000 boxes within a pixel, by their box and by their corners, never outside the image", () => {
    const random = seededRandom(8);
    for (let round = 0; round < 10_000; round += 1) {
      const imageWidth = 1 + Math.floor(random() * (round % 3 === 0 ? 8 : 4_000));
      const imageHeight = 1 + Math.floor(random() * (round % 5 === 0 ? 8 : 3_000));
      const atBorder = round % 4 === 0;
      const left = atBorder ? 0 : (random() - 0.1) * imageWidth;
      const top = atBorder ? random() * imageHeight * 0.9 : (random() - 0.1) * imageHeight;
      const width = atBorder ? imageWidth : random() * imageWidth + 0.01;
      const height = random() * imageHeight + 0.01;
      const truth = {
        left: Math.max(0, left),
        top: Math.max(0, top),
        right: Math.min(imageWidth, left + width),
        bottom: Math.min(imageHeight, top + height),
      };
      const box = { left, top, width, height };
      const [shape] = wireShapes(sampleDraft({ imageWidth, imageHeight, detections: [sampleDetection({ box })] }));
      if (truth.right <= truth.left || truth.bottom <= truth.top) {
        assert.equal(shape, undefined);
        continue;
      }
      assert.ok(shape !== undefined);
      const { x, y, w, h } = shape.boxBoundariesAndDimensions;
      const xs = shape.points.map(([each]) => each);
      const ys = shape.points.map(([, each]) => each);
      for (const [mine, known] of [
        [x, truth.left],
        [y, truth.top],
        [x + w, truth.right],
        [y + h, truth.bottom],
        [Math.min(...xs), truth.left],
        [Math.max(...xs), truth.right],
        [Math.min(...ys), truth.top],
        [Math.max(...ys), truth.bottom],
      ] as const) {
        assert.ok(Math.abs(mine - known) <= 1, `${mine} instead of ${known}`);
      }
      const slack = 1e-9 * Math.max(imageWidth, imageHeight);
      assert.ok(Math.min(...xs, ...ys) >= 0 && Math.max(...xs) <= imageWidth + slack);
      assert.ok(Math.max(...ys) <= imageHeight + slack);
      // Clockwise from the top left.
      assert.deepEqual(shape.points, [
        [x, y],
        [x + w, y],
        [x + w, y + h],
        [x, y + h],
      ]);
    }
  });

  it("moves the points of an outline that leaves the image to its border", () => {
    const polygon = [
      { x: -5, y: 3 },
      { x: 80, y: 3 },
      { x: 20, y: 60 },
    ];
    const [shape] = wireShapes(sampleDraft({ detections: [sampleDetection({ polygon })] }));
    assert.deepEqual(shape?.points, [
      [0, 3],
      [64, 3],
      [20, 48],
    ]);
  });
});

describe("LayerNext object keys", () => {
  it("join base path and file name as the clients of each generation were recorded to do", () => {
    assert.equal(objectKeyOf(generations.layerx, "path1/path2/", "a.jpg"), "path1/path2/a.jpg");
    assert.equal(objectKeyOf(generations.layerx, "dock-3", "a.jpg"), "dock-3/a.jpg");
    assert.equal(objectKeyOf(generations["1.x"], "path1/path2/", "a.jpg"), "path1/path2/_a.jpg");
    assert.equal(objectKeyOf(generations["1.x"], "dock-3", "a.jpg"), "dock-3_a.jpg");
    assert.equal(objectKeyOf(generations["1.x"], "", "a.jpg"), "a.jpg");
  });
});

describe("LayerNext operation ids", () => {
  it("name model, version and day", () => {
    const model = { inputWidth: 1, inputHeight: 1, threshold: 0, nmsIou: 1, runtime: "x" };
    const draft = sampleDraft({ model: { ...model, name: "yolo dock", sha256: "0123456789abcdef".repeat(4) } });
    assert.equal(operationIdOf("{model} {version} {date}", draft), "yolo dock 0123456789ab 2026-03-05");
    assert.equal(operationIdOf("fixed", draft), "fixed");
  });

  it("take nothing that would cut or climb an address", () => {
    for (const name of ["a/b", "a?", "#", "50%", "", " ", ".", ".."])
      assert.notEqual(modelNameProblem(name), undefined);
    for (const name of ["test model v1.0.1", "yolo-dock v2", "é"]) assert.equal(modelNameProblem(name), undefined);
    for (const template of ["{modell}", "{", "}{", "{model}/x", ""])
      assert.notEqual(operationIdProblem(template), undefined);
    assert.equal(operationIdProblem("{model} {version}"), undefined);
  });
});
