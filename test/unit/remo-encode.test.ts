import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Box, Detection, Point, RecordDraft } from "../../src/core/types.ts";
import { className, remoCsv, remoRows } from "../../src/targets/remo/encode.ts";
import type { RemoTask } from "../../src/targets/remo/uploads.ts";
import { worstEdge } from "../lib/boxes.ts";
import { sampleDetection, sampleDraft } from "../lib/records.ts";
import { seededRandom } from "../lib/seams.ts";

const name = "gw-07-aaaa-1.jpg";

function csvOf(task: RemoTask, draft: Partial<RecordDraft>): readonly (readonly string[])[] {
  const record = { ...sampleDraft(draft), name };
  return decode(remoCsv(task, remoRows(record, { task, minScore: 0 })).toString("utf8"));
}

/** A CSV reader of its own: a state machine over characters, as Python's `csv` module reads. */
function decode(text: string): readonly (readonly string[])[] {
  const rows: string[][] = [[]];
  let cell = "";
  let inQuotes = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (inQuotes) {
      if (char !== '"') cell += char;
      else if (text.charAt(at + 1) === '"') {
        cell += '"';
        at += 1;
      } else inQuotes = false;
    } else if (char === '"' && cell === "") inQuotes = true;
    else if (char === ",") {
      rows.at(-1)?.push(cell);
      cell = "";
    } else if (char === "\n") {
      rows.at(-1)?.push(cell.replace(/\r$/, ""));
      cell = "";
      rows.push([]);
    } else cell += char;
  }
  return rows.slice(0, -1);
}

/** As the server reads two points: fractions when no value is above 1, else whole pixels, cut off. */
function asServerReads(cells: readonly string[], width: number, height: number): Box {
  const [left = 0, top = 0, right = 0, bottom = 0] = cells.map(Number);
  const isFractions = [left, top, right, bottom].every((value) => value <= 1);
  const [across, down] = isFractions ? [width, height] : [1, 1];
  return {
    left: Math.trunc(left * across),
    top: Math.trunc(top * down),
    width: Math.trunc(right * across) - Math.trunc(left * across),
    height: Math.trunc(bottom * down) - Math.trunc(top * down),
  };
}

/** Touching borders, tiny ones in every corner, whole images, and anything between. */
function randomBox(random: () => number, width: number, height: number): Box {
  const kind = Math.floor(random() * 5);
  const [w, h] = [random() * width, random() * height];
  if (kind === 0) return { left: 0, top: 0, width: w * 0.02 + 0.01, height: h * 0.02 + 0.01 };
  if (kind === 1) return { left: width - w, top: height - h, width: w, height: h };
  if (kind === 2) return { left: 0, top: 0, width, height };
  const [left, top] = [random() * width * 0.99, random() * height * 0.99];
  const tiny = kind === 3 ? 0.01 : 1;
  return { left, top, width: (width - left) * random() * tiny + 0.01, height: (height - top) * random() * tiny + 0.01 };
}

function clipped(box: Box, width: number, height: number): Box {
  return {
    ...box,
    width: Math.min(box.width, width - box.left),
    height: Math.min(box.height, height - box.top),
  };
}

