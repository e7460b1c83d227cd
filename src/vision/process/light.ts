import { median } from "./median.ts";
import type { Thumbnail } from "./thumbnail.ts";

/**
 * How the light changed between two pictures of one scene: a gain and an offset for each colour, fitted so that up to a
 * quarter of the picture may show something else without moving the fit.
 */

/** What became of one colour's levels: `level * gain + offset`. */
export interface Light {
  readonly gain: number;
  readonly offset: number;
}

/** Blocks darker or brighter than this are cut off by the sensor: they do not follow the light. */
const LEVEL_MIN = 6;
const LEVEL_MAX = 249;
/** A pair of blocks tells of the gain only where they were so far apart. */
const APART_MIN = 10;
const PAIRS_MIN = 16;
const BLOCKS_MIN = 32;
/** Beyond these a camera's levels no longer follow a straight line, and the whole picture may as well be an object. */
const GAIN_MAX = 1.7;
const OFFSET_MAX = 40;
/** Of a scene without structure nothing tells a lamp from an object that fills the picture. */
const FLAT_OFFSET_MAX = 6;

export class LightFit {
  /** Blocks that the sensor could tell, from the darkest to the brightest before. */
  #order = new Uint16Array(0);
  #values = new Float32Array(0);
  readonly #starts = new Uint16Array(257);

  /** By colour; undefined when no change of light explains what is there. */
  between(before: Thumbnail, now: Thumbnail): readonly Light[] | undefined {
    if (this.#values.length !== now.blocks) {
      this.#order = new Uint16Array(now.blocks);
      this.#values = new Float32Array(now.blocks);
    }
    const lights: Light[] = [];
    for (const colour of [0, 1, 2]) {
      const light = this.#fit(before.means, now.means, colour);
      if (light === undefined) return undefined;
      lights.push(light);
    }
    return lights;
  }

  #fit(before: Float32Array, now: Float32Array, colour: number): Light | undefined {
    const usable = this.#sortUsable(before, now, colour);
    // What is black or white nearly everywhere cannot be fitted; whatever appears in it is compared as it is.
    if (usable < BLOCKS_MIN) return { gain: 1, offset: 0 };
    const gain = this.#gain(before, now, colour, usable);
    const known = gain ?? 1;
    for (let at = 0; at < usable; at += 1) {
      const place = (this.#order[at] ?? 0) * 3 + colour;
      this.#values[at] = (now[place] ?? 0) - known * (before[place] ?? 0);
    }
    const offset = median(this.#values, usable);
    const offsetMax = gain === undefined ? FLAT_OFFSET_MAX : OFFSET_MAX;
    const isPlausible = known <= GAIN_MAX && known >= 1 / GAIN_MAX && Math.abs(offset) <= offsetMax;
    return isPlausible ? { gain: known, offset } : undefined;
  }

  /** By counting: a level has one of 256 values, and half a level more or less does not matter here. */
  #sortUsable(before: Float32Array, now: Float32Array, colour: number): number {
    const starts = this.#starts.fill(0);
    let usable = 0;
    for (let at = colour; at < before.length; at += 3) {
      if (!isUsable(before[at], now[at])) continue;
      usable += 1;
      const next = ((before[at] ?? 0) | 0) + 1;
      starts[next] = (starts[next] ?? 0) + 1;
    }
    for (let level = 1; level < starts.length; level += 1)
      starts[level] = (starts[level] ?? 0) + (starts[level - 1] ?? 0);
    for (let at = colour, block = 0; at < before.length; at += 3, block += 1) {
      if (!isUsable(before[at], now[at])) continue;
      const level = (before[at] ?? 0) | 0;
      const place = starts[level] ?? 0;
      this.#order[place] = block;
      starts[level] = place + 1;
    }
    return usable;
  }

  /** The median slope between a darker and a brighter block; undefined where the scene is too flat to have one. */
  #gain(before: Float32Array, now: Float32Array, colour: number, usable: number): number | undefined {
    const half = usable >> 1;
    let pairs = 0;
    for (let at = 0; at < half; at += 1) {
      const dark = (this.#order[at] ?? 0) * 3 + colour;
      const bright = (this.#order[at + half] ?? 0) * 3 + colour;
      const apart = (before[bright] ?? 0) - (before[dark] ?? 0);
      if (apart < APART_MIN) continue;
      this.#values[pairs] = ((now[bright] ?? 0) - (now[dark] ?? 0)) / apart;
      pairs += 1;
    }
    return pairs < PAIRS_MIN ? undefined : median(this.#values, pairs);
  }
}

function isUsable(before = 0, now = 0): boolean {
  return before >= LEVEL_MIN && before <= LEVEL_MAX && now >= LEVEL_MIN && now <= LEVEL_MAX;
}
