import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { sharedFolder } from "./shared.ts";

const names = ["bus", "dog", "zidane", "fd1", "person", "horse-cart"];

/** Real photos of the shared folder, cut to one size, as JPEGs of a camera's quality; none where the folder is absent. */
export async function photosAt(width: number, height: number, quality = 85): Promise<readonly Buffer[]> {
  const shared = sharedFolder();
  if (shared === undefined) return [];
  return Promise.all(
    names.map(async (name) => {
      const photo = sharp(await readFile(join(shared, "models", "images", `${name}.jpg`)));
      return photo.resize(width, height, { fit: "cover" }).jpeg({ quality }).toBuffer();
    }),
  );
}