describe("remo's CSV", () => {
  it("gives 10,000 random boxes back within a pixel and never outside the image", () => {
    const random = seededRandom(41);
    for (let count = 0; count < 10_000; count += 1) {
      const [imageWidth, imageHeight] = [2 + Math.floor(random() * 4_000), 2 + Math.floor(random() * 3_000)];
      const box = clipped(randomBox(random, imageWidth, imageHeight), imageWidth, imageHeight);
      const [, row = []] = csvOf("Object detection", {
        imageWidth,
        imageHeight,
        detections: [sampleDetection({ box })],
      });
      const read = asServerReads(row.slice(2), imageWidth, imageHeight);
      const where = JSON.stringify({ box, row, imageWidth, imageHeight });
      assert.ok(read.width > 0 && read.height > 0 && read.left >= 0 && read.top >= 0, where);
      assert.ok(read.left + read.width <= imageWidth && read.top + read.height <= imageHeight, where);
      // One that ends inside the first pixel is stretched to two, or the server would take it for the whole image.
      const stretched = box.left + box.width < 1 && box.top + box.height < 1;
      assert.ok(worstEdge(read, box) <= (stretched ? 2 : 1), where);
    }
  });

  it("gives 2,000 random polygons back within a pixel and never outside the image", () => {
    const random = seededRandom(42);
    for (let count = 0; count < 2_000; count += 1) {
      const [imageWidth, imageHeight] = [64 + Math.floor(random() * 2_000), 48 + Math.floor(random() * 2_000)];
      const polygon: Point[] = Array.from({ length: 3 + Math.floor(random() * 20) }, () => ({
        x: random() * (imageWidth + 20) - 10,
        y: random() * (imageHeight + 20) - 10,
      }));
      const detection = sampleDetection({ polygon });
      const [, row = []] = csvOf("Instance segmentation", { imageWidth, imageHeight, detections: [detection] });
      const numbers = (row[2] ?? "").split(";").map(Number);
      assert.ok(numbers.length >= 6 && numbers.length % 2 === 0 && numbers.every(Number.isInteger));
      for (let at = 0; at < numbers.length; at += 2) {
        const [x = -1, y = -1] = numbers.slice(at, at + 2);
        assert.ok(x >= 0 && x <= imageWidth && y >= 0 && y <= imageHeight);
        const near = polygon.some((point) => {
          const [cx, cy] = [clamp(point.x, imageWidth), clamp(point.y, imageHeight)];
          return Math.abs(cx - x) <= 1 && Math.abs(cy - y) <= 1;
        });
        assert.ok(near, "a point is none of the polygon's");
      }
    }
  });

  it("writes the headers that the vendor's client writes, and its line ends", () => {
    const record = { ...sampleDraft(), name };
    const text = (task: RemoTask) => remoCsv(task, remoRows(record, { task, minScore: 0 })).toString("utf8");
    assert.equal(text("Object detection"), `file_name,class_name,xmin,ymin,xmax,ymax\r\n${name},person,4,2,24,11\r\n`);
    assert.equal(
      text("Instance segmentation"),
      `file_name,class_name,coordinates\r\n${name},person,4; 2; 24; 2; 24; 11; 4; 11\r\n`,
    );
    assert.equal(text("Image classification"), `file_name,class_name\r\n${name},person\r\n`);
  });

  it("joins the classes of a whole image in one row, each once", () => {
    const detections: Detection[] = [
      sampleDetection(),
      sampleDetection({ label: "dog" }),
      sampleDetection({ box: { left: 40, top: 20, width: 5, height: 5 } }),
    ];
    assert.deepEqual(csvOf("Image classification", { detections }), [
      ["file_name", "class_name"],
      [name, "person;dog"],
    ]);
  });

  it("quotes commas and quotes, and takes from class names what the server would read as something else", () => {
    const labels = ['a "big", red car', "cat;dog", " two\r\nlines ", "; ", "fork lift"];
    const detections = labels.map((label) => sampleDetection({ label }));
    const rows = csvOf("Object detection", { detections }).slice(1);
    const expected = ['a "big", red car', "cat,dog", "two lines", ",", "fork lift"];
    assert.deepEqual(
      rows.map((row) => row[1]),
      expected,
    );
    assert.ok(rows.every((row) => row.length === 6));
    assert.equal(className(" \n"), "unnamed");
  });

  it("sends the box where a polygon encloses nothing", () => {
    const line = [
      { x: 4, y: 4 },
      { x: 20, y: 4 },
      { x: 12, y: 4.2 },
    ];
    const [, row = []] = csvOf("Instance segmentation", { detections: [sampleDetection({ polygon: line })] });
    assert.equal(row[2], "4; 2; 24; 2; 24; 11; 4; 11");
  });

  it("has no row for a record that shows nothing, and none for detections below the score", () => {
    const record = { ...sampleDraft({ detections: [sampleDetection({ score: 0.4 })] }), name };
    assert.deepEqual(remoRows(record, { task: "Object detection", minScore: 0.5 }), []);
    assert.deepEqual(remoRows(record, { task: "Image classification", minScore: 0.5 }), []);
  });
});

function clamp(value: number, size: number): number {
  return Math.min(Math.max(value, 0), size);
}
