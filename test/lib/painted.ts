import type { Random } from "../../src/core/ports.ts";
import type { Pixels } from "../../src/vision/process/imaging.ts";

/** Pictures as plain pixels: what the vision process has after decoding. */

interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export class Painted implements Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.rgb = new Uint8Array(width * height * 3);
  }

  /** A new picture in which each pixel becomes what `level` says. */
  map(level: (value: number, x: number, y: number, channel: number) => number): Painted {
    const copy = new Painted(this.width, this.height);
    for (let at = 0; at < this.rgb.length; at += 1) {
      const pixel = Math.floor(at / 3);
      const value = level(this.rgb[at] ?? 0, pixel % this.width, Math.floor(pixel / this.width), at % 3);
      copy.rgb[at] = Math.min(255, Math.max(0, Math.round(value)));
    }
    return copy;
  }

  lit(gain: number, offset = 0): Painted {
    return this.map((value) => value * gain + offset);
  }

  /** Evenly spread over twice `levels`. */
  noisy(random: Random, levels: number): Painted {
    return this.map((value) => value + (random() - 0.5) * 2 * levels);
  }

  with({ left, top, width, height }: Area, colour: readonly [number, number, number]): Painted {
    return this.map((value, x, y, channel) =>
      x >= left && x < left + width && y >= top && y < top + height ? (colour[channel] ?? 0) : value,
    );
  }
}

/** Walls and windows of many greys. */
export function paintedHouse(width = 320, height = 180): Painted {
  return new Painted(width, height).map((_, x, y) => {
    const [column, row] = [Math.floor((x * 16) / width), Math.floor((y * 9) / height)];
    return 50 + ((column * 37 + row * 71) % 130);
  });
}
