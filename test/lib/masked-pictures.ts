import sharp from "sharp";
import type { Random } from "../../src/core/ports.ts";
import type { MaskPoint, PrivacyMask } from "../../src/core/privacy.ts";
import { exifSegment } from "./jpegs.ts";

/**
 * Pictures that show purple noise where a mask lies and nowhere else, and the search for purple in whatever was made of
 * them. So a picture that got past its mask, or whose mask lies elsewhere, is found by its colour.
 */

/** Stands in the metadata of each picture: whoever finds it has its metadata, a thumbnail perhaps. */
export const metadataMark = "seen before it was masked";

export function randomMask(random: Random, width: number, height: number): PrivacyMask {
  const corners = 3 + Math.floor(random() * 6);
  // Some at the border, some thin, some that cross themselves.
  const place = (side: number) => Math.round(Math.min(1, Math.max(0, random() * 1.2 - 0.1)) * side * 8) / 8;
  const polygon = Array.from({ length: corners }, (): MaskPoint => [place(width), place(height)]);
  return { size: { width, height }, polygons: [polygon] };
}

const known = new WeakMap<PrivacyMask, readonly boolean[]>();

/** Each pixel: whether its middle is within a polygon, however often and whichever way the line goes around it. */
function insideOf(mask: PrivacyMask): readonly boolean[] {
  const inside = known.get(mask) ?? insideOfAll(mask);
  known.set(mask, inside);
  return inside;
}

function insideOfAll({ size: { width, height }, polygons }: PrivacyMask): readonly boolean[] {
  return Array.from({ length: width * height }, (_, at) => {
    const [x, y] = [(at % width) + 0.5, Math.floor(at / width) + 0.5];
    return polygons.some((polygon) => windings(polygon, x, y) !== 0);
  });
}

function windings(polygon: readonly MaskPoint[], x: number, y: number): number {
  let turns = 0;
  for (const [at, [ax, ay]] of polygon.entries()) {
    const [bx, by] = polygon[(at + 1) % polygon.length] ?? [ax, ay];
    const side = (bx - ax) * (y - ay) - (x - ax) * (by - ay);
    if (ay <= y && by > y && side > 0) turns += 1;
    if (ay > y && by <= y && side < 0) turns -= 1;
  }
  return turns;
}

/** As a camera would send it that says in EXIF how it was held. */
export async function secretPicture(mask: PrivacyMask, orientation: number, random: Random): Promise<Buffer> {
  const { width, height } = mask.size;
  const upright = new Uint8Array(width * height * 3);
  for (const [at, isInside] of insideOf(mask).entries()) {
    const noise = () => Math.floor(random() * 60);
    upright.set(isInside ? [255 - noise(), noise(), 255 - noise()] : [noise(), 120 + noise(), noise()], 3 * at);
  }
  const stored = turned(upright, mask.size, orientation);
  const raw = orientation >= 5 ? { width: height, height: width } : { width, height };
  const jpeg = await sharp(stored, { raw: { ...raw, channels: 3 } })
    .jpeg({ quality: 92, chromaSubsampling: "4:4:4" })
    .toBuffer();
  return Buffer.concat([jpeg.subarray(0, 2), exifSegment(orientation, metadataMark), jpeg.subarray(2)]);
}

/** The pixels as they have to be stored so that this EXIF orientation (1 to 8) shows them upright. */
function turned(upright: Uint8Array, { width, height }: PrivacyMask["size"], orientation: number): Uint8Array {
  const across = (x: number, y: number): readonly [number, number] => {
    const [right, bottom] = [width - 1 - x, height - 1 - y];
    const places = [
      [x, y],
      [right, y],
      [right, bottom],
      [x, bottom],
      [y, x],
      [y, right],
      [bottom, right],
      [bottom, x],
    ];
    const [storedX = 0, storedY = 0] = places[orientation - 1] ?? [];
    return [storedX, storedY];
  };
  const storedWidth = orientation >= 5 ? height : width;
  const stored = new Uint8Array(upright.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [toX, toY] = across(x, y);
      const from = (y * width + x) * 3;
      stored.set(upright.subarray(from, from + 3), (toY * storedWidth + toX) * 3);
    }
  }
  return stored;
}

/** Pixels of the picture, as anybody decodes it, that are purple: all of it, and of it within the mask. */
export async function purpleIn(
  jpeg: Buffer,
  mask: PrivacyMask,
): Promise<{ readonly all: number; readonly inside: number }> {
  const { data, info } = await sharp(jpeg).autoOrient().removeAlpha().raw().toBuffer({ resolveWithObject: true });
  // A thumbnail is searched as a whole: it has no purple anywhere else either.
  const within = info.width === mask.size.width && info.height === mask.size.height ? insideOf(mask) : undefined;
  let [all, inside] = [0, 0];
  for (let at = 0; at < info.width * info.height; at += 1) {
    const [red, green, blue] = [data[3 * at] ?? 0, data[3 * at + 1] ?? 0, data[3 * at + 2] ?? 0];
    if (Math.min(red, blue) < 60 || green > Math.min(red, blue) - 30) continue;
    all += 1;
    if (within?.[at] ?? true) inside += 1;
  }
  return { all, inside };
}
