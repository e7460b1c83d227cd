import sharp from "sharp";
import { randomScene } from "./scenes.ts";
import { seededRandom } from "./seams.ts";

/** Small pictures of every kind that cameras send: plain, progressive, grey, with restart marks of other sampling. */
export async function fuzzPhotos(): Promise<readonly Buffer[]> {
  const pictures: Buffer[] = [];
  for (let seed = 1; seed <= 3; seed += 1) {
    const scene = await sharp(Buffer.from(randomScene(seededRandom(seed)).svg))
      .resize(320, 180)
      .png()
      .toBuffer();
    const plain = sharp(scene).flatten();
    pictures.push(
      await plain.clone().jpeg({ quality: 80 }).toBuffer(),
      await plain.clone().jpeg({ quality: 60, progressive: true }).toBuffer(),
      await plain.clone().jpeg({ quality: 90, chromaSubsampling: "4:4:4" }).toBuffer(),
      await plain.clone().greyscale().jpeg().toBuffer(),
      await plain.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    );
  }
  return pictures;
}
