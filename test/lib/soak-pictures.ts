import sharp from "sharp";

const [columns, rows, blockPixels] = [8, 6, 40];
const bits = BigInt(columns * rows);

/** A picture for each number, 320 by 240: comments would not do, for the agent takes them off. Each block is one bit. */
export async function numberedPicture(number: number): Promise<Buffer> {
  const [width, height] = [columns * blockPixels, rows * blockPixels];
  const wanted = BigInt.asUintN(Number(bits), BigInt(number));
  const pixels = Buffer.alloc(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const block = BigInt(Math.floor(y / blockPixels) * columns + Math.floor(x / blockPixels));
      const isSet = (wanted >> block) & 1n;
      pixels[y * width + x] = (isSet === 1n ? 190 : 70) + ((x * 7 + y * 13) % 31);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 1 } })
    .jpeg()
    .toBuffer();
}
