import path from "node:path";

import sharp from "sharp";

/** Draws the small pictures of the fixtures, once: `node dist/test/vendor-clients/photos.js`. They are our own. */

const folder = path.resolve(import.meta.dirname, "../../../test/fixtures/platforms");

async function draw(name: string, width: number, height: number, shapes: string): Promise<void> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes}</svg>`;
  await sharp(Buffer.from(svg))
    .flatten({ background: "#c8d2dc" })
    .jpeg({ quality: 70 })
    .toFile(path.join(folder, name));
}

await draw(
  "photo-1.jpg",
  96,
  54,
  '<rect x="10" y="6" width="30" height="12" fill="#b03020"/><rect x="52" y="31" width="40" height="17" fill="#203080"/>',
);
await draw("photo-2.jpg", 60, 100, '<rect x="5" y="40" width="11" height="50" fill="#b03020"/>');
await draw("photo-3.png", 40, 24, '<rect x="22" y="3" width="9" height="17" fill="#203080"/>');
