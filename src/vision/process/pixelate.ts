import { privacyLimits } from "../../core/privacy-limits.ts";
import type { Box } from "../../core/types.ts";
import type { Pixels } from "./imaging.ts";

/**
 * Boxes made of a few squares of one colour each, in plain pixels. Unlike a blur this cannot be taken back: of each square
 * only its mean is left.
 */
export function pixelate(pixels: Pixels, box: Box): void {
  const left = Math.max(0, Math.floor(box.left));
  const top = Math.max(0, Math.floor(box.top));
  const right = Math.min(pixels.width, Math.ceil(box.left + box.width));
  const bottom = Math.min(pixels.height, Math.ceil(box.top + box.height));
  const { blocksMax, blockSideMin } = privacyLimits;
  const side = Math.max(blockSideMin, Math.ceil(Math.max(right - left, bottom - top) / blocksMax));
  for (let y = top; y < bottom; y += side) {
    for (let x = left; x < right; x += side) {
      flatten(pixels, { left: x, top: y, right: Math.min(x + side, right), bottom: Math.min(y + side, bottom) });
    }
  }
}

interface Block {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

function flatten({ rgb, width }: Pixels, { left, top, right, bottom }: Block): void {
  const sums = [0, 0, 0];
  const samples = (right - left) * (bottom - top);
  eachPixel(width, { left, top, right, bottom }, (at) => {
    for (const channel of [0, 1, 2]) sums[channel] = (sums[channel] ?? 0) + (rgb[at + channel] ?? 0);
  });
  const [red = 0, green = 0, blue = 0] = sums.map((sum) => Math.round(sum / samples));
  eachPixel(width, { left, top, right, bottom }, (at) => {
    rgb[at] = red;
    rgb[at + 1] = green;
    rgb[at + 2] = blue;
  });
}

/** Calls back with where each pixel's three bytes begin. */
function eachPixel(width: number, { left, top, right, bottom }: Block, pixel: (at: number) => void): void {
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) pixel((y * width + x) * 3);
  }
}
