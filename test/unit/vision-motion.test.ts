import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { visionLimits } from "../../src/core/vision-limits.ts";
import type { PictureMeasures } from "../../src/core/picture.ts";
import type { MotionGate } from "../../src/core/vision-port.ts";
import { CameraWatch, CameraWatches } from "../../src/vision/process/camera-watch.ts";
import { median } from "../../src/vision/process/median.ts";
import { MotionMeter } from "../../src/vision/process/motion.ts";
import { ThumbnailMaker } from "../../src/vision/process/thumbnail.ts";
import { Painted, paintedHouse } from "../lib/painted.ts";
import { seededRandom } from "../lib/seams.ts";

const contrastMin = 6;
const house = paintedHouse();
/** 3 % of the picture. */
const person = { left: 150, top: 60, width: 36, height: 48 };
const grey = [140, 140, 140] as const;

function moved(before: Painted, now: Painted): number {
  const [maker, meter] = [new ThumbnailMaker(), new MotionMeter()];
  const [a, b] = [before, now].map(({ rgb, width, height }) => maker.take(rgb, width, height));
  assert.ok(a !== undefined && b !== undefined);
  return meter.movedShare(b, a, contrastMin);
}

describe("motion between two pictures", () => {
  const noisy = (picture: Painted, seed: number, levels = 8) => picture.noisy(seededRandom(seed), levels);

  it("is none in noise, weak or strong", () => {
    assert.equal(moved(house, house), 0);
    for (const levels of [4, 12, 30]) assert.equal(moved(noisy(house, 1, levels), noisy(house, 2, levels)), 0);
  });

  it("is about the area of what has come, wherever it is, in any picture size", () => {
    for (const [width, height] of [
      [320, 180],
      [180, 320],
      [640, 480],
      [64, 48],
    ] as const) {
      const scene = paintedHouse(width, height);
      for (const place of [0, 0.3, 0.77]) {
        const area = { left: place * width, top: place * height, width: 0.2 * width, height: 0.2 * height };
        const share = moved(scene, scene.with(area, [220, 40, 40]));
        assert.ok(share > 0.02 && share < 0.1, `${width}x${height} at ${place}: ${share}`);
      }
    }
  });

  it("is seen where only the colour differs, or only the texture", () => {
    const wall = new Painted(320, 180).map((_, x) => 100 + (x * 60) / 320);
    // As bright as the wall behind it.
    assert.ok(moved(wall, wall.with(person, [64, 165, 60])) >= 0.02);
    // Squares of one cell each: every block keeps its mean.
    const large = new Painted(640, 360).map((_, x) => 100 + (x * 60) / 640);
    const isThere = (x: number, y: number) => x >= 300 && x < 380 && y >= 120 && y < 220;
    const sign = (x: number, y: number) => ((Math.floor(x / 5) + Math.floor(y / 5)) % 2 === 0 ? 1 : -1);
    const squares = large.map((value, x, y) => (isThere(x, y) ? value + 35 * sign(x, y) : value));
    assert.ok(moved(large, squares) >= 0.02);
    // Where all of it differs, that is no noise.
    const flat = new Painted(640, 360).lit(0, 100);
    const everywhere = flat.map((value, x, y) => value + 60 * sign(x, y));
    assert.equal(
      moved(
        everywhere,
        everywhere.map((value) => 200 - value),
      ),
      1,
    );
  });

  it("is none where the light changes over the whole picture, in strength, colour or offset", () => {
    for (const [gain, offset] of [
      [0.7, 0],
      [0.85, 10],
      [1.2, 0],
      [1, 25],
      [1, -25],
    ] as const) {
      assert.equal(moved(noisy(house, 1), noisy(house.lit(gain, offset), 2)), 0, `${gain}, ${offset}`);
    }
    const warmer = house.map((value, _x, _y, channel) => value * ([1.15, 1, 0.85][channel] ?? 1));
    assert.equal(moved(house, warmer), 0);
  });

  it("shows what comes while the light changes", () => {
    for (const [gain, offset] of [
      [0.7, 0],
      [1.2, 0],
      [0.85, 20],
      [1, -25],
    ] as const) {
      for (const area of [person, { left: 40, top: 30, width: 140, height: 80 }]) {
        const share = moved(noisy(house, 1), noisy(house.with(area, grey).lit(gain, offset), 2));
        assert.ok(share >= 0.015, `${gain}, ${offset}: ${share}`);
      }
    }
  });

  it("is everything where no change of light explains the picture, or the scene is too flat to tell", () => {
    assert.equal(moved(house, house.lit(0.3)), 1);
    assert.equal(moved(house, new Painted(320, 180).lit(0, 120)), 1);
    const flat = new Painted(320, 180).lit(0, 100);
    assert.equal(moved(flat, flat.lit(1, 20)), 1);
    assert.ok(
      moved(
        house,
        house.map((_, x, y) => house.rgb[(y * 320 + ((x + 90) % 320)) * 3] ?? 0),
      ) > 0.5,
    );
  });

  it("is found in the dark and beside what is over-exposed", () => {
    const night = new Painted(320, 180).lit(0, 2);
    assert.ok(moved(night, night.with(person, [60, 60, 60])) >= 0.02);
    const glare = house.map((value, x) => (x < 160 ? 255 : value));
    assert.ok(moved(glare, glare.with({ ...person, left: 200 }, [215, 35, 35])) >= 0.02);
  });
});

