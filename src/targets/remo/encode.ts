import { pointsInside, polygonArea, sentDetections } from "../../core/detections.ts";
import type { Box, Detection, Point, RecordDraft } from "../../core/types.ts";
import type { RemoTask } from "./uploads.ts";

/**
 * The annotations of a batch as remo's plain CSV, whole pixels with the origin top left. Two traps of its reader rule the
 * form: values that are all 1 or less are read as fractions of the image, and a `;` in a class name separates two classes.
 */

export type CsvRow = readonly (string | number)[];

const headers: Readonly<Record<RemoTask, CsvRow>> = {
  "Object detection": ["file_name", "class_name", "xmin", "ymin", "xmax", "ymax"],
  "Instance segmentation": ["file_name", "class_name", "coordinates"],
  "Image classification": ["file_name", "class_name"],
};

/** The rows of one record, its file name first; none where it shows nothing. */
export function remoRows(
  record: RecordDraft & { readonly name: string },
  { task, minScore }: { readonly task: RemoTask; readonly minScore: number },
): readonly CsvRow[] {
  const detections = sentDetections(record, minScore);
  switch (task) {
    case "Object detection":
      return detections.map(({ label, box }) => [record.name, className(label), ...corners(box, record)]);
    case "Instance segmentation":
      return detections.map((each) => [record.name, className(each.label), outline(each, record).join("; ")]);
    case "Image classification": {
      // One row an image: several classes are one text, as the vendor's client joins them.
      const names = [...new Set(detections.map(({ label }) => className(label)))];
      return names.length === 0 ? [] : [[record.name, names.join(";")]];
    }
  }
}

export function remoCsv(task: RemoTask, rows: readonly CsvRow[]): Buffer {
  const lines = [headers[task], ...rows].map((row) => row.map((cell) => quoted(String(cell))).join(","));
  return Buffer.from(`${lines.join("\r\n")}\r\n`);
}

/**
 * As it can stand in the CSV: `;` would make two classes of it and becomes a comma, line breaks become blanks. The server
 * itself keeps one capital first letter of whatever comes.
 */
export function className(label: string): string {
  const name = label
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .replaceAll(";", ",")
    .trim();
  return name === "" ? "unnamed" : name;
}

/**
 * Left, top, right, bottom: each within a pixel, never outside, never empty and never to be read as fractions. For the
 * last a box that ends inside the very first pixel is stretched to two.
 */
function corners(box: Box, { imageWidth, imageHeight }: RecordDraft): readonly [number, number, number, number] {
  const [left, right] = span(box.left, box.left + box.width, imageWidth);
  const [top, bottom] = span(box.top, box.top + box.height, imageHeight);
  if (right > 1 || bottom > 1) return [left, top, right, bottom];
  const isWide = box.left + box.width >= box.top + box.height;
  const across = imageHeight < 2 || (isWide && imageWidth > 1);
  return across ? [left, top, Math.min(2, imageWidth), bottom] : [left, top, right, 2];
}

function span(from: number, to: number, size: number): readonly [number, number] {
  const [low, high] = [clamped(Math.round(from), size), clamped(Math.round(to), size)];
  if (low < high) return [low, high];
  // Less than a pixel: the one that its middle lies in.
  const pixel = Math.min(Math.floor((from + to) / 2), size - 1);
  return [pixel, pixel + 1];
}

function clamped(value: number, size: number): number {
  return Math.min(Math.max(value, 0), size);
}

/** The polygon as x, y, x, y, …; the box's four corners where the model gave none that encloses anything. */
function outline(detection: Detection, draft: RecordDraft): readonly number[] {
  const { polygon } = detection;
  if (polygon !== undefined) {
    const points = pointsInside(polygon, draft.imageWidth, draft.imageHeight);
    const whole = withoutRepeats(points.map(({ x, y }) => ({ x: Math.round(x), y: Math.round(y) })));
    const pixels = whole.flatMap(({ x, y }) => [x, y]);
    if (whole.length >= 3 && polygonArea(whole) !== 0 && pixels.some((value) => value > 1)) return pixels;
  }
  const [left, top, right, bottom] = corners(detection.box, draft);
  return [left, top, right, top, right, bottom, left, bottom];
}

function withoutRepeats(points: readonly Point[]): readonly Point[] {
  const last = points.at(-1);
  return points.filter((point, at) => {
    const before = at === 0 ? last : points[at - 1];
    return points.length === 1 || before === undefined || before.x !== point.x || before.y !== point.y;
  });
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
