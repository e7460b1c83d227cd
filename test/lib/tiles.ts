import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { iouOf } from "../../src/core/detections.ts";
import type { TileGrid } from "../../src/core/types.ts";
import type { DetectResult } from "../../src/core/vision-port.ts";
import { type ModelSpec, resolveModel } from "../../src/vision/model.ts";
import type { ManyModels } from "./many-models.ts";
import { readReferences } from "./parity.ts";
import { never, visionProcess } from "./vision.ts";

/** What a model finds in parts of a photo, of that which one of twice its input size finds in the whole. */

export interface TileFigures {
  readonly references: number;
  readonly found: number;
  /** Found, and no reference. */
  readonly extra: number;
}

/** What scores less is on the edge of being seen. */
const SCORE_MIN = 0.35;
const IOU_MATCH = 0.5;

/** In a process of its own. */
export async function measureTiles(
  shared: string,
  tiles: TileGrid | undefined,
  photos: readonly string[],
): Promise<TileFigures> {
  const model = await smallModel(shared);
  await using vision = visionProcess({ model, threads: 2, ...(tiles === undefined ? {} : { tiles }) });
  await vision.start(never);
  return await compare(shared, photos, async (jpeg) => await vision.detect(jpeg, { exact: false }, never));
}

/** In a process that has had other models before. */
export async function measureTilesAmong(
  models: ManyModels,
  shared: string,
  tiles: TileGrid | undefined,
  photos: readonly string[],
): Promise<TileFigures> {
  await models.load(await smallModel(shared), { threads: 2, ...(tiles === undefined ? {} : { tiles }) });
  return await compare(shared, photos, async (jpeg) => await models.detect(jpeg, { exact: false }));
}

async function smallModel(shared: string): Promise<ModelSpec> {
  return await resolveModel(join(shared, "models", "yolov8n-320-f32.onnx"), { modelsFolders: [] });
}

async function compare(
  shared: string,
  photos: readonly string[],
  detect: (jpeg: Buffer) => Promise<Pick<DetectResult, "detections">>,
): Promise<TileFigures> {
  const folder = join(shared, "models");
  const sum = { references: 0, found: 0, extra: 0 };
  for (const photo of photos) {
    const all = await readReferences(folder, "yolov8n-640-f32", photo);
    const references = all.filter(({ score }) => score >= SCORE_MIN);
    const jpeg = await readFile(join(folder, "images", photo));
    const { detections } = await detect(jpeg);
    const free = new Set(detections.filter(({ score }) => score >= SCORE_MIN));
    for (const { label, box } of references) {
      const match = [...free].find((one) => one.label === label && iouOf(one.box, box) >= IOU_MATCH);
      if (match === undefined) continue;
      free.delete(match);
      sum.found += 1;
    }
    sum.references += references.length;
    sum.extra += free.size;
  }
  return sum;
}
