import assert from "node:assert/strict";
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { parse } from "yaml";
import type { Box, Detection } from "../../src/core/types.ts";
import { annotationLine } from "../../src/targets/folder/annotation.ts";
import { exportDataset, type DatasetSummary } from "../../src/targets/folder/dataset.ts";
import type { DatasetFormatName } from "../../src/targets/folder/dataset-writer.ts";
import { sampleDetection, sampleJpeg, sampleRecord } from "../lib/records.ts";
import { seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const never = new AbortController().signal;
const imageSize = { imageWidth: 640, imageHeight: 360 };
const oddLabel = `"a" <b> & 'c' \u0007: #1`;

interface Coco {
  readonly images: readonly { id: number; file_name: string; width: number; height: number }[];
  readonly annotations: readonly {
    id: number;
    image_id: number;
    category_id: number;
    bbox: number[];
    area: number;
    segmentation: number[][];
  }[];
  readonly categories: readonly { id: number; name: string }[];
}

describe("data set export", () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let from: string;
  let to: string;

  beforeEach(async () => {
    folder = await tempFolder();
    from = join(folder.path, "set");
    to = join(folder.path, "out");
    await mkdir(join(from, "images"), { recursive: true });
  });

  afterEach(() => folder[Symbol.asyncDispose]());

  async function add(sequence: number, detections: readonly Detection[], labelled = true): Promise<string> {
    const jpeg = sampleJpeg(sequence);
    const record = sampleRecord(sequence, jpeg, { ...imageSize, detections, labelled });
    await writeFile(join(from, "images", record.name), jpeg);
    await appendFile(join(from, "annotations.jsonl"), annotationLine(record, 0));
    return record.name;
  }

  const run = (format: DatasetFormatName): Promise<DatasetSummary> => exportDataset({ from, to, format }, never);
  const text = (...path: string[]) => readFile(join(to, ...path), "utf8");
  const coco = async () => JSON.parse(await text("annotations", "instances.json")) as Coco;

  /** What the formats must give back, to the pixel. */
  async function addRandom(images: number): Promise<ReadonlyMap<string, readonly Detection[]>> {
    const random = seededRandom(7);
    const expected = new Map<string, readonly Detection[]>();
    for (let n = 1; n <= images; n += 1) {
      const detections = Array.from({ length: n % 5 }, () => {
        const box = { left: random() * 600, top: random() * 340, width: 1 + random() * 39, height: 1 + random() * 19 };
        return { label: ["person", "car", oddLabel][Math.floor(random() * 3)] ?? "", score: random(), box };
      });
      expected.set(await add(n, detections), detections);
    }
    return expected;
  }

  function near(got: Box, wanted: Box | undefined, pixels: number): void {
    assert.ok(wanted !== undefined);
    for (const [a, b] of [
      [got.left, wanted.left],
      [got.top, wanted.top],
      [got.left + got.width, wanted.left + wanted.width],
      [got.top + got.height, wanted.top + wanted.height],
    ] as const) {
      assert.ok(Math.abs(a - b) <= pixels, `${a} for ${b}`);
    }
  }

  it("gives COCO back as it was, with integer ids that hold together", async () => {
    const expected = await addRandom(40);
    const summary = await run("coco");
    assert.equal(summary.images, 40);
    const { images, annotations, categories } = await coco();
    assert.deepEqual(
      categories.map(({ id, name }) => [id, name]),
      [oddLabel, "car", "person"].map((name, index) => [index + 1, name]),
    );
    assert.deepEqual(
      annotations.map(({ id }) => id),
      annotations.map((_, index) => index + 1),
    );
    for (const { id, file_name } of images) {
      const wanted = expected.get(file_name) ?? [];
      const got = annotations.filter(({ image_id }) => image_id === id);
      assert.equal(got.length, wanted.length);
      for (const [at, { bbox, area, category_id }] of got.entries()) {
        const [left = -1, top = -1, width = -1, height = -1] = bbox;
        near({ left, top, width, height }, wanted[at]?.box, 0.001);
        assert.ok(Math.abs(area - width * height) < 0.01);
        assert.equal(categories.find(({ id }) => id === category_id)?.name, wanted[at]?.label);
      }
      assert.deepEqual(await readFile(join(to, "images", file_name)), await readFile(join(from, "images", file_name)));
    }
    assert.deepEqual((await readdir(join(to, "annotations"))).sort(), ["instances.json"]);
  });

  it("gives outlines back as COCO's segmentation, with their own area", async () => {
    const box = { left: 10, top: 20, width: 40, height: 30 };
    const polygon = [
      { x: 10, y: 20 },
      { x: 50, y: 20 },
      { x: 50, y: 50 },
    ];
    await add(1, [sampleDetection({ box, polygon }), sampleDetection({ box })]);
    await run("coco");
    const { annotations } = await coco();
    assert.deepEqual(
      annotations.map(({ segmentation, area }) => ({ segmentation, area })),
      [
        { segmentation: [[10, 20, 50, 20, 50, 50]], area: 600 },
        { segmentation: [], area: 1_200 },
      ],
    );
  });

  it("passes over a line whose outline is damaged", async () => {
    await add(1, [sampleDetection({ polygon: [{ x: 1, y: 2 }] })]);
    assert.equal((await run("coco")).unreadable, 1);
  });

  it("gives YOLO back within a hundredth of a pixel, with a file for every negative", async () => {
    const expected = await addRandom(40);
    await run("yolo");
    const data = parse(await text("data.yaml")) as { train: string; names: Record<string, string> };
    const names = new Map(Object.entries(data.names));
    assert.deepEqual(data.names, { 0: oddLabel, 1: "car", 2: "person" });
    for (const [name, wanted] of expected) {
      assert.ok((await readdir(join(to, data.train))).includes(name));
      const lines = (await text("labels", "train", name.replace(".jpg", ".txt"))).split("\n").slice(0, -1);
      assert.equal(lines.length, wanted.length);
      for (const [at, line] of lines.entries()) {
        const [index = -1, x = -1, y = -1, w = -1, h = -1] = line.split(" ").map(Number);
        assert.equal(names.get(String(index)), wanted[at]?.label);
        for (const value of [x, y, w, h]) assert.ok(value > 0 && value < 1);
        const box = { left: (x - w / 2) * 640, top: (y - h / 2) * 360, width: w * 640, height: h * 360 };
        near(box, wanted[at]?.box, 0.01);
      }
    }
  });

  it("says what was hidden in an image, where the format has a place for it", async () => {
    const { name, ...masked } = sampleRecord(1, sampleJpeg(1), { ...imageSize, maskVersion: "0123456789abcdef" });
    await writeFile(join(from, "images", name), sampleJpeg(1));
    await appendFile(join(from, "annotations.jsonl"), annotationLine({ name, ...masked }, 0));
    const bare = await add(2, []);
    await run("coco");
    const { images } = (await coco()) as { readonly images: readonly object[] };
    assert.deepEqual(
      images.map((image) => ("mask_version" in image ? image.mask_version : undefined)),
      ["0123456789abcdef", undefined],
    );
    await rm(to, { recursive: true });
    await run("voc");
    const xml = (file: string) => text("Annotations", file.replace(".jpg", ".xml"));
    assert.deepEqual(parsedXml(await xml(name)).texts("mask_version"), ["0123456789abcdef"]);
    assert.doesNotMatch(await xml(bare), /source/);
  });

  it("gives Pascal VOC back within a pixel, as well-formed XML", async () => {
    const expected = await addRandom(40);
    await run("voc");
    const listed = (await text("ImageSets", "Main", "train.txt")).split("\n").slice(0, -1);
    assert.deepEqual(
      listed,
      [...expected.keys()].map((name) => name.replace(".jpg", "")),
    );
    for (const [name, wanted] of expected) {
      const xml = parsedXml(await text("Annotations", name.replace(".jpg", ".xml")));
      assert.deepEqual(xml.texts("filename"), [name]);
      assert.deepEqual(xml.texts("width"), ["640"]);
      assert.deepEqual(
        xml.texts("name"),
        wanted.map(({ label }) => label.replace("\u0007", " ")),
      );
      const [xmin, ymin, xmax, ymax] = ["xmin", "ymin", "xmax", "ymax"].map((tag) => xml.texts(tag).map(Number));
      for (const [at, { box }] of wanted.entries()) {
        const left = (xmin?.[at] ?? NaN) - 1;
        const top = (ymin?.[at] ?? NaN) - 1;
        assert.ok(left >= 0 && top >= 0 && (xmax?.[at] ?? NaN) <= 640 && (ymax?.[at] ?? NaN) <= 360);
        near({ left, top, width: (xmax?.[at] ?? NaN) - left, height: (ymax?.[at] ?? NaN) - top }, box, 1);
      }
    }
  });

  it("clamps boxes to the image and drops those without an area", async () => {
    const wild = [
      { left: -10, top: -10, width: 20, height: 20 },
      { left: 630, top: 350, width: 100, height: 100 },
      { left: 10, top: 10, width: 0, height: 5 },
      { left: 700, top: 10, width: 5, height: 5 },
    ];
    const detections = wild.map((box) => sampleDetection({ box }));
    const line = { id: "1", name: "a.jpg", device: "d", camera: "c", capturedAt: "", width: 640, height: 360 };
    await writeFile(join(from, "images", "a.jpg"), sampleJpeg());
    await writeFile(join(from, "annotations.jsonl"), `${JSON.stringify({ ...line, labelled: true, detections })}\n`);
    for (const format of ["coco", "yolo", "voc"] as const) {
      const summary = await exportDataset({ from, to: join(to, format), format }, never);
      assert.equal(summary.boxes, 2);
      assert.equal(summary.emptyBoxes, 2);
    }
    const { annotations } = JSON.parse(await text("coco", "annotations", "instances.json")) as Coco;
    assert.deepEqual(
      annotations.map(({ bbox }) => bbox),
      [
        [0, 0, 10, 10],
        [630, 350, 10, 10],
      ],
    );
    assert.equal(
      await text("yolo", "labels", "train", "a.txt"),
      "0 0.007813 0.013889 0.015625 0.027778\n0 0.992188 0.986111 0.015625 0.027778\n",
    );
    assert.deepEqual(parsedXml(await text("voc", "Annotations", "a.xml")).texts("xmax"), ["10", "640"]);
  });

  it("keeps every number when it is repeated after more records came", async () => {
    await add(1, [sampleDetection({ label: "person" })]);
    await add(2, [sampleDetection({ label: "dog" })]);
    await run("coco");
    const before = await coco();
    await add(3, [sampleDetection({ label: "cat" })]);
    const summary = await run("coco");
    assert.deepEqual(summary.classes, ["dog", "person", "cat"]);
    const after = await coco();
    assert.deepEqual(after.images.slice(0, 2), before.images);
    assert.deepEqual(after.annotations.slice(0, 2), before.annotations);
    assert.deepEqual(after.categories.slice(0, 2), before.categories);
    assert.equal(after.images.length, 3);
  });

  it("leaves out, and counts, what it cannot use", async () => {
    await add(1, [sampleDetection()]);
    await add(2, [], false);
    await appendFile(join(from, "annotations.jsonl"), "nonsense\n");
    await rm(join(from, "images", await add(3, [sampleDetection()])));
    await appendFile(join(from, "annotations.jsonl"), `${"x".repeat(3_000_000)}\n`);
    await add(4, []);
    await appendFile(join(from, "annotations.jsonl"), '{"id":"torn');
    const seen: number[] = [];
    const job = { from, to, format: "yolo", onProgress: ({ done }: { done: number }) => seen.push(done) } as const;
    const summary = await exportDataset(job, never);
    const { images, boxes, unlabelled, missing, unreadable } = summary;
    assert.deepEqual(
      { images, boxes, unlabelled, missing, unreadable },
      { images: 2, boxes: 1, unlabelled: 1, missing: 1, unreadable: 2 },
    );
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6]);
  });

  it("refuses to write over anything but its own former export", async () => {
    await add(1, [sampleDetection()]);
    await mkdir(to);
    await run("voc");
    await assert.rejects(run("coco"), { code: "DATASET_DESTINATION" });
    await run("voc");
    await writeFile(join(folder.path, "mine"), "");
    await assert.rejects(exportDataset({ from, to: folder.path, format: "coco" }, never), {
      code: "DATASET_DESTINATION",
    });
    await assert.rejects(exportDataset({ from: to, to: join(to, "x"), format: "coco" }, never), {
      code: "DATASET_NOT_FOUND",
    });
  });

  it("stops when it is told to, and can be repeated", async () => {
    for (let n = 1; n <= 5; n += 1) await add(n, [sampleDetection()]);
    const stop = new AbortController();
    const job = { from, to, format: "coco", onProgress: () => stop.abort() } as const;
    await assert.rejects(exportDataset(job, stop.signal), { name: "AbortError" });
    assert.equal((await run("coco")).images, 5);
  });

  it("holds thousands of records in the memory of one", async function () {
    this.timeout(20_000);
    const detections = Array.from({ length: 100 }, () =>
      sampleDetection({ box: { left: 1 / 3, top: 1 / 3, width: 99 / 7, height: 99 / 7 } }),
    );
    const line = annotationLine(sampleRecord(1, sampleJpeg(), { ...imageSize, labelled: false, detections }), 0);
    for (let n = 0; n < 20; n += 1) await appendFile(join(from, "annotations.jsonl"), line.repeat(500));
    assert.ok(line.length > 9_000);
    const before = process.memoryUsage().rss;
    let peak = 0;
    const onProgress = () => (peak = Math.max(peak, process.memoryUsage.rss()));
    const { unlabelled } = await exportDataset({ from, to, format: "coco", onProgress }, never);
    assert.equal(unlabelled, 10_000);
    assert.ok(peak - before < 100_000_000, `${peak - before} bytes more`);
  });
});

/** As much of XML as an annotation needs, and strict: it fails where tags do not match. */
function parsedXml(xml: string): { texts(tag: string): readonly string[] } {
  const found = new Map<string, string[]>();
  const stack: string[] = [];
  let at = 0;
  for (const match of xml.matchAll(/<(\/?)([A-Za-z_]+)>/g)) {
    const [whole, slash, tag = ""] = match;
    const between = xml.slice(at, match.index);
    assert.doesNotMatch(between, /[<>\u0000-\u0008]|&(?!(amp|lt|gt|quot|apos);)/);
    at = match.index + whole.length;
    if (slash === "") stack.push(tag);
    else {
      assert.equal(stack.pop(), tag);
      found.set(tag, [...(found.get(tag) ?? []), unescaped(between)]);
    }
  }
  assert.deepEqual(stack, []);
  return { texts: (tag) => found.get(tag) ?? [] };
}

function unescaped(text: string): string {
  const named: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replaceAll(/&([a-z]+);/g, (_, name: string) => named[name] ?? "");
}
