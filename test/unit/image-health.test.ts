import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import sharp, { type Sharp } from "sharp";
import { imageLimits } from "../../src/core/vision-limits.ts";
import { judgeMeasures, type PictureMeasures } from "../../src/core/picture.ts";
import { ImageWatch } from "../../src/pipeline/image-watch.ts";
import { measure } from "../../src/vision/process/measures.ts";
import { ThumbnailMaker } from "../../src/vision/process/thumbnail.ts";
import { goodPicture } from "../lib/pipeline-bench.ts";
import { RecordingLogger, seededRandom, SimulatedClock } from "../lib/seams.ts";

const width = 1_280;
const height = 720;

/** A street of walls, windows, leaves and a sky, in one soft and many sharp parts. */
function drawn(): Sharp {
  const random = seededRandom(11);
  const level = () => 20 + Math.floor(random() * 200);
  const parts = Array.from({ length: 260 }, (_, at) => {
    const side = at < 40 ? 160 : 30;
    const place = `x="${Math.floor(random() * width)}" y="${180 + Math.floor(random() * 540)}"`;
    const size = `width="${4 + Math.floor(random() * side)}" height="${4 + Math.floor(random() * side)}"`;
    return `<rect ${place} ${size} fill="rgb(${level()},${level()},${level()})"/>`;
  });
  const sky = `<linearGradient id="s" x2="0" y2="1"><stop stop-color="#9cb8d8"/><stop offset="1" stop-color="#d8dde2"/></linearGradient>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><defs>${sky}</defs>
    <rect width="${width}" height="${height}" fill="#767a74"/><rect width="${width}" height="220" fill="url(#s)"/>${parts.join("")}</svg>`;
  return sharp(Buffer.from(svg)).removeAlpha();
}

async function measured(degraded: Sharp, long: number): Promise<PictureMeasures> {
  const jpeg = await degraded.jpeg({ quality: 85 }).toBuffer();
  const decoded = sharp(jpeg).resize(long, Math.round((long * height) / width), { kernel: "cubic", fit: "fill" });
  const { data, info } = await decoded.raw().toBuffer({ resolveWithObject: true });
  const thumbnail = new ThumbnailMaker().take(data, info.width, info.height);
  return { width, height, ...measure(data, info.width, info.height, thumbnail) };
}

describe("measures of a picture", () => {
  const noise = { type: "gaussian", mean: 110, sigma: 4 } as const;
  let pixels = Buffer.alloc(0);
  const drawnScene = () => sharp(pixels, { raw: { width, height, channels: 3 } });
  before(async () => {
    pixels = await drawn().raw().toBuffer();
  });
  const covered = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><defs><radialGradient id="g">
    <stop stop-color="#a06a58"/><stop offset="1" stop-color="#5a3228"/></radialGradient></defs><rect width="100%" height="100%" fill="url(#g)"/></svg>`;
  const cases: readonly (readonly [string, () => Sharp, readonly string[]])[] = [
    ["a good picture", () => drawnScene(), []],
    ["half as bright", () => drawnScene().linear(0.5, 0), []],
    ["brighter", () => drawnScene().linear(1.3, 0), []],
    ["in fog", () => drawnScene().linear(0.25, 150), []],
    ["a little soft", () => drawnScene().blur(2), []],
    ["at night", () => drawnScene().linear(0.08, 0), ["dark"]],
    ["in glaring light", () => drawnScene().linear(4, 40), ["over-exposed"]],
    ["out of focus", () => drawnScene().blur(12), ["blurred"]],
    ["far out of focus", () => drawnScene().blur(25), ["blurred"]],
    ["behind a hand", () => sharp(Buffer.from(covered)).removeAlpha(), ["covered"]],
    ["behind tape", () => sharp({ create: { width, height, channels: 3, background: "#6b6f68", noise } }), ["covered"]],
  ];
  for (const long of [320, 640, width]) {
    it(`tell what is wrong with it, decoded ${long} pixels wide`, async () => {
      for (const [name, picture, expected] of cases) {
        const measures = await measured(picture(), long);
        assert.deepEqual(judgeMeasures(measures), expected, `${name}: ${JSON.stringify(measures)}`);
      }
    });
  }

  it("say how light it is", async () => {
    const { lumaMean, lumaP5, lumaP95, blackShare, whiteShare } = await measured(
      sharp({ create: { width, height, channels: 3, background: { r: 100, g: 100, b: 100 } } }),
      320,
    );
    assert.deepEqual([lumaMean, lumaP5, lumaP95, blackShare, whiteShare], [100, 100, 100, 0, 0]);
    const halves = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="50%" height="100%" fill="white"/></svg>`;
    const black = await measured(sharp(Buffer.from(halves)).flatten({ background: "black" }), 320);
    assert.ok(Math.abs(black.blackShare - 0.5) < 0.01 && Math.abs(black.whiteShare - 0.5) < 0.01);
  });
});

