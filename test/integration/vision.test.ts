import assert from "node:assert/strict";
import { before, after, describe, it } from "mocha";
import sharp from "sharp";
import { polygonArea } from "../../src/core/detections.ts";
import { scanJpeg } from "../../src/core/jpeg.ts";
import { visionLimits } from "../../src/core/vision-limits.ts";
import type { ModelInfo } from "../../src/core/vision-port.ts";
import { ManyModels } from "../lib/many-models.ts";
import { randomScene, sceneHeight, sceneWidth, type SceneObject } from "../lib/scenes.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { judgeScene, never, tinyModel, visionProcess } from "../lib/vision.ts";

const EDGE_ERROR_MAX = 2;

/** More of them: FRAMEPOST_SCENES=40. */
const scenesMax = Number(process.env["FRAMEPOST_SCENES"] ?? 6);

async function sceneJpeg(seed: number): Promise<Buffer> {
  return jpegOf(randomScene(seededRandom(seed)).svg, 90);
}

async function jpegOf(svg: string, quality: number): Promise<Buffer> {
  return sharp(Buffer.from(svg)).jpeg({ quality }).toBuffer();
}

/** A model of one class finds every colour as that. */
function objectsAs(labels: readonly string[], objects: readonly SceneObject[]): readonly SceneObject[] {
  const [only, second] = labels;
  return only === undefined || second !== undefined ? objects : objects.map(({ box }) => ({ label: only, box }));
}

describe("detection with the tiny models", () => {
  const colours = ["red", "green", "blue"];
  const wanted: readonly (readonly [string, string, Partial<ModelInfo>])[] = [
    ["tiny-detr", "detr", { inputWidth: 640, inputHeight: 360, threshold: 0.4 }],
    ["tiny-end-to-end", "end-to-end", { inputWidth: 640, inputHeight: 384, threshold: 0.25 }],
    ["tiny-fastestdet", "fastestdet", { inputWidth: 640, inputHeight: 384, threshold: 0.6 }],
    ["tiny-nanodet", "nanodet", { inputWidth: 640, inputHeight: 384, threshold: 0.4 }],
    ["tiny-scrfd", "scrfd", { inputWidth: 640, inputHeight: 384, threshold: 0.5, labels: ["face"] }],
    ["tiny-ssd", "ssd", { inputWidth: 640, inputHeight: 360, threshold: 0.6 }],
    ["tiny-tf-ssd", "tf-ssd", { inputWidth: 640, inputHeight: 360, threshold: 0.5 }],
    ["tiny-yolo-fastestv2", "yolo-fastestv2", { inputWidth: 640, inputHeight: 384, threshold: 0.3 }],
    ["tiny-yolo5", "yolo5", { inputWidth: 640, inputHeight: 384, threshold: 0.25 }],
    ["tiny-yolo5-raw", "yolo5-raw", { inputWidth: 640, inputHeight: 384, threshold: 0.25 }],
    ["tiny-yolo8", "yolo8", { inputWidth: 640, inputHeight: 384, threshold: 0.25 }],
    ["tiny-yolo8-seg", "yolo8-seg", { inputWidth: 640, inputHeight: 384, threshold: 0.25 }],
    ["tiny-yolox", "yolox", { inputWidth: 640, inputHeight: 384, threshold: 0.25 }],
    ["tiny-yunet", "yunet", { inputWidth: 640, inputHeight: 384, threshold: 0.6 }],
  ];
  const scenes: { readonly objects: readonly SceneObject[]; readonly quality: number; readonly jpeg: Buffer }[] = [];
  let models: ManyModels;
  before(async function () {
    this.timeout(30_000);
    models = new ManyModels();
    const random = seededRandom(2026);
    for (let index = 0; index < scenesMax; index += 1) {
      const { svg, objects } = randomScene(random);
      const quality = 80 + Math.floor(random() * 16);
      scenes.push({ objects, quality, jpeg: await jpegOf(svg, quality) });
    }
  });
  after(async () => models[Symbol.asyncDispose]());
  for (const [name, family, facts] of wanted) {
    it(`finds every object of ${scenesMax} random scenes and nothing else with ${name}`, async function () {
      this.timeout(30_000);
      const model = await models.load(await tinyModel(name));
      assert.deepEqual({ ...model, labels: colours, ...facts, family, name }, model);
      let found = 0;
      for (const [index, { objects, quality, jpeg }] of scenes.entries()) {
        const { detections, width, height } = await models.detect(jpeg, { exact: index % 2 === 0 });
        assert.deepEqual([width, height], [sceneWidth, sceneHeight]);
        const { missed, extra, edgeErrorMax } = judgeScene(objectsAs(model.labels, objects), detections);
        assert.deepEqual([missed, extra], [0, 0], `scene ${index} at quality ${quality}`);
        assert.ok(edgeErrorMax <= EDGE_ERROR_MAX, `scene ${index}: an edge is off by ${edgeErrorMax} pixels`);
        found += detections.length;
      }
      assert.ok(found > scenes.length * 4);
    });
  }

  it("gives outlines that lie where the boxes do", async () => {
    await using vision = visionProcess({ model: await tinyModel("tiny-yolo8-seg") });
    await vision.start(never);
    const { detections } = await vision.detect(await sceneJpeg(4), { exact: true }, never);
    assert.ok(detections.length > 2);
    for (const { box, polygon = [] } of detections) {
      assert.ok(polygon.length >= 4 && polygon.length <= visionLimits.outlinePointsMax, `${polygon.length} points`);
      const { left, top, width, height } = box;
      const error = (values: readonly number[], first: number, last: number) =>
        Math.max(Math.abs(Math.min(...values) - first), Math.abs(Math.max(...values) - last));
      const across = polygon.map(({ x }) => x);
      const down = polygon.map(({ y }) => y);
      const off = Math.max(error(across, left, left + width), error(down, top, top + height));
      assert.ok(off <= EDGE_ERROR_MAX, `an outline is off by ${off} pixels`);
      // A pixel less at each side, and corners that are cut by half a sample of the mask.
      const least = (width - 2) * (height - 2) - 64;
      assert.ok(polygonArea(polygon) >= least, `${polygonArea(polygon)} of ${width} × ${height}`);
    }
  });
});

