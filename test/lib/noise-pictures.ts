import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";

/** Writes JPEGs of noise, so that the bytes are real and every picture differs. */
export async function writeNoisePictures(
  folder: string,
  count: number,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let index = 0; index < count; index += 1) {
    const noise = { type: "gaussian" as const, mean: 128, sigma: 15 };
    const create = { width, height, channels: 3, background: "#888888", noise } as const;
    await writeFile(join(folder, `${index}.jpg`), await sharp({ create }).jpeg({ quality: 80 }).toBuffer());
  }
}
