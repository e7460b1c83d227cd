import sharp from "sharp";

/** A real JPEG of a plain colour; each `shade` from 0 to 255 is another picture. */
export async function jpegOf(shade: number, width = 64, height = 48): Promise<Buffer> {
  const background = { r: shade, g: 128, b: 255 - shade };
  return sharp({ create: { width, height, channels: 3, background } })
    .jpeg()
    .toBuffer();
}

/** So many that differ: more than a busy machine lets a camera run on between two shots. */
export async function shades(count = 25): Promise<Buffer[]> {
  return Promise.all(Array.from({ length: count }, async (_, at) => jpegOf(at * 10)));
}