describe("detection by label rules", () => {
  it("renames, forgets and warns as the manifest and the config say", async () => {
    const scene = randomScene(seededRandom(4));
    const jpeg = await sceneJpeg(4);
    const plain = await tinyModel("tiny-yolo8");
    const manifest = { rename: { red: "fire" }, deny: ["bleu"], nms: { detectionsMax: 2 } };
    const rules = { deny: ["green"], thresholds: { fire: 0.9 }, threshold: 0.3 };
    const log = new RecordingLogger();
    await using vision = visionProcess({ model: { ...plain, manifest, rules } }, log);
    await vision.start(never);
    const model = vision.model();
    assert.deepEqual([model?.labels, model?.threshold, model?.thresholds], [["fire", "blue"], 0.3, { fire: 0.9 }]);
    assert.deepEqual(model?.warnings, [
      `the manifest's deny names "bleu", which the model does not know; did you mean "blue"?`,
    ]);
    assert.ok(log.lines.some(({ level, event }) => level === "warn" && event === "vision.label-unknown"));
    const { detections } = await vision.detect(jpeg, { exact: true }, never);
    const wanted = scene.objects.filter(({ label }) => label !== "green").length;
    assert.ok(wanted > 0);
    assert.equal(detections.length, Math.min(2, wanted));
    assert.ok(detections.every(({ label }) => label === "fire" || label === "blue"));
  });
});

