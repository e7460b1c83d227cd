import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { SimulatedDriver } from "../../src/capture/simulated/driver.ts";
import { street, type EntryKind } from "../../src/capture/simulated/street.ts";

const hd = { seed: 4, width: 1_280, height: 720 };

describe("simulated street", () => {
  it("is the same for the same seed, and another for another", () => {
    for (const index of [0, 7, 150]) assert.deepEqual(street({ ...hd, index }), street({ ...hd, index }));
    assert.notEqual(street({ ...hd, index: 7 }).svg, street({ ...hd, seed: 5, index: 7 }).svg);
  });

  it("is still in 9 of 10 pictures where objects cross, and in more as usual", () => {
    const changed = (entries?: readonly EntryKind[]) =>
      Array.from({ length: 1_000 }, (_, index) =>
        street({ ...hd, index, ...(entries === undefined ? {} : { entries }) }),
      ).filter((picture) => picture.changed).length;
    assert.equal(changed(["cross"]), 100);
    const usual = changed();
    assert.ok(usual > 20 && usual <= 100, `${usual}`);
  });

  it("has objects of 3 % of the picture and more, wholly in the picture at least once, in any size", () => {
    for (const [width, height] of [
      [1_280, 720],
      [640, 360],
      [480, 640],
    ] as const) {
      for (const kind of ["cross", "stand", "appear", "slow"] as const) {
        const whole = new Set<number>();
        for (let index = 0; index < 40 * 20; index += 1) {
          const { objects, entry } = street({ seed: 9, index, width, height, periodFrames: 20, entries: [kind] });
          const [object] = objects;
          if (object === undefined) continue;
          const { box } = object;
          assert.ok(
            box.left >= 0 && box.top >= 0 && box.left + box.width <= width + 1e-9 && box.top + box.height <= height,
          );
          if (box.width * box.height >= 0.03 * width * height) whole.add(entry);
        }
        assert.equal(whole.size, 40, `${kind} in ${width}x${height}`);
      }
    }
  });

  it("changes nothing but noise while it is empty, unless the light does", () => {
    const plain = (index: number) => street({ ...hd, index, noise: 0, periodFrames: 10_000 }).svg;
    assert.equal(plain(0), plain(200));
    const drifting = (index: number) => street({ ...hd, index, noise: 0, periodFrames: 10_000, light: "drift" }).svg;
    assert.notEqual(drifting(0), drifting(200));
  });

  it("jumps in its light within the first pictures of an entry", () => {
    for (let number = 0; number < 20; number += 1) {
      const at = (frame: number) => street({ ...hd, index: number * 100 + frame, light: "sudden", noise: 0 });
      const isDark = (frame: number) => at(frame).svg.includes('fill-opacity="0.3000"');
      const jump = Array.from({ length: 99 }, (_, frame) => frame + 1).find(
        (frame) => isDark(frame) !== isDark(frame - 1),
      );
      const first = Array.from({ length: 100 }, (_, frame) => frame).find((frame) => at(frame).objects.length > 0);
      assert.ok(
        jump !== undefined && first !== undefined && jump - first >= 0 && jump - first <= 2,
        `${jump} ${first}`,
      );
    }
  });

  it("is what a simulated camera shows when asked, with its truth", async () => {
    const drawn: string[] = [];
    const render = async (svg: string) => {
      drawn.push(svg);
      return { jpeg: Buffer.alloc(0), width: 1_280, height: 720 };
    };
    const driver = new SimulatedDriver({ ...hd, quality: 85, scene: "street", light: "drift" }, render);
    const { signal } = new AbortController();
    await driver.start(signal);
    for (let index = 0; index < 3; index += 1) await driver.shot(signal);
    const expected = [0, 1, 2].map((index) => street({ ...hd, index, light: "drift" }));
    assert.deepEqual(
      drawn,
      expected.map(({ svg }) => svg),
    );
    assert.deepEqual(driver.truthOf(2), expected[2]?.objects);
  });
});
