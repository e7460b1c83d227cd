import { iouOf } from "../../core/detections.ts";
import type { Box, Detection, TileGrid } from "../../core/types.ts";
import type { PictureSize } from "./imaging.ts";

/**
 * A picture in overlapping tiles, and their detections made one. Pure geometry.
 *
 * What a tile's inner border cuts is a part of an object. One that is no larger than the overlap is whole in the
 * neighbour, a larger one in the whole picture; so a cut box counts only where neither of them can speak for it.
 */

/** A view of the picture: the whole, or a tile of it. */
export interface View {
  /** In picture pixels. */
  readonly area: Box;
  readonly detections: readonly Detection[];
}

interface Found {
  readonly detection: Detection;
  readonly view: number;
}

/** In whole pixels; all tiles of a picture have it. */
export function tileSize({ width, height }: PictureSize, { columns, rows, overlap }: TileGrid): PictureSize {
  const length = (whole: number, count: number) => Math.min(whole, Math.ceil(whole / (count - (count - 1) * overlap)));
  return { width: length(width, columns), height: length(height, rows) };
}

/** Where the tiles of this size lie, left to right and top to bottom, evenly spread in whole pixels. */
export function tilesOf(picture: PictureSize, { columns, rows }: TileGrid, tile: PictureSize): readonly Box[] {
  const starts = (spare: number, count: number) =>
    Array.from({ length: count }, (_, at) => (count === 1 ? 0 : Math.round((at * spare) / (count - 1))));
  const lefts = starts(picture.width - tile.width, columns);
  const tops = starts(picture.height - tile.height, rows);
  return tops.flatMap((top) => lefts.map((left) => ({ left, top, ...tile })));
}

/** Of a tile's side: a box that ends as near as this to a border is taken to go on beyond it. */
const BORDER_SHARE = 0.015;
/** A cut box of which this much lies within a box of the same label is a part of it. */
const PART_SHARE = 0.6;

interface MergeOptions {
  /** Of two boxes of different views that share more than this, the weaker goes. */
  readonly iouMax: number;
  readonly classAgnostic: boolean;
  readonly detectionsMax: number;
}

/**
 * The detections of all views, best first; the first view is the whole picture. Those of one view never displace each
 * other: they have been through the model's own suppression.
 */
export function mergeViews(views: readonly View[], picture: PictureSize, options: MergeOptions): readonly Detection[] {
  const whole: Found[] = [];
  const cut: Found[] = [];
  for (const [view, { area, detections }] of views.entries()) {
    for (const detection of detections) {
      const isCut = view > 0 && isCutBy(area, detection.box, picture);
      if (!isCut) whole.push({ detection, view });
      else if (!isInNeighbour(views, view, detection.box, picture)) cut.push({ detection, view });
    }
  }
  const kept: Found[] = [];
  for (const found of whole.sort(byScore)) {
    if (!kept.some((other) => sameObject(other, found, options))) kept.push(found);
  }
  for (const found of cut.sort(byScore)) {
    if (!kept.some((other) => isPartOf(other, found, options))) kept.push(found);
  }
  return kept
    .sort(byScore)
    .slice(0, options.detectionsMax)
    .map(({ detection }) => detection);
}

function byScore(a: Found, b: Found): number {
  return b.detection.score - a.detection.score;
}

function sameObject(a: Found, b: Found, { iouMax, classAgnostic }: MergeOptions): boolean {
  if (a.view === b.view || (!classAgnostic && a.detection.label !== b.detection.label)) return false;
  return iouOf(a.detection.box, b.detection.box) > iouMax;
}

function isPartOf(a: Found, part: Found, { classAgnostic }: MergeOptions): boolean {
  if (a.view === part.view || (!classAgnostic && a.detection.label !== part.detection.label)) return false;
  const { box } = part.detection;
  return sharedArea(a.detection.box, box) >= PART_SHARE * box.width * box.height;
}

/** Whether it ends at a border of its tile that is not the picture's. */
function isCutBy(tile: Box, box: Box, { width, height }: PictureSize): boolean {
  const nearX = BORDER_SHARE * tile.width;
  const nearY = BORDER_SHARE * tile.height;
  return (
    (tile.left > nearX && box.left - tile.left < nearX) ||
    (tile.top > nearY && box.top - tile.top < nearY) ||
    (width - rightOf(tile) > nearX && rightOf(tile) - rightOf(box) < nearX) ||
    (height - bottomOf(tile) > nearY && bottomOf(tile) - bottomOf(box) < nearY)
  );
}

/** Whether another tile shows all of it and what lies beyond the cut: then that tile's word counts. */
function isInNeighbour(views: readonly View[], view: number, box: Box, picture: PictureSize): boolean {
  return views.some(
    ({ area }, other) => other > 0 && other !== view && contains(area, box) && !isCutBy(area, box, picture),
  );
}

function contains(area: Box, box: Box): boolean {
  const slack = BORDER_SHARE * Math.min(area.width, area.height);
  return (
    box.left >= area.left - slack &&
    box.top >= area.top - slack &&
    rightOf(box) <= rightOf(area) + slack &&
    bottomOf(box) <= bottomOf(area) + slack
  );
}

function sharedArea(a: Box, b: Box): number {
  const width = Math.min(rightOf(a), rightOf(b)) - Math.max(a.left, b.left);
  const height = Math.min(bottomOf(a), bottomOf(b)) - Math.max(a.top, b.top);
  return Math.max(0, width) * Math.max(0, height);
}

function rightOf({ left, width }: Box): number {
  return left + width;
}

function bottomOf({ top, height }: Box): number {
  return top + height;
}