describe("vision process", () => {
  let vision: ReturnType<typeof visionProcess>;
  before(async () => {
    vision = visionProcess({ model: await tinyModel() });
    await vision.start(never);
  });
  after(async () => vision.stop());

  it("gives boxes in pixels of the upright image, for every EXIF orientation", async () => {
    const upright = await sceneJpeg(4);
    const truth = await vision.detect(upright, { exact: true }, never);
    assert.ok(truth.detections.length > 2);
    // How the pixels must lie for each orientation to come out upright again.
    const turned = {
      2: sharp(upright).flop(),
      3: sharp(upright).rotate(180),
      4: sharp(upright).flip(),
      6: sharp(upright).rotate(270),
      8: sharp(upright).rotate(90),
    };
    for (const [orientation, picture] of Object.entries(turned)) {
      const stored = await picture
        .withMetadata({ orientation: Number(orientation) })
        .jpeg({ quality: 95 })
        .toBuffer();
      const got = await vision.detect(stored, { exact: true }, never);
      assert.deepEqual([got.width, got.height], [sceneWidth, sceneHeight]);
      const verdict = judgeScene(truth.detections, got.detections);
      assert.deepEqual([verdict.missed, verdict.extra], [0, 0], `orientation ${orientation}`);
      assert.ok(verdict.edgeErrorMax < 1, `orientation ${orientation}: ${verdict.edgeErrorMax}`);
    }
  });

  it("says how long each stage took, and that the whole took longer", async () => {
    const { timings } = await vision.detect(await sceneJpeg(1), { exact: false }, never);
    const stages = [timings.decodeMs, timings.fillMs, timings.runMs, timings.postMs];
    assert.ok(stages.every((ms) => ms > 0));
    assert.ok(timings.roundMs > stages.reduce((sum, ms) => sum + ms, 0));
  });

  it("re-encodes upright and without metadata, smaller where asked, never larger", async () => {
    const stored = await sharp(await sceneJpeg(1))
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const same = await vision.reencode(stored, { quality: 80 }, never);
    assert.deepEqual([same.width, same.height], [sceneHeight, sceneWidth]);
    const scan = scanJpeg(same.jpeg);
    assert.ok(scan.kind === "complete");
    assert.deepEqual([scan.facts.width, scan.facts.height, scan.facts.metadata.length], [sceneHeight, sceneWidth, 0]);
    const smaller = await vision.reencode(stored, { quality: 80, widthMax: 360 }, never);
    assert.deepEqual([smaller.width, smaller.height], [360, 640]);
    const unchanged = await vision.reencode(stored, { quality: 80, widthMax: 9_000, heightMax: 9_000 }, never);
    assert.deepEqual([unchanged.width, unchanged.height], [sceneHeight, sceneWidth]);
  });

  it("makes thumbnails that keep the picture's shape", async () => {
    const { width, height, jpeg } = await vision.thumbnail(await sceneJpeg(1), { sideMax: 160, quality: 60 }, never);
    assert.deepEqual([width, height], [160, 90]);
    assert.ok(jpeg.length < 20_000);
  });

  it("draws over a picture", async () => {
    const under = await sceneJpeg(1);
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="720"><rect width="100" height="100" fill="white"/></svg>`;
    const { jpeg, width } = await vision.render(svg, { quality: 90, under }, never);
    const { data } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
    assert.equal(width, sceneWidth);
    assert.ok((data[(50 * sceneWidth + 50) * 3] ?? 0) > 250);
    assert.deepEqual((await vision.detect(under, { exact: true }, never)).detections.length > 0, true);
  });

  it("takes PNG from a person, and no SVG in place of a picture", async () => {
    const png = await sharp(await sceneJpeg(2))
      .png()
      .toBuffer();
    assert.ok((await vision.detect(png, { exact: true }, never)).detections.length > 0);
    const svg = Buffer.from(randomScene(seededRandom(1)).svg);
    await assert.rejects(vision.detect(svg, { exact: true }, never), { code: "IMAGE_UNREADABLE" });
    await assert.rejects(vision.reencode(svg, { quality: 80 }, never), { code: "IMAGE_UNREADABLE" });
  });

  it("works on calls in turn and drops those nobody waits for", async () => {
    const jpeg = await sceneJpeg(3);
    const giveUp = new AbortController();
    const calls = Array.from({ length: 6 }, async (_, index) =>
      vision.detect(jpeg, { exact: false }, index % 2 === 0 ? never : giveUp.signal),
    );
    giveUp.abort();
    const results = await Promise.allSettled(calls);
    const kinds = results.map((result) => (result.status === "fulfilled" ? "done" : (result.reason as Error).name));
    assert.deepEqual(kinds, ["done", "AbortError", "done", "AbortError", "done", "AbortError"]);
  });

  it("reports its process and the most memory that it has had", () => {
    const health = vision.health();
    assert.equal(health.state, "ready");
    assert.ok((health.pid ?? 0) > 0 && health.pid !== process.pid);
    assert.ok(health.rssPeakBytes > 40e6 && health.rssPeakBytes < 400e6, String(health.rssPeakBytes));
  });
});
