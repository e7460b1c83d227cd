import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Box, Detection } from "../../src/core/types.ts";
import type { DecodedPicture, Detector } from "../../src/vision/process/detector.ts";
import type { Imaging, PictureSize } from "../../src/vision/process/imaging.ts";
import { placePicture } from "../../src/vision/process/letterbox.ts";
import { TiledDetector } from "../../src/vision/process/tiled-detector.ts";
import { mergeViews, tilesOf, tileSize, type View } from "../../src/vision/process/tiles.ts";

const picture = { width: 1_000, height: 600 };
const grid = { columns: 2, rows: 2, overlap: 0.2 };
const tiles = tilesOf(picture, grid, tileSize(picture, grid));
const options = { iouMax: 0.45, classAgnostic: false, detectionsMax: 100 };

const box = (left: number, top: number, width: number, height: number): Box => ({ left, top, width, height });
const car = (at: Box, score = 0.8, label = "car"): Detection => ({ label, score, box: at });

/** What a perfect detector gives for these objects: of each view, what lies in it. */
function viewsOf(objects: readonly Box[], seenByWhole: (object: Box) => boolean): readonly View[] {
  const whole = {
    area: box(0, 0, picture.width, picture.height),
    detections: objects.filter(seenByWhole).map((at) => car(at)),
  };
  const parts = tiles.map((area) => ({
    area,
    detections: objects.flatMap((object) => {
      const left = Math.max(object.left, area.left);
      const top = Math.max(object.top, area.top);
      const width = Math.min(object.left + object.width, area.left + area.width) - left;
      const height = Math.min(object.top + object.height, area.top + area.height) - top;
      return width >= 2 && height >= 2 ? [car(box(left, top, width, height))] : [];
    }),
  }));
  return [whole, ...parts];
}

