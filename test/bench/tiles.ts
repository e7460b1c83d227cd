import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { sharedFolder } from "../lib/shared.ts";
import { measureTiles } from "../lib/tiles.ts";
import { atLeast, atMost, type BenchTable, type Verdict } from "./table.ts";

const overlap = 0.2;

/** What tiles find of small objects, on 14 photos. Empty where the shared folder is absent. */
export async function tiles(): Promise<BenchTable> {
  const shared = sharedFolder();
  const rows: (readonly (string | number)[])[] = [];
  const verdicts: Verdict[] = [];
  const measure = async (name: string, grid: { readonly columns: number; readonly rows: number } | undefined) => {
    const photos = await readdir(join(shared ?? "", "models", "images"));
    const tiled = grid === undefined ? undefined : { ...grid, overlap };
    const { references, found, extra } = await measureTiles(shared ?? "", tiled, photos);
    rows.push([name, references, found, extra]);
    return found;
  };
  if (shared !== undefined) {
    verdicts.push(atMost("found in the whole picture", await measure("none", undefined), 52));
    verdicts.push(atLeast("found with 2 × 2 tiles", await measure("2 × 2", { columns: 2, rows: 2 }), 68));
    verdicts.push(atLeast("found with 3 × 2 tiles", await measure("3 × 2", { columns: 3, rows: 2 }), 75));
  }
  return {
    title: "Tiles: what yolov8n-320 finds of the boxes of yolov8n-640 (14 photos, score ≥ 0.35)",
    columns: ["tiles", "references", "of them found", "found beside them"],
    rows,
    verdicts,
    ...(shared === undefined ? { leftOut: ["all of it: needs the shared folder of models and photos"] } : {}),
  };
}
