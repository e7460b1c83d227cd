import { type Light, LightFit } from "./light.ts";
import { median } from "./median.ts";
import { CELL_SCALE, CELLS_PER_BLOCK, type Thumbnail } from "./thumbnail.ts";

/**
 * How much of a picture differs from another of the same scene. A change of light over the whole picture is taken out
 * first; where it is too strong for that, or the scene too flat to tell it from an object, everything counts as moved.
 */

/** What differs in its texture but not in its mean has to do so this much more. */
const TEXTURE_FACTOR = 2;
/** Multiples of the picture's own noise, which is the median over all blocks: an object covers fewer than half. */
const NOISE_FACTOR = 6;
const TEXTURE_NOISE_FACTOR = 2.5;
/** Where everything moves the median is motion, not noise: no threshold grows beyond so many times the least. */
const THRESHOLD_GROWTH_MAX = 3;

export class MotionMeter {
  readonly #light = new LightFit();
  /** For each block, in levels: how far its mean is off in any colour, and how far its cells are on average. */
  #differences = new Float32Array(0);
  #textures = new Float32Array(0);
  #scratch = new Float32Array(0);
  /** By colour: what each value of a cell has become under the new light. */
  readonly #lit = [litValues(), litValues(), litValues()] as const;

  /** The share of the picture that moved, 0 to 1. Both have the same size. `contrastMin` is in levels of 255. */
  movedShare(now: Thumbnail, reference: Thumbnail, contrastMin: number): number {
    const light = this.#light.between(reference, now);
    if (light === undefined) return 1;
    const { blocks } = now;
    if (this.#differences.length !== blocks) {
      this.#differences = new Float32Array(blocks);
      this.#textures = new Float32Array(blocks);
      this.#scratch = new Float32Array(blocks);
    }
    for (const [colour, lit] of this.#lit.entries()) fillLit(lit, light[colour] ?? asItWas);
    compare(now.cells, reference.cells, this.#lit, this.#differences, this.#textures);
    const differenceMin = threshold(contrastMin, NOISE_FACTOR * this.#median(this.#differences));
    const textureMin = threshold(TEXTURE_FACTOR * contrastMin, TEXTURE_NOISE_FACTOR * this.#median(this.#textures));
    let moved = 0;
    for (let block = 0; block < blocks; block += 1) {
      if ((this.#differences[block] ?? 0) >= differenceMin || (this.#textures[block] ?? 0) >= textureMin) moved += 1;
    }
    return moved / blocks;
  }

  #median(values: Float32Array): number {
    this.#scratch.set(values);
    return median(this.#scratch, values.length);
  }
}

/** Fills `differences` and `textures` from the cells of two pictures. A function of its own runs twice as fast here. */
function compare(
  now: Uint16Array,
  reference: Uint16Array,
  [lit0, lit1, lit2]: readonly [Float64Array, Float64Array, Float64Array],
  differences: Float32Array,
  textures: Float32Array,
): void {
  const scale = CELLS_PER_BLOCK * CELL_SCALE;
  for (let block = 0, at = 0; block < differences.length; block += 1) {
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let texture = 0;
    for (let cell = 0; cell < CELLS_PER_BLOCK; cell += 1, at += 3) {
      const off0 = (now[at] ?? 0) - (lit0[reference[at] ?? 0] ?? 0);
      const off1 = (now[at + 1] ?? 0) - (lit1[reference[at + 1] ?? 0] ?? 0);
      const off2 = (now[at + 2] ?? 0) - (lit2[reference[at + 2] ?? 0] ?? 0);
      sum0 += off0;
      sum1 += off1;
      sum2 += off2;
      texture += Math.max(Math.abs(off0), Math.abs(off1), Math.abs(off2));
    }
    differences[block] = Math.max(Math.abs(sum0), Math.abs(sum1), Math.abs(sum2)) / scale;
    textures[block] = texture / scale;
  }
}

const asItWas: Light = { gain: 1, offset: 0 };

function threshold(least: number, noise: number): number {
  return Math.min(Math.max(least, noise), THRESHOLD_GROWTH_MAX * least);
}

const CELL_MAX = 255 * CELL_SCALE;

function litValues(): Float64Array {
  return new Float64Array(CELL_MAX + 1);
}

function fillLit(lit: Float64Array, { gain, offset }: Light): void {
  const add = offset * CELL_SCALE;
  for (let value = 0; value <= CELL_MAX; value += 1) lit[value] = Math.min(Math.max(value * gain + add, 0), CELL_MAX);
}
