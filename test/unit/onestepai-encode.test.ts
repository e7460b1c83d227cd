import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Box } from "../../src/core/types.ts";
import { categoryOf } from "../../src/targets/onestepai/category.ts";
import { onestepaiAnnotation } from "../../src/targets/onestepai/encode.ts";
import { sampleDetection, sampleDraft, sampleJpeg, sampleRecord } from "../lib/records.ts";
import { seededRandom } from "../lib/seams.ts";

const asIs = { minScore: 0, emptyAsVoc: false };

/** Written from the platform's page on annotations alone. */
function decoded(xml: string): readonly { readonly label: string; readonly edges: readonly number[] }[] {
  const number = (text: string, tag: string) => {
    const found = new RegExp(`<${tag}>(\\d+)</${tag}>`).exec(text)?.[1];
    return Number(found ?? assert.fail(`no whole number in <${tag}>`));
  };
  const entities = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" };
  return [...xml.matchAll(/<object>([^]*?)<\/object>/g)].map(([, object = ""]) => {
    const name = /<name>([^<]*)<\/name>/.exec(object)?.[1] ?? assert.fail("no name");
    const label = name.replaceAll(/&\w+;/g, (entity) => entities[entity as keyof typeof entities]);
    return { label, edges: ["xmin", "ymin", "xmax", "ymax"].map((tag) => number(object, tag)) };
  });
}

function annotationOf(boxes: readonly Box[], imageWidth: number, imageHeight: number): string {
  const detections = boxes.map((box, at) => sampleDetection({ label: `n${at}`, box }));
  const record = sampleRecord(1, sampleJpeg(), { imageWidth, imageHeight, detections });
  return onestepaiAnnotation(record, asIs) ?? assert.fail("no annotation");
}

describe("OneStepAI annotation", () => {
  it("has the children of the platform's page, in their order", () => {
    const record = sampleRecord(7, sampleJpeg());
    assert.equal(
      onestepaiAnnotation(record, asIs)?.replaceAll(/\n\s*/g, ""),
      "<annotation><filename>gw-07-aaaa-7.jpg</filename><path>gw-07-aaaa-7.jpg</path><source></source>" +
        "<size><width>64</width><height>48</height><depth>3</depth></size><segmented>0</segmented>" +
        "<object><name>person</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>" +
        "<occluded>0</occluded><bndbox><xmin>4</xmin><xmax>24</xmax><ymin>2</ymin><ymax>11</ymax></bndbox></object>" +
        "</annotation>",
    );
  });

  it("escapes what XML reserves, drops what it cannot write, and never has a DOCTYPE", () => {
    const label = `<!DOCTYPE a> & "b" 'c'\u0000\ud800`;
    const record = sampleRecord(1, sampleJpeg(), { detections: [sampleDetection({ label })] });
    const xml = onestepaiAnnotation(record, asIs) ?? "";
    assert.ok(!xml.includes("<!"));
    assert.deepEqual(
      decoded(xml).map((object) => object.label),
      [`<!DOCTYPE a> & "b" 'c'  `],
    );
  });

  it("is absent where nothing was detected, and empty where the config says so", () => {
    const nothing = sampleRecord(1, sampleJpeg(), { detections: [] });
    assert.equal(onestepaiAnnotation(nothing, asIs), undefined);
    assert.deepEqual(decoded(onestepaiAnnotation(nothing, { minScore: 0, emptyAsVoc: true }) ?? "none"), []);
    assert.match(onestepaiAnnotation(nothing, { minScore: 0, emptyAsVoc: true }) ?? "", /<width>64<\/width>/);
    const faint = sampleRecord(1, sampleJpeg(), { detections: [sampleDetection({ score: 0.3 })] });
    assert.equal(onestepaiAnnotation(faint, { minScore: 0.5, emptyAsVoc: false }), undefined);
  });

  it("never says that nothing is there of a frame that the detector did not see", () => {
    const unseen = sampleRecord(1, sampleJpeg(), { detections: [], labelled: false });
    assert.equal(onestepaiAnnotation(unseen, { minScore: 0, emptyAsVoc: true }), undefined);
  });

  it("decodes back within a pixel, outwards, inside the image, for 10,000 boxes of all kinds", () => {
    const random = seededRandom(2);
    for (let round = 0; round < 200; round += 1) {
      const [width, height] = [1 + Math.floor(random() * 4_000), 1 + Math.floor(random() * 3_000)];
      const boxes = Array.from({ length: 50 }, (_, at) => randomBox(random, at % 5, width, height));
      const objects = decoded(annotationOf(boxes, width, height));
      for (const { label, edges } of objects) {
        const box = boxes[Number(label.slice(1))] ?? assert.fail();
        const truth = [box.left, box.top, box.left + box.width, box.top + box.height];
        const clipped = truth.map((edge, at) => Math.min(Math.max(0, edge), at % 2 === 0 ? width : height));
        const [xmin = 0, ymin = 0, xmax = 0, ymax = 0] = edges;
        assert.ok(
          0 <= xmin && xmin < xmax && xmax <= width && 0 <= ymin && ymin < ymax && ymax <= height,
          edges.join(),
        );
        for (const [at, edge] of edges.entries()) {
          const off = at < 2 ? (clipped[at] ?? 0) - edge : edge - (clipped[at] ?? 0);
          // Outwards; a box without a pixel of its own at the far border moves inwards by its size.
          assert.ok(off > -1e-6 && off <= 1, `edge ${at}: ${clipped[at]} became ${edge}`);
        }
      }
      assert.equal(objects.length, 50);
    }
  });
});

/** Anywhere, whole, touching each border, reaching out, and smaller than a pixel. */
function randomBox(random: () => number, kind: number, width: number, height: number): Box {
  const inside = (length: number) => {
    const from = random() * length * 0.9;
    return [from, (length - from) * Math.max(0.01, random())] as const;
  };
  const [[left, boxWidth], [top, boxHeight]] = [inside(width), inside(height)];
  switch (kind) {
    case 0:
      return { left: 0, top: 0, width: boxWidth, height: boxHeight };
    case 1:
      return { left, top, width: width - left, height: height - top };
    case 2:
      return { left: -5, top: -3, width: width + 20, height: height + 20 };
    case 3:
      return { left, top, width: 1e-3, height: 1e-3 };
    default:
      return { left, top, width: boxWidth, height: boxHeight };
  }
}

describe("OneStepAI category of an image", () => {
  const rules = {
    default: "other things",
    rules: [
      { label: "person", category: "people" },
      { label: "dog", category: 12 },
      { label: "traffic light", category: "traffic light" },
    ],
  };
  const of = (labels: readonly string[], minScore = 0) => {
    const detections = labels.map((label, at) => sampleDetection({ label, score: 0.9 - at * 0.1 }));
    return categoryOf(sampleDraft({ detections }), rules, minScore);
  };

  it("is that of the best detection that has a rule", () => {
    assert.deepEqual(of(["cat", "dog", "person"]), { kind: "id", id: "12" });
    assert.deepEqual(of(["person", "dog"]), { kind: "name", name: "people" });
  });

  it("is the default where no rule fits, also for what lies under the score", () => {
    assert.deepEqual(of(["cat"]), { kind: "name", name: "other_things" });
    assert.deepEqual(of(["cat", "person"], 0.85), { kind: "name", name: "other_things" });
    assert.deepEqual(of([]), { kind: "name", name: "other_things" });
  });

  it("is written as the platform's importer writes it", () => {
    assert.deepEqual(of(["traffic light"]), { kind: "name", name: "traffic_light" });
  });
});
