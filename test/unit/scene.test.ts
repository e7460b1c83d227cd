import assert from "node:assert/strict";
import { describe, it } from "mocha";
import fc from "fast-check";
import sharp from "sharp";
import { scene } from "../../src/capture/simulated/scene.ts";
import { SimulatedDriver } from "../../src/capture/simulated/driver.ts";
import type { Box } from "../../src/core/types.ts";

const hd = { width: 1280, height: 720 };
const film = (seed: number, pictures: number, size = hd) =>
  Array.from({ length: pictures }, (_, index) => scene({ seed, index, ...size }));

/** Pixels between two boxes along the axis where they are farther apart. */
function gap(a: Box, b: Box): number {
  const across = Math.max(a.left - (b.left + b.width), b.left - (a.left + a.width));
  const down = Math.max(a.top - (b.top + b.height), b.top - (a.top + a.height));
  return Math.max(across, down);
}

describe("simulated scene", () => {
  it("keeps objects large, apart, and off the border, in any film of any size", () => {
    const sizes = fc.record({ width: fc.integer({ min: 64, max: 2000 }), height: fc.integer({ min: 64, max: 1500 }) });
    fc.assert(
      fc.property(fc.nat(), fc.nat(100_000), sizes, (seed, index, size) => {
        const { objects } = scene({ seed, index, ...size });
        assert.ok(objects.length <= 8);
        for (const [position, { box }] of objects.entries()) {
          assert.ok(box.width >= 40 && box.height >= 40);
          assert.ok(box.left >= 8 && box.left + box.width <= size.width - 8);
          assert.ok(box.top >= 8 && box.top + box.height <= size.height - 8);
          for (const other of objects.slice(position + 1)) assert.ok(gap(box, other.box) >= 16);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("is the same film for the same seed, and another for another", () => {
    assert.deepEqual(film(3, 30), film(3, 30));
    assert.notDeepEqual(film(3, 30), film(4, 30));
  });

  it("drifts, comes and goes, and is empty about one time in six", () => {
    const pictures = film(1, 600);
    const empty = pictures.filter(({ objects }) => objects.length === 0).length;
    assert.ok(empty > 80 && empty < 120, `${empty} of 600`);
    assert.ok((pictures[0]?.objects.length ?? 0) > 0, "the first picture shows something");
    const first = (index: number) => pictures[index]?.objects[0]?.box;
    assert.notDeepEqual(first(0), first(1));
    assert.ok(new Set(pictures.map(({ objects }) => objects.length)).size >= 8);
    assert.ok(pictures.some((now, at) => at % 6 > 0 && now.objects.length > (pictures[at - 1]?.objects.length ?? 0)));
    assert.ok(new Set(pictures.map(({ svg }) => svg)).size === 600, "no two pictures are the same");
  });

  it("uses every label, several of one, at fractional places", () => {
    const objects = film(2, 60).flatMap((picture) => picture.objects);
    assert.deepEqual(new Set(objects.map(({ label }) => label)), new Set(["red", "green", "blue"]));
    assert.ok(film(2, 60).some((picture) => picture.objects.filter(({ label }) => label === "red").length > 1));
    const whole = objects.filter(({ box }) => Number.isInteger(box.left) || Number.isInteger(box.width));
    assert.ok(whole.length < objects.length / 50);
  });

  it("draws what it says: the colour inside each box, dull grey outside", async () => {
    const colours = new Map([
      ["red", [215, 35, 35]],
      ["green", [35, 190, 60]],
      ["blue", [40, 70, 215]],
    ]);
    for (const index of [0, 1, 5, 14]) {
      const drawn = scene({ seed: 9, index, ...hd });
      const { data, info } = await sharp(Buffer.from(drawn.svg))
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      assert.deepEqual([info.width, info.height, info.channels], [1280, 720, 3]);
      for (let y = 0; y < info.height; y += 7) {
        for (let x = 0; x < info.width; x += 7) {
          const at = 3 * (y * info.width + x);
          const pixel = [...data.subarray(at, at + 3)];
          const inside = drawn.objects.find(({ box }) => covers(box, x, y, 0));
          const near = drawn.objects.some(({ box }) => covers(box, x, y, 1));
          if (inside !== undefined) assert.deepEqual(pixel, colours.get(inside.label));
          else if (!near) assert.ok(Math.max(...pixel) - Math.min(...pixel) <= 24, `${x},${y}: ${pixel.join()}`);
        }
      }
    }
  });
});

/** Whether a box covers the whole pixel; grown by `more` on each side, whether it touches it. */
function covers(box: Box, x: number, y: number, more: number): boolean {
  const inWidth = box.left - more <= x && x + 1 <= box.left + box.width + more;
  return inWidth && box.top - more <= y && y + 1 <= box.top + box.height + more;
}

describe("simulated driver", () => {
  it("shows scene N in shot N, and does not skip one that could not be drawn", async () => {
    const drawn: string[] = [];
    let broken = false;
    const render = async (svg: string) => {
      if (broken) throw new Error("the vision process is away");
      drawn.push(svg);
      return { jpeg: Buffer.from(svg), width: 640, height: 480 };
    };
    const options = { seed: 7, width: 640, height: 480, quality: 80 };
    const driver = new SimulatedDriver(options, render);
    const signal = new AbortController().signal;
    await driver.start(signal);
    await driver.shot(signal);
    broken = true;
    await assert.rejects(driver.shot(signal));
    broken = false;
    await driver.stop();
    await driver.start(signal);
    await driver.shot(signal);
    const expected = [0, 1].map((index) => scene({ seed: 7, index, width: 640, height: 480 }));
    assert.deepEqual(
      drawn,
      expected.map(({ svg }) => svg),
    );
    assert.deepEqual(driver.truthOf(1), expected[1]?.objects);
  });
});
