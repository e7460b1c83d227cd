import sharp from "sharp";
import { segment } from "./jpegs.ts";

/** Real JPEGs of some 50 KB, 1280x720, each another picture; every second one with an EXIF thumbnail. */
export async function film(pictures: number): Promise<Buffer[]> {
  const frames: Buffer[] = [];
  for (let position = 0; position < pictures; position += 1) {
    const noise = { type: "gaussian", mean: 110 + 5 * position, sigma: 12 } as const;
    const create = { width: 1280, height: 720, channels: 3, background: "grey", noise } as const;
    const jpeg = await sharp({ create }).blur(0.6).jpeg({ quality: 65 }).toBuffer();
    const thumbnail = await sharp(jpeg).resize(160).jpeg({ quality: 70 }).toBuffer();
    const exif = segment(0xe1, Buffer.concat([Buffer.from("Exif\0\0II*\0", "latin1"), thumbnail]));
    frames.push(position % 2 === 0 ? jpeg : Buffer.concat([jpeg.subarray(0, 2), exif, jpeg.subarray(2)]));
  }
  return frames;
}
