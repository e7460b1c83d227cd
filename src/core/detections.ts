import { visionLimits } from "./vision-limits.ts";
import type { Box, Detection, ModelStamp, Point, RecordDraft } from "./types.ts";

type Thresholds = Pick<ModelStamp, "threshold" | "thresholds">;

interface Labelled {
  readonly detections: readonly Detection[];
  /** Absent when nobody, or a person, labelled it. */
  readonly model?: Thresholds;
}

/** The detections a record shows: those at or above the model's threshold, or a stricter one of the target's. */
export function shownDetections({ detections, model }: Labelled, minScore = 0): readonly Detection[] {
  return detections.filter(({ label, score }) => score >= Math.max(minScore, thresholdFor(label, model)));
}

/** The score from which on a detection of this label is shown. */
export function thresholdFor(label: string, model: Thresholds | undefined): number {
  const single = model?.thresholds;
  const own = single !== undefined && Object.hasOwn(single, label) ? single[label] : undefined;
  return own ?? model?.threshold ?? 0;
}

/** Those below the model's threshold that are more than noise: at least half of it. */
export function faintDetections({ detections, model }: Labelled): readonly Detection[] {
  return detections.filter(({ label, score }) => {
    const threshold = thresholdFor(label, model);
    return score < threshold && score >= threshold / 2;
  });
}

/** What targets send: the shown detections, clipped to the image; one that lies outside it is left out. */
export function sentDetections(draft: RecordDraft, minScore: number): readonly Detection[] {
  return shownDetections(draft, minScore).flatMap((detection) => {
    const clipped = clipDetection(detection, draft.imageWidth, draft.imageHeight);
    return clipped === undefined ? [] : [clipped];
  });
}

/** The part of a detection inside an image, or undefined when nothing is left of its box. */
export function clipDetection(detection: Detection, imageWidth: number, imageHeight: number): Detection | undefined {
  const box = clipBox(detection.box, imageWidth, imageHeight);
  if (box === undefined) return undefined;
  return withOutlines({ ...detection, box }, (points) => pointsInside(points, imageWidth, imageHeight));
}

/** The same things in a picture whose width and height are so many times those of this one. */
export function scaledDetection(detection: Detection, across: number, down: number): Detection {
  const { left, top, width, height } = detection.box;
  const box = { left: left * across, top: top * down, width: width * across, height: height * down };
  return withOutlines({ ...detection, box }, (points) => points.map(({ x, y }) => ({ x: x * across, y: y * down })));
}

function withOutlines(detection: Detection, change: (points: readonly Point[]) => readonly Point[]): Detection {
  const { polygon, line } = detection;
  if (polygon === undefined && line === undefined) return detection;
  return {
    ...detection,
    ...(polygon === undefined ? {} : { polygon: change(polygon) }),
    ...(line === undefined ? {} : { line: change(line) }),
  };
}

/** The part of `box` inside an image, or undefined when nothing is left of it. */
export function clipBox(box: Box, imageWidth: number, imageHeight: number): Box | undefined {
  const left = Math.max(0, box.left);
  const top = Math.max(0, box.top);
  const width = Math.min(imageWidth, box.left + box.width) - left;
  const height = Math.min(imageHeight, box.top + box.height) - top;
  return width > 0 && height > 0 ? { left, top, width, height } : undefined;
}

/** Intersection over union, 0 to 1. */
export function iouOf(a: Box, b: Box): number {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/** Each point moved to the image's border where it lies outside. */
export function pointsInside(points: readonly Point[], imageWidth: number, imageHeight: number): readonly Point[] {
  return points.map(({ x, y }) => ({
    x: Math.min(Math.max(x, 0), imageWidth),
    y: Math.min(Math.max(y, 0), imageHeight),
  }));
}

/** Positive for points that run clockwise, y pointing down. */
export function polygonArea(points: readonly Point[]): number {
  let twice = 0;
  let before = points.at(-1);
  for (const point of points) {
    if (before !== undefined) twice += before.x * point.y - point.x * before.y;
    before = point;
  }
  return twice / 2;
}

/** The box around them, a pixel wide and high at least: a level line has no height, and a box without any is none. */
export function boxAround(points: readonly Point[]): Box {
  const across = extent(points.map(({ x }) => x));
  const down = extent(points.map(({ y }) => y));
  return { left: across.start, top: down.start, width: across.length, height: down.length };
}

function extent(values: readonly number[]): { readonly start: number; readonly length: number } {
  const least = Math.min(...values);
  const length = Math.max(1, Math.max(...values) - least);
  return { start: (least + Math.max(...values) - length) / 2, length };
}

/** Of what came from outside: three points and more, as many as an outline may have; undefined for anything else. */
export function parsePolygon(value: unknown): readonly Point[] | undefined {
  return parsePoints(value, 3);
}

/** The same for an open line, which two points make. */
export function parseLine(value: unknown): readonly Point[] | undefined {
  return parsePoints(value, 2);
}

function parsePoints(value: unknown, pointsMin: number): readonly Point[] | undefined {
  if (!Array.isArray(value) || value.length < pointsMin) return undefined;
  if (value.length > visionLimits.outlinePointsMax) return undefined;
  const points = (value as readonly unknown[]).flatMap((item) => {
    if (typeof item !== "object" || item === null || !("x" in item) || !("y" in item)) return [];
    const { x, y } = item;
    return Number.isFinite(x) && Number.isFinite(y) ? [{ x: x as number, y: y as number }] : [];
  });
  return points.length === value.length ? points : undefined;
}