describe("a camera's motion watch", () => {
  const gate: MotionGate = { detectEveryMs: 30_000, minAreaShare: 0.005, minContrastLevels: contrastMin };
  const nothing = { shown: 0, doubtful: false };

  class Watched {
    readonly watch = new CameraWatch(new ThumbnailMaker(), new MotionMeter());
    nowMs = 0;

    /** Whether the model saw it; then it found `found`. */
    show(picture: Painted, found = nothing, size: { width: number; height: number } = picture): boolean {
      this.nowMs += 1_000;
      this.watch.take(picture, size);
      const needed = this.watch.needsModel(this.nowMs, gate);
      if (needed) this.watch.saw({ monotonicMs: this.nowMs, ...found });
      return needed;
    }

    measured(picture: Painted): PictureMeasures {
      this.watch.take(picture, picture);
      return this.watch.measure(picture);
    }

    many(picture: Painted, times: number, found = nothing): number {
      return Array.from({ length: times }, () => this.show(picture, found)).filter(Boolean).length;
    }
  }

  it("detects the first picture, and a still scene only as often as asked", () => {
    const camera = new Watched();
    assert.equal(camera.show(house), true);
    assert.equal(camera.many(house, 29), 0);
    assert.equal(camera.show(house), true);
    assert.equal(camera.many(house, 29), 0);
  });

  it("detects what comes, what it is when it rests, and what leaves, each once more than it moves", () => {
    const camera = new Watched();
    camera.show(house);
    const there = house.with(person, grey);
    assert.equal(camera.show(there), true);
    assert.equal(camera.many(there, 10), visionLimits.motionHoldFrames);
    assert.equal(camera.show(house), true);
    assert.equal(camera.many(house, 10), visionLimits.motionHoldFrames);
  });

  it("lets nothing creep in, however slowly", () => {
    const camera = new Watched();
    camera.show(house);
    let seen = 0;
    let firstWidth = 0;
    for (let width = 1; width <= 25; width += 1) {
      const isSeen = camera.show(house.with({ left: 0, top: 60, width, height: 60 }, [215, 35, 35]));
      if (isSeen && firstWidth === 0) firstWidth = width;
      if (isSeen) seen += 1;
    }
    assert.ok(firstWidth > 0 && firstWidth <= 8, `first seen at ${firstWidth} pixels`);
    assert.ok(seen >= 3);
  });

  it("lets dusk go by without a detection between those that are due", () => {
    const camera = new Watched();
    const random = seededRandom(4);
    const small = paintedHouse(160, 90);
    let detections = 0;
    for (let at = 0; at < 120; at += 1) if (camera.show(small.lit(1 - at / 200).noisy(random, 6))) detections += 1;
    assert.ok(detections >= 4 && detections <= 5, `${detections}`);
  });

  it("looks again a few times while the model is undecided, and not for ever", () => {
    const camera = new Watched();
    camera.show(house);
    const there = house.with(person, grey);
    const { motionHoldFrames, motionDoubtFrames } = visionLimits;
    assert.equal(camera.many(there, 20, { shown: 0, doubtful: true }), 1 + motionHoldFrames + motionDoubtFrames);
  });

  it("needs half as much motion while something is in the picture", () => {
    const small = { left: 10, top: 10, width: 20, height: 10 };
    for (const [shown, expected] of [
      [0, false],
      [1, true],
    ] as const) {
      const camera = new Watched();
      const there = house.with(person, grey);
      camera.show(there, { shown, doubtful: false });
      assert.equal(camera.show(there.with(small, [255, 0, 0])), expected);
    }
  });

  it("takes pictures of another size, or decoded at another size, for another scene", () => {
    const camera = new Watched();
    const decoded = paintedHouse();
    camera.show(decoded, nothing, { width: 1_280, height: 720 });
    assert.equal(camera.show(decoded, nothing, { width: 1_280, height: 720 }), false);
    assert.equal(camera.show(decoded, nothing, { width: 1_920, height: 1_080 }), true);
    assert.equal(camera.show(paintedHouse(640, 360), nothing, { width: 1_920, height: 1_080 }), true);
  });

  it("says which share of a picture differs at all from the one measured before, whatever came between", () => {
    const camera = new Watched();
    assert.equal(camera.measured(house).changedShare, undefined);
    assert.equal(camera.measured(house).changedShare, 0);
    assert.equal(camera.show(house.with(person, grey)), true);
    assert.equal(camera.show(house), true);
    assert.equal(camera.measured(house).changedShare, 0);
    const clock = house.with({ left: 4, top: 4, width: 40, height: 10 }, [255, 255, 255]);
    const ticked = camera.measured(clock).changedShare ?? 1;
    assert.ok(ticked > 0 && ticked < 0.03, `${ticked}`);
    const noisy = camera.measured(clock.noisy(seededRandom(1), 2)).changedShare ?? 0;
    assert.ok(noisy > 0.5, `${noisy}`);
    const black = new Painted(320, 180);
    camera.measured(black);
    assert.equal(camera.measured(black).changedShare, undefined, "black has no noise");
  });

  it("is kept for as many cameras as a config has, the oldest is forgotten first", () => {
    const watches = new CameraWatches(new ThumbnailMaker(), new MotionMeter());
    const first = watches.of("camera 0");
    for (let at = 0; at < visionLimits.watchedCamerasMax; at += 1) watches.of(`camera ${at}`);
    assert.equal(watches.of("camera 0"), first);
    watches.of("one more");
    assert.notEqual(watches.of("camera 0"), first);
  });
});

describe("median by selection", () => {
  it("is the middle of the sorted values, for any values", () => {
    const random = seededRandom(7);
    for (let round = 0; round < 500; round += 1) {
      const values = Float32Array.from({ length: 1 + Math.floor(random() * 60) }, () => Math.floor(random() * 12));
      const count = 1 + Math.floor(random() * values.length);
      const sorted = values.slice(0, count).sort();
      assert.equal(median(values, count), sorted[count >> 1]);
    }
  });
});
