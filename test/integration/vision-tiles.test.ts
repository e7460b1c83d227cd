import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import sharp from "sharp";
import { iouOf } from "../../src/core/detections.ts";
import type { DetectResult, ModelInfo } from "../../src/core/vision-port.ts";
import type { TileGrid } from "../../src/core/types.ts";
import { ManyModels } from "../lib/many-models.ts";
import { gateByMotion } from "../lib/street-run.ts";
import { needsShared } from "../lib/shared.ts";
import { measureTilesAmong } from "../lib/tiles.ts";
import { never, tinyModel, visionProcess } from "../lib/vision.ts";

const [width, height] = [1_280, 960];
const tiles: TileGrid = { columns: 2, rows: 2, overlap: 0.2 };

/** One in a corner, one in the cross where four tiles meet, one over a border between two, one anywhere. */
const places = [
  ["red", 4, 4],
  ["green", 620, 460],
  ["blue", 630, 160],
  ["red", 1_000, 700],
] as const;
const paints = { red: "#f00", green: "#0f0", blue: "#00f" };

async function squares(side: number): Promise<Buffer> {
  const drawn = places.map(
    ([label, x, y]) => `<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="${paints[label]}"/>`,
  );
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#808080"/>${drawn.join("")}</svg>`;
  return await sharp(Buffer.from(svg)).jpeg({ quality: 90 }).toBuffer();
}

function assertSquares({ detections }: Pick<DetectResult, "detections">, { threshold }: ModelInfo, side: number): void {
  const shown = detections.filter(({ score }) => score >= threshold);
  assert.equal(shown.length, places.length, JSON.stringify(shown));
  for (const [label, left, top] of places) {
    const found = shown.find((detection) => iouOf(detection.box, { left, top, width: side, height: side }) > 0.8);
    assert.equal(found?.label, label, `${label} at ${left}, ${top}: ${JSON.stringify(shown)}`);
  }
}

describe("tiled detection", () => {
  /** One process with tiles and one without: it keeps what it was once told of them. */
  let plain: ManyModels;
  let tiled: ManyModels;
  before(() => {
    plain = new ManyModels();
    tiled = new ManyModels();
  });
  after(async () => {
    await plain[Symbol.asyncDispose]();
    await tiled[Symbol.asyncDispose]();
  });

  for (const name of ["tiny-end-to-end", "tiny-ssd"]) {
    it(`finds with ${name} what is too small in the whole picture, and large things once`, async () => {
      const spec = await tinyModel(name);
      const model = await plain.load(spec);
      assert.equal(model.tiles, undefined);
      const tiledModel = await tiled.load(spec, { tiles });
      assert.deepEqual(tiledModel.tiles, tiles);
      const [small, large] = [await squares(20), await squares(200)];
      for (const exact of [false, true]) {
        const { detections } = await plain.detect(small, { exact });
        assert.equal(detections.filter(({ score }) => score >= model.threshold).length, 0);
        for (const [side, jpeg] of [
          [20, small],
          [200, large],
        ] as const) {
          const found = await tiled.detect(jpeg, { exact });
          assert.deepEqual([found.width, found.height], [width, height]);
          assertSquares(found, tiledModel, side);
        }
      }
    });
  }

  it("outlines what a tile shows where it lies in the whole picture", async () => {
    const model = await tiled.load(await tinyModel("tiny-yolo8-seg"), { tiles: { ...tiles, columns: 4, rows: 4 } });
    const found = await tiled.detect(await squares(60), { exact: false });
    assertSquares(found, model, 60);
    for (const { box, polygon = [], score } of found.detections) {
      if (score < model.threshold) continue;
      const [xs, ys] = [polygon.map(({ x }) => x), polygon.map(({ y }) => y)];
      const [left, top] = [Math.min(...xs), Math.min(...ys)];
      const around = { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
      assert.ok(iouOf(box, around) > 0.7, JSON.stringify({ box, around }));
    }
  });

  it("leaves the tiles alone while nothing moves, and measures as without them", async () => {
    const model = await tinyModel();
    await using plain = visionProcess({ model });
    await using tiled = visionProcess({ model, tiles: { columns: 3, rows: 2, overlap: 0.25 } });
    await Promise.all([plain.start(never), tiled.start(never)]);
    const jpeg = await squares(20);
    const options = { exact: false, cameraId: "a", monotonicMs: 0, gate: gateByMotion, force: false, measure: true };
    const first = await tiled.watch(jpeg, options, never);
    assert.ok(first.kind === "detected");
    assertSquares(first, first.model, 20);
    assert.deepEqual(first.measures, (await plain.watch(jpeg, options, never)).measures);
    let kind = "";
    for (let looks = 0; looks < 6 && kind !== "still"; looks += 1)
      kind = (await tiled.watch(jpeg, options, never)).kind;
    assert.equal(kind, "still");
  });

  /** On all of them, and with more tiles: `npm run bench -- tiles`. */
  it("finds most of what a model of twice the input size finds, on two photos", async function () {
    const shared = needsShared(this);
    this.timeout(60_000);
    const photos = ["faces25.jpg", "fd2.jpg"];
    const whole = await measureTilesAmong(plain, shared, undefined, photos);
    const four = await measureTilesAmong(tiled, shared, tiles, photos);
    assert.deepEqual([whole.references, four.references], [21, 21]);
    assert.ok(whole.found <= 8 && four.found >= 16, JSON.stringify({ whole, four }));
  });
});
