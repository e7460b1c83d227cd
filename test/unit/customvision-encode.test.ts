import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Box, Detection, RecordDraft } from "../../src/core/types.ts";
import { batchesOf, halvesOf, type Item } from "../../src/targets/customvision/batches.ts";
import { imageFilesBody } from "../../src/targets/customvision/bodies.ts";
import { shownOf, tagged } from "../../src/targets/customvision/encode.ts";
import type { NewRegion } from "../../src/targets/customvision/models.ts";
import { sampleDelivery, sampleDetection, sampleDraft, sampleJpeg } from "../lib/records.ts";
import { seededRandom } from "../lib/seams.ts";

const tagIdOf = (at: number): string => `11111111-0000-4000-8000-${String(at).padStart(12, "0")}`;

function regionsOf(draft: RecordDraft): readonly NewRegion[] {
  const encoded = tagged(shownOf(draft, "regions", 0), () => tagIdOf(1));
  assert.ok("regions" in encoded);
  return encoded.regions;
}

/** As the service has it: left and top are the corner, everything a fraction. Written apart from the encoder. */
function decoded(region: NewRegion, { imageWidth, imageHeight }: RecordDraft): Box {
  const [left, right] = [region.left, region.left + region.width].map((x) => x * imageWidth) as [number, number];
  const [top, bottom] = [region.top, region.top + region.height].map((y) => y * imageHeight) as [number, number];
  return { left, top, width: right - left, height: bottom - top };
}

function inside(box: Box, width: number, height: number): Box {
  const [left, top] = [Math.max(0, box.left), Math.max(0, box.top)];
  const [right, bottom] = [Math.min(width, box.left + box.width), Math.min(height, box.top + box.height)];
  return { left, top, width: right - left, height: bottom - top };
}

/** Pixel sizes that cameras have, and a few that are awkward for float32. */
const sizes = [
  [640, 480],
  [1920, 1080],
  [1080, 1920],
  [3264, 2448],
  [10_240, 410],
  [641, 359],
  [64, 48],
] as const;

describe("customvision regions", () => {
  it("of 10,000 random boxes lie within a pixel of them and inside the image, also as float32", () => {
    const random = seededRandom(33);
    let touching = 0;
    for (let round = 0; round < 10_000; round += 1) {
      const [imageWidth = 1, imageHeight = 1] = sizes[round % sizes.length] ?? [];
      const box = randomBox(round, imageWidth, imageHeight, random);
      const draft = sampleDraft({ imageWidth, imageHeight, detections: [sampleDetection({ box })] });
      const [region] = regionsOf(draft);
      assert.ok(region !== undefined);
      const numbers = [region.left, region.top, region.width, region.height];
      assert.ok(numbers.every((value) => value >= 0 && value <= 1));
      assert.ok(Math.fround(region.width) > 0 && Math.fround(region.height) > 0, "no area");
      for (const [start, length] of [
        [region.left, region.width],
        [region.top, region.height],
      ] as const) {
        assert.ok(start + length <= 1);
        assert.ok(Math.fround(Math.fround(start) + Math.fround(length)) <= 1, `${start} + ${length} as float32`);
      }
      const [true_, back] = [inside(box, imageWidth, imageHeight), decoded(region, draft)];
      if (true_.left + true_.width === imageWidth) touching += 1;
      const off = [
        back.left - true_.left,
        back.top - true_.top,
        back.left + back.width - true_.left - true_.width,
        back.top + back.height - true_.top - true_.height,
      ];
      assert.ok(
        off.every((pixels) => Math.abs(pixels) <= 1),
        `off by ${off.join(", ")} pixels`,
      );
    }
    assert.ok(touching > 1_000, "too few boxes touch the border");
  });

  it("has the corner where the image has it, and not the centre", () => {
    const [region] = regionsOf(sampleDraft());
    assert.deepEqual(region, { tagId: tagIdOf(1), left: 0.0625, top: 0.041666, width: 0.312499, height: 0.187499 });
  });

  it("leaves out boxes outside of the image, and those whose label has no tag", () => {
    const far = sampleDetection({ box: { left: 100, top: 2, width: 5, height: 5 } });
    assert.deepEqual(regionsOf(sampleDraft({ detections: [far] })), []);
    assert.deepEqual(
      tagged(shownOf(sampleDraft(), "regions", 0), () => undefined),
      { regions: [] },
    );
  });
});

function randomBox(round: number, width: number, height: number, random: () => number): Box {
  const [across, down] = [random() * width, random() * height];
  switch (round % 4) {
    case 0:
      return { left: across, top: down, width: width - across, height: height - down };
    case 1:
      return { left: across, top: down, width: random() * 0.02 + 1e-4, height: random() * 0.02 + 1e-4 };
    case 2:
      return { left: across - 5, top: down - 5, width: random() * width + 6, height: random() * height + 6 };
    default:
      return { left: 0, top: 0, width: Math.max(1, across), height: Math.max(1, down) };
  }
}

