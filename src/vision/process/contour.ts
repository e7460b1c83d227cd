import { polygonArea } from "../../core/detections.ts";
import type { Point } from "../../core/types.ts";

/**
 * Outlines of regions in a grid of samples: where the values go through zero. Between two samples the place is
 * interpolated, so that an outline is finer than its grid. Points count in samples; the first one's centre is (0, 0).
 */

/** Headings are east, south, west, north; the inside is always on the right hand. */
const stepX = [1, 0, -1, 0] as const;
const stepY = [0, 1, 0, -1] as const;
/** Of the four samples around a corner, the one ahead on the right, from the corner's own number, by heading. */
const rightX = [0, -1, -1, 0] as const;
const rightY = [0, 0, -1, -1] as const;

/** Of one outline: it ends by itself long before, unless the samples are noise. */
const STEPS_PER_SAMPLE_MAX = 4;

let seen = new Uint8Array(0);

/** The outer edge of the largest connected region above zero, clockwise; empty where nothing is above zero. */
export function largestOutline(values: Float32Array, width: number, height: number): readonly Point[] {
  if (seen.length < width * height) seen = new Uint8Array(width * height);
  seen.fill(0, 0, width * height);
  let largest: readonly Point[] = [];
  let largestArea = 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      // Every outline has an edge whose inside lies below it; one of a hole has a negative area.
      if (!isInside(values, width, height, x, y) || isInside(values, width, height, x, y - 1)) continue;
      if (seen[y * width + x] === 1) continue;
      const outline = follow(values, width, height, x, y);
      const area = polygonArea(outline);
      if (area <= largestArea) continue;
      largest = outline;
      largestArea = area;
    }
  }
  return largest;
}

/** Walks along the edge that starts above the sample at (startX, startY), until it is there again. */
function follow(values: Float32Array, width: number, height: number, startX: number, startY: number): Point[] {
  const outline: Point[] = [];
  let x = startX;
  let y = startY;
  let heading = 0;
  for (let steps = STEPS_PER_SAMPLE_MAX * width * height; steps > 0; steps -= 1) {
    const insideX = x + (rightX[heading] ?? 0);
    const insideY = y + (rightY[heading] ?? 0);
    if (heading === 0) seen[insideY * width + insideX] = 1;
    outline.push(crossing(values, width, height, insideX, insideY, heading));
    x += stepX[heading] ?? 0;
    y += stepY[heading] ?? 0;
    heading = nextHeading(values, width, height, x, y, heading);
    if (x === startX && y === startY && heading === 0) break;
  }
  return outline;
}

/** Samples that touch at a corner only do not belong together. */
function nextHeading(
  values: Float32Array,
  width: number,
  height: number,
  x: number,
  y: number,
  heading: number,
): number {
  if (!isInside(values, width, height, x + (rightX[heading] ?? 0), y + (rightY[heading] ?? 0))) {
    return (heading + 1) % 4;
  }
  const left = (heading + 3) % 4;
  return isInside(values, width, height, x + (rightX[left] ?? 0), y + (rightY[left] ?? 0)) ? left : heading;
}

/** Between an inside sample and its neighbour on the left hand; halfway where there is none. */
function crossing(values: Float32Array, width: number, height: number, x: number, y: number, heading: number): Point {
  const outwards = (heading + 3) % 4;
  const dx = stepX[outwards] ?? 0;
  const dy = stepY[outwards] ?? 0;
  const inner = values[y * width + x] ?? 0;
  const hasOuter = x + dx >= 0 && x + dx < width && y + dy >= 0 && y + dy < height;
  const outer = hasOuter ? (values[(y + dy) * width + x + dx] ?? 0) : -inner;
  const part = inner / (inner - outer);
  return { x: x + dx * part, y: y + dy * part };
}

function isInside(values: Float32Array, width: number, height: number, x: number, y: number): boolean {
  return x >= 0 && x < width && y >= 0 && y < height && (values[y * width + x] ?? 0) > 0;
}

/** Doubled until the points are few enough; ten times makes a thousand of the first tolerance. */
const DOUBLINGS_MAX = 10;

/**
 * The same closed outline with as few points as keep every left out one within `tolerance` of it (Douglas and Peucker);
 * a larger tolerance is taken where that leaves more than `pointsMax`.
 */
export function simplified(points: readonly Point[], tolerance: number, pointsMax: number): readonly Point[] {
  // Of two points that are far apart both are corners: the outline falls into two lines between them.
  const first = farthestFrom(points, 0);
  const opposite = (farthestFrom(points, first) - first + points.length) % points.length;
  const turned = [...points.slice(first), ...points.slice(0, first + 1)];
  let kept = points;
  for (let tries = 0, within = tolerance; tries <= DOUBLINGS_MAX; tries += 1, within *= 2) {
    kept = keptPoints(turned, opposite, within);
    if (kept.length <= pointsMax) return kept;
  }
  return kept.slice(0, pointsMax);
}

/** `line` is closed: its last point is its first. */
function keptPoints(line: readonly Point[], opposite: number, tolerance: number): readonly Point[] {
  const last = line.length - 1;
  const keep = new Set([0, opposite]);
  const open: (readonly [number, number])[] = [
    [0, opposite],
    [opposite, last],
  ];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const [from, to] = part;
    const farthest = farthestFromLine(line, from, to, tolerance);
    if (farthest === undefined) continue;
    keep.add(farthest);
    open.push([from, farthest], [farthest, to]);
  }
  return line.filter((_, index) => keep.has(index));
}

function farthestFromLine(line: readonly Point[], from: number, to: number, tolerance: number): number | undefined {
  const a = line[from] ?? { x: 0, y: 0 };
  const b = line[to] ?? a;
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = Math.hypot(dx, dy);
  let farthest: number | undefined;
  let distanceMax = tolerance;
  for (let index = from + 1; index < to; index += 1) {
    const { x, y } = line[index] ?? a;
    const distance = length === 0 ? Math.hypot(x - a.x, y - a.y) : Math.abs((x - a.x) * dy - (y - a.y) * dx) / length;
    if (distance <= distanceMax) continue;
    farthest = index;
    distanceMax = distance;
  }
  return farthest;
}

function farthestFrom(points: readonly Point[], index: number): number {
  const from = points[index];
  let farthest = 0;
  let distanceMax = -1;
  for (const [other, point] of points.entries()) {
    const distance = from === undefined ? 0 : (point.x - from.x) ** 2 + (point.y - from.y) ** 2;
    if (distance <= distanceMax) continue;
    farthest = other;
    distanceMax = distance;
  }
  return farthest;
}