describe("the health of a camera's picture", () => {
  class Watched {
    readonly clock = new SimulatedClock();
    readonly log = new RecordingLogger();
    readonly watch: ImageWatch;

    constructor(mayRepeat = false) {
      this.watch = new ImageWatch({ id: "gate", mayRepeat }, { clock: this.clock, log: this.log });
    }

    show(change: Partial<PictureMeasures>, times = 1, everyMs = 1_000): string | undefined {
      for (let count = 0; count < times; count += 1) {
        this.clock.advance(everyMs);
        this.watch.see({ ...goodPicture, ...change }, this.clock.monotonicMs());
      }
      return this.watch.health()?.state;
    }

    get events(): readonly string[] {
      return this.log.lines.map(({ event }) => event);
    }
  }

  const dark = { lumaP95: 10 };
  const { changeFrames, changeMs, frozenFrames, frozenMs } = imageLimits;

  it("is unknown before the first picture, and good with it", () => {
    const camera = new Watched();
    assert.equal(camera.watch.health(), undefined);
    assert.equal(camera.show({}), "good");
    assert.deepEqual(camera.watch.health()?.measures, goodPicture);
    assert.deepEqual(camera.events, []);
  });

  it("changes after several pictures and some seconds, and back likewise, each said once", () => {
    const camera = new Watched();
    camera.show({});
    assert.equal(camera.show(dark, changeMs / 1_000), "good", "not long enough");
    assert.equal(camera.show(dark), "dark");
    assert.equal(camera.show(dark, 50), "dark");
    assert.equal(camera.show({}, changeMs / 1_000), "dark");
    assert.equal(camera.show({}, 1), "good");
    assert.deepEqual(camera.events, ["camera.image_dark", "camera.image_good"]);
    const seldom = new Watched();
    assert.equal(seldom.show(dark, changeFrames - 1, 60_000), "good", "too few pictures");
    assert.equal(seldom.show(dark, 1, 60_000), "dark");
  });

  it("does not change for pictures that do not agree", () => {
    const camera = new Watched();
    for (let count = 0; count < 50; count += 1) {
      camera.show(dark, 5);
      camera.show({}, 1);
      camera.show({ sharpness: 0.1 }, 5);
    }
    assert.equal(camera.watch.health()?.state, "good");
    assert.deepEqual(camera.events, []);
  });

  it("does not flap between the two thresholds of any fault", () => {
    for (const [state, name, bad, { enter, leave }] of [
      ["blurred", "sharpness", 0.1, imageLimits.sharpness],
      ["dark", "lumaP95", 10, imageLimits.darkLuma],
      ["over-exposed", "whiteShare", 0.9, imageLimits.whiteShare],
      ["covered", "flatShare", 1, imageLimits.flatShare],
      ["frozen", "changedShare", 0, imageLimits.frozenShare],
    ] as const) {
      const camera = new Watched();
      const between = { [name]: (enter + leave) / 2 };
      assert.equal(camera.show({ [name]: bad }, 100), state);
      assert.equal(camera.show(between, 100), state);
      assert.equal(camera.show({}, 100), "good");
      assert.equal(camera.show(between, 100), "good", state);
      assert.deepEqual(camera.events, [`camera.image_${state.replace("-", "_")}`, "camera.image_good"]);
    }
  });

  it("stays as it is while a picture tells nothing of it", () => {
    const camera = new Watched();
    camera.show({ sharpness: 0.1 }, 30);
    const fog = Object.fromEntries(Object.entries(goodPicture).filter(([name]) => name !== "sharpness"));
    for (let count = 0; count < 100; count += 1) {
      camera.clock.advance(1_000);
      camera.watch.see(fog as unknown as PictureMeasures, camera.clock.monotonicMs());
    }
    assert.equal(camera.watch.health()?.state, "blurred");
  });

  it("is frozen once many pictures are alike to the pixel, but for a clock in them, and never in a replayed source", () => {
    const camera = new Watched();
    const alike = { changedShare: 0.02 };
    assert.equal(camera.show(alike, frozenMs / 1_000), "good");
    assert.equal(camera.show(alike), "frozen");
    assert.equal(camera.show({}, 30), "good");
    const seldom = new Watched();
    assert.equal(seldom.show(alike, frozenFrames - 1, 60_000), "good");
    assert.equal(seldom.show(alike, 1, 60_000), "frozen");
    assert.equal(new Watched(true).show(alike, 1_000), "good");
    assert.equal(new Watched().show({ ...alike, ...dark }, 1_000), "dark", "noise does not show in the dark");
    assert.deepEqual(camera.events, ["camera.image_frozen", "camera.image_good"]);
  });

  it("goes from one fault to another without being good between", () => {
    const camera = new Watched();
    camera.show(dark, 30);
    assert.equal(camera.show({ flatShare: 1 }, 30), "covered");
    assert.deepEqual(
      camera.log.lines.map(({ event, fields }) => [event, fields["was"]]),
      [
        ["camera.image_dark", "good"],
        ["camera.image_covered", "dark"],
      ],
    );
  });
});