describe("tiles", () => {
  it("cover the picture, are of one size, and share what they should", () => {
    const side = fc.integer({ min: 16, max: 5_000 });
    const count = fc.integer({ min: 1, max: 8 });
    fc.assert(
      fc.property(
        side,
        side,
        count,
        count,
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (width, height, columns, rows, overlap) => {
          const size = tileSize({ width, height }, { columns, rows, overlap });
          const all = tilesOf({ width, height }, { columns, rows, overlap }, size);
          assert.equal(all.length, columns * rows);
          for (const [at, tile] of all.entries()) {
            assert.deepEqual([tile.width, tile.height], [size.width, size.height]);
            assert.ok(
              tile.left >= 0 && tile.top >= 0 && tile.left + tile.width <= width && tile.top + tile.height <= height,
            );
            const next = at % columns === columns - 1 ? undefined : all[at + 1];
            if (next !== undefined)
              assert.ok(tile.left + tile.width - next.left >= Math.floor(overlap * size.width) - 1);
          }
          const last = all.at(-1);
          assert.deepEqual([(last?.left ?? 0) + size.width, (last?.top ?? 0) + size.height], [width, height]);
        },
      ),
    );
  });

  it("give each object once, whether the whole picture shows it too or it is too small there", () => {
    const [first] = tiles;
    const overlapX = 0.2 * (first?.width ?? 0);
    const overlapY = 0.2 * (first?.height ?? 0);
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0.05, max: 4, noNaN: true }),
        fc.double({ min: 0.05, max: 4, noNaN: true }),
        (x, y, wide, high) => {
          const width = Math.min(wide * overlapX, picture.width);
          const height = Math.min(high * overlapY, picture.height);
          const object = box(x * (picture.width - width), y * (picture.height - height), width, height);
          // A little less than the overlap, since a box that ends near a border may be cut by it.
          const isSmall = wide < 0.9 && high < 0.9;
          const found = mergeViews(
            viewsOf([object], () => !isSmall),
            picture,
            options,
          );
          assert.equal(found.length, 1, JSON.stringify(found));
          const [only] = found;
          for (const edge of ["left", "top", "width", "height"] as const) {
            assert.ok(Math.abs((only?.box[edge] ?? 0) - object[edge]) < 1e-6, JSON.stringify(only));
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("keep a cut box where nobody sees the object whole, and not where another label is what covers it", () => {
    const wide = box(300, 100, 400, 100);
    assert.ok(
      mergeViews(
        viewsOf([wide], () => false),
        picture,
        options,
      ).length >= 1,
    );
    const [whole, ...parts] = viewsOf([wide], () => true);
    assert.ok(whole !== undefined);
    const other = { ...whole, detections: [car(wide, 0.9, "bus")] };
    const found = mergeViews([other, ...parts], picture, options);
    assert.ok(found.some(({ label }) => label === "car") && found[0]?.label === "bus");
    assert.equal(mergeViews([other, ...parts], picture, { ...options, classAgnostic: true }).length, 1);
  });

  it("never let two detections of one view displace each other", () => {
    const near = [car(box(10, 10, 100, 100), 0.9), car(box(12, 10, 100, 100), 0.5)];
    const whole = { area: box(0, 0, 1_000, 600), detections: near };
    assert.deepEqual(mergeViews([whole, ...tiles.map((area) => ({ area, detections: [] }))], picture, options), near);
  });

  it("take the better of two views, best first, and no more than asked for", () => {
    const [first] = tiles;
    assert.ok(first !== undefined);
    const whole = {
      area: box(0, 0, 1_000, 600),
      detections: [car(box(100, 100, 50, 50), 0.4), car(box(700, 400, 50, 50), 0.5)],
    };
    const tile = { area: first, detections: [car(box(101, 100, 50, 50), 0.7), car(box(300, 200, 20, 20), 0.3)] };
    const found = mergeViews([whole, tile], picture, { ...options, detectionsMax: 2 });
    assert.deepEqual(
      found.map(({ score }) => score),
      [0.7, 0.5],
    );
  });
});

describe("tiles of a picture that is much larger than the model's input", () => {
  it("lie within the picture to a thousandth of a pixel, with what is found in them", async () => {
    for (const [width, height] of [
      [3_841, 2_163],
      [3_846, 2_171],
      [2_595, 1_947],
    ] as const) {
      const placement = placePicture(width, height, 320, 320, "letterbox");
      const everything = (size: PictureSize): Detection[] => [
        { label: "a", score: 0.5, box: { left: 0, top: 0, ...size }, polygon: [{ x: size.width, y: size.height }] },
      ];
      const detector = {
        place: (across: number, down: number) => placePicture(across, down, 320, 320, "letterbox"),
        detect: async (tile: DecodedPicture) => ({
          ...{ width: tile.width, height: tile.height, detections: tile.width === width ? [] : everything(tile) },
          timings: { decodeMs: 0, fillMs: 0, runMs: 0, postMs: 0 },
        }),
        merging: () => ({ iouMax: 1, classAgnostic: false, detectionsMax: 100 }),
      };
      const pixelsOf = (size: PictureSize) => ({ ...size, rgb: new Uint8Array(3 * size.width * size.height) });
      const imaging = { pixelsAt: async (_: Buffer, size: PictureSize) => pixelsOf(size) };
      const tiled = new TiledDetector(detector as unknown as Detector, { columns: 3, rows: 3, overlap: 0.2 });
      const whole = { width, height, pixels: pixelsOf(placement), placement, exact: false, decodeMs: 0 };
      const { detections } = await tiled.detect(whole, Buffer.alloc(0), imaging as unknown as Imaging);
      assert.equal(detections.length, 9);
      const reach = (edges: readonly number[]) => Math.max(...edges);
      const right = reach(
        detections.flatMap(({ box, polygon = [] }) => [box.left + box.width, ...polygon.map(({ x }) => x)]),
      );
      const bottom = reach(
        detections.flatMap(({ box, polygon = [] }) => [box.top + box.height, ...polygon.map(({ y }) => y)]),
      );
      assert.ok(Math.abs(right - width) < 0.001 && Math.abs(bottom - height) < 0.001, `${right} × ${bottom}`);
    }
  });
});
