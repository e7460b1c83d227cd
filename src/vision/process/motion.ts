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
    this.#compare(now, reference, light);
    const differenceMin = threshold(contrastMin, NOISE_FACTOR * this.#median(this.#differences));
    const textureMin = threshold(TEXTURE_FACTOR * contrastMin, TEXTURE_NOISE_FACTOR * this.#median(this.#textures));
    let moved = 0;
    for (let block = 0; block < blocks; block += 1) {
      if ((this.#differences[block] ?? 0) >= differenceMin || (this.#textures[block] ?? 0) >= textureMin) moved += 1;
    }
    return moved / blocks;
  }

  #compare(now: Thumbnail, reference: Thumbnail, [red = asItWas, green = asItWas, blue = asItWas]: readonly Light[]) {
    const [a, b] = [now.cells, reference.cells];
    const [gain0, gain1, gain2] = [red.gain, green.gain, blue.gain];
    const [add0, add1, add2] = [red.offset * CELL_SCALE, green.offset * CELL_SCALE, blue.offset * CELL_SCALE];
    let at = 0;
    for (let block = 0; block < now.blocks; block += 1) {
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      let texture = 0;
      for (let cell = 0; cell < CELLS_PER_BLOCK; cell += 1, at += 3) {
        const off0 = (a[at] ?? 0) - withinScale((b[at] ?? 0) * gain0 + add0);
        const off1 = (a[at + 1] ?? 0) - withinScale((b[at + 1] ?? 0) * gain1 + add1);
        const off2 = (a[at + 2] ?? 0) - withinScale((b[at + 2] ?? 0) * gain2 + add2);
        sum0 += off0;
        sum1 += off1;
        sum2 += off2;
        texture += Math.max(Math.abs(off0), Math.abs(off1), Math.abs(off2));
      }
      const scale = CELLS_PER_BLOCK * CELL_SCALE;
      this.#differences[block] = Math.max(Math.abs(sum0), Math.abs(sum1), Math.abs(sum2)) / scale;
      this.#textures[block] = texture / scale;
    }
  }

  #median(values: Float32Array): number {
    this.#scratch.set(values);
    return median(this.#scratch, values.length);
  }
}

const asItWas: Light = { gain: 1, offset: 0 };

function threshold(least: number, noise: number): number {
  return Math.min(Math.max(least, noise), THRESHOLD_GROWTH_MAX * least);
}

const CELL_MAX = 255 * CELL_SCALE;

function withinScale(level: number): number {
  return level < 0 ? 0 : level > CELL_MAX ? CELL_MAX : level;
}
