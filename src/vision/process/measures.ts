import type { PictureMeasures } from "../../core/picture.ts";
import { CELL_SCALE, type Thumbnail } from "./thumbnail.ts";

/** The measures of a decoded picture: light from its thumbnail, structure from its pixels. A few tenths of a millisecond. */

interface Structure {
  readonly flatShare: number;
  readonly sharpness?: number;
}

type Measured = Omit<PictureMeasures, "width" | "height" | "changedShare">;

const BLACK_MAX = 5;
const WHITE_MIN = 250;

export function measure(rgb: Uint8Array, width: number, height: number, thumbnail: Thumbnail): Measured {
  return { ...measureLight(thumbnail), ...measureStructure(rgb, width, height) };
}

function measureLight({ cells }: Thumbnail): Omit<Measured, keyof Structure> {
  const counts = new Int32Array(256);
  for (let at = 0; at < cells.length; at += 3) {
    const weighted = 77 * (cells[at] ?? 0) + 150 * (cells[at + 1] ?? 0) + 29 * (cells[at + 2] ?? 0);
    const luma = (weighted / (256 * CELL_SCALE)) | 0;
    counts[luma] = (counts[luma] ?? 0) + 1;
  }
  const total = cells.length / 3;
  let [sum, black, white] = [0, 0, 0];
  for (let luma = 0; luma < counts.length; luma += 1) {
    const count = counts[luma] ?? 0;
    sum += luma * count;
    if (luma <= BLACK_MAX) black += count;
    if (luma >= WHITE_MIN) white += count;
  }
  return {
    lumaMean: Math.round((10 * sum) / total) / 10,
    lumaP5: levelAt(counts, 0.05 * total),
    lumaP95: levelAt(counts, 0.95 * total),
    blackShare: share(black, total),
    whiteShare: share(white, total),
  };
}

function levelAt(counts: Int32Array, wanted: number): number {
  let seen = 0;
  for (let level = 0; level < counts.length; level += 1) {
    seen += counts[level] ?? 0;
    if (seen >= wanted) return level;
  }
  return 255;
}

/** Pixels on the long side at which structure is judged: it must not depend on the size of the model's input. */
const LONG_SIDE = 320;
/** Every third row tells as much as all of them. */
const ROW_STEP = 3;
/** A stretch of a row; a rise within it is an edge. */
const STRETCH = 16;
/** Levels between the darkest and the brightest of a stretch: noise stays below the first, edges are above the second. */
const FLAT_MAX = 12;
const EDGE_MIN = 24;
/** Sharpness is that of the clearest tenth of the edges: what lies behind the focus is soft in good pictures too. */
const CLEAREST = 0.1;
/** With fewer edges, as a share of all stretches, there is nothing to judge by. */
const EDGES_MIN = 0.005;
const STEPS = 64;

/**
 * Along rows, stretch by stretch: how far its levels spread, and which part of that lies in the steepest single
 * step. That part is 1 for an ideal edge and falls as the edge gets wider, whatever the contrast.
 */
function measureStructure(rgb: Uint8Array, width: number, height: number): Structure {
  const stride = Math.min(Math.max(1, Math.round(Math.max(width, height) / LONG_SIDE)), STRIDE_MAX);
  const rises = new Int32Array(STEPS + 1);
  let [stretches, flat, edges] = [0, 0, 0];
  const stretchPixels = STRETCH * stride;
  for (let y = 0; y < height; y += ROW_STEP * stride) {
    for (let x = 0; x + stretchPixels <= width; x += stretchPixels) {
      // Green alone: it is most of the brightness, and a third of the work.
      const both = spreadAndStep(rgb, (y * width + x) * 3 + 1, stride);
      const spread = both >> STEP_BITS;
      stretches += 1;
      if (spread < FLAT_MAX * stride) flat += 1;
      else if (spread >= EDGE_MIN * stride) {
        edges += 1;
        const bin = ((STEPS * (both & STEP_MASK)) / spread) | 0;
        rises[bin] = (rises[bin] ?? 0) + 1;
      }
    }
  }
  const flatShare = share(flat, Math.max(1, stretches));
  if (edges === 0 || edges < EDGES_MIN * stretches) return { flatShare };
  return { flatShare, sharpness: clearest(rises, CLEAREST * edges) };
}

/** Far larger pictures than cameras have are sampled more sparely. */
const STRIDE_MAX = 64;
/** Room for the levels of so many pixels, added up. */
const STEP_BITS = 15;
const STEP_MASK = 2 ** STEP_BITS - 1;

/**
 * How far the levels of a stretch spread and its steepest step, in one number. Levels are added up over the pixels that
 * a sample passes over, as a picture would be that was decoded at this size: noise evens out. In noise every comparison
 * would be a branch that the processor cannot foresee, so there is none: a difference's sign bits choose instead.
 */
function spreadAndStep(rgb: Uint8Array, at: number, pixels: number): number {
  let before = levelOf(rgb, at, pixels);
  let lowest = before;
  let highest = before;
  let steepest = 0;
  for (let count = 1; count < STRETCH; count += 1) {
    at += 3 * pixels;
    const level = levelOf(rgb, at, pixels);
    const rise = level - before;
    const step = (rise ^ (rise >> 31)) - (rise >> 31);
    steepest += (step - steepest) & ~((step - steepest) >> 31);
    highest += (level - highest) & ~((level - highest) >> 31);
    lowest += (level - lowest) & ((level - lowest) >> 31);
    before = level;
  }
  return ((highest - lowest) << STEP_BITS) | steepest;
}

function levelOf(rgb: Uint8Array, at: number, pixels: number): number {
  if (pixels === 1) return rgb[at] ?? 0;
  // The usual size of a model's input: without the loop it takes half the time.
  if (pixels === 2) return (rgb[at] ?? 0) + (rgb[at + 3] ?? 0);
  let sum = 0;
  for (let pixel = 0; pixel < pixels; pixel += 1) sum += rgb[at + 3 * pixel] ?? 0;
  return sum;
}

function clearest(rises: Int32Array, wanted: number): number {
  let seen = 0;
  for (let bin = STEPS; bin > 0; bin -= 1) {
    seen += rises[bin] ?? 0;
    if (seen >= wanted) return Math.round((1_000 * bin) / STEPS) / 1_000;
  }
  return 0;
}

/** A cell in which all that there is to see is black or white has no noise either. */
const CLIPPED_LOW = CELL_SCALE * BLACK_MAX;
const CLIPPED_HIGH = CELL_SCALE * WHITE_MIN;
/** Below this share of the picture there is too little left to compare. */
const COMPARED_MIN = 0.1;

/** The share of the cells that differ at all; undefined where nearly all is black or white. */
export function changedShare(now: Thumbnail, before: Thumbnail): number | undefined {
  const [a, b] = [now.cells, before.cells];
  let [compared, changed] = [0, 0];
  for (let at = 0; at < a.length; at += 3) {
    const green = a[at + 1] ?? 0;
    if (green <= CLIPPED_LOW || green >= CLIPPED_HIGH) continue;
    compared += 1;
    if (green !== b[at + 1] || a[at] !== b[at] || a[at + 2] !== b[at + 2]) changed += 1;
  }
  return compared < (COMPARED_MIN * a.length) / 3 ? undefined : share(changed, compared);
}

function share(part: number, whole: number): number {
  return Math.round((10_000 * part) / whole) / 10_000;
}