describe("customvision tags", () => {
  const several: readonly Detection[] = [
    sampleDetection({ label: "car", score: 0.6 }),
    sampleDetection({ label: "person", score: 0.95 }),
    sampleDetection({ label: "person", score: 0.7 }),
  ];

  it("are each label once; of one that wants a single tag, the best score's", () => {
    const draft = sampleDraft({ detections: several });
    assert.deepEqual(shownOf(draft, "tags", 0), { kind: "tags", labels: ["car", "person"] });
    assert.deepEqual(shownOf(draft, "best-tag", 0), { kind: "tags", labels: ["person"] });
    assert.deepEqual(shownOf(draft, "tags", 0.9), { kind: "tags", labels: ["person"] });
    assert.deepEqual(shownOf(sampleDraft({ detections: [] }), "best-tag", 0), { kind: "tags", labels: [] });
  });

  it("collapse where two labels have one tag", () => {
    const shown = shownOf(sampleDraft({ detections: several }), "tags", 0);
    assert.deepEqual(
      tagged(shown, () => tagIdOf(4)),
      { tagIds: [tagIdOf(4)] },
    );
  });
});

describe("the body of createImagesFromFiles", () => {
  const region = { tagId: tagIdOf(2), left: 0.1, top: 0.2, width: 0.3, height: 0.4 };
  const images = [
    { name: 'a "quoted" é.jpg', contents: sampleJpeg(1, 100_001), tagIds: [tagIdOf(1)] },
    { name: "b.jpg", contents: sampleJpeg(2, 301) },
  ];

  it("is what JSON.stringify would write, capitals in v1.2 and small letters in v3.3", () => {
    const [first, second] = images.map(({ contents }) => contents.toString("base64"));
    assert.deepEqual(JSON.parse(imageFilesBody("v1.2", images, { tagIds: [tagIdOf(3)] }).toString()), {
      Images: [
        { Name: 'a "quoted" é.jpg', Contents: first, TagIds: [tagIdOf(1)] },
        { Name: "b.jpg", Contents: second },
      ],
      TagIds: [tagIdOf(3)],
    });
    const withRegions = images.map((image) => ({ ...image, regions: [region] }));
    assert.deepEqual(JSON.parse(imageFilesBody("v3.3", withRegions, { metadata: { gate: "north" } }).toString()), {
      images: [
        { name: 'a "quoted" é.jpg', contents: first, tagIds: [tagIdOf(1)], regions: [region] },
        { name: "b.jpg", contents: second, regions: [region] },
      ],
      metadata: { gate: "north" },
    });
  });
});

describe("customvision batches", () => {
  const item = (at: number, { sizeBytes = 300, tags = [1], cursor = "" } = {}): Item => ({
    delivery: { ...sampleDelivery(at, sampleJpeg(at, sizeBytes)), cursor },
    tagIds: tags.map(tagIdOf),
  });
  const lengths = (batches: readonly (readonly Item[])[]) => batches.map(({ length }) => length);
  const wide = { imagesMax: 64, bytesMax: 1_000_000 };

  it("end at their count, their base64 bytes and 20 distinct tags", () => {
    const many = Array.from({ length: 130 }, (_, at) => item(at));
    assert.deepEqual(lengths(batchesOf(many, wide)), [64, 64, 2]);
    // 300 bytes are 400 characters.
    assert.deepEqual(lengths(batchesOf(many.slice(0, 5), { ...wide, bytesMax: 800 })), [2, 2, 1]);
    assert.deepEqual(lengths(batchesOf(many.slice(0, 3), { ...wide, bytesMax: 1 })), [1, 1, 1]);
    const eachOwn = Array.from({ length: 45 }, (_, at) => item(at, { tags: [at] }));
    assert.deepEqual(lengths(batchesOf(eachOwn, wide)), [20, 20, 5]);
    assert.deepEqual(batchesOf([], wide), []);
  });

  it("hold nothing beside an image that failed before", () => {
    const mixed = [item(1), item(2, { cursor: "unknown:1" }), item(3), item(4)];
    assert.deepEqual(lengths(batchesOf(mixed, wide)), [1, 1, 2]);
  });

  it("are halved without losing one", () => {
    const five = Array.from({ length: 5 }, (_, at) => item(at));
    assert.deepEqual(halvesOf(five).flat(), five);
    assert.deepEqual(lengths(halvesOf(five)), [3, 2]);
  });
});
