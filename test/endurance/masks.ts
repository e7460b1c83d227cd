import type { BenchTable } from "../bench/table.ts";
import { maskRun } from "../lib/mask-run.ts";

const masksMax = Number(process.env["FRAMEPOST_MASKS"] ?? 1_000);
/** Cameras of one agent: fewer than a config may have, so that two cores keep up. */
const together = 30;

/** `npm run test:endurance -- masks`: pixels under a privacy mask, wherever pictures lie or go. */
export async function masks(seed: number): Promise<BenchTable> {
  const searched = new Map<string, number>();
  const sums = { masks: 0, planted: 0, leaked: 0, marked: 0, unversioned: 0 };
  for (let round = 0; sums.masks < masksMax; round += 1) {
    const count = Math.min(together, masksMax - sums.masks);
    const found = await maskRun({ seed: seed + round, masks: count, snapshots: 4 });
    for (const name of ["masks", "planted", "leaked", "marked", "unversioned"] as const) sums[name] += found[name];
    for (const [sink, pictures] of found.searched) searched.set(sink, (searched.get(sink) ?? 0) + pictures);
    process.stdout.write(`${sums.masks} masks, ${sums.leaked} pixels found\n`);
  }
  const none = (name: string, value: number) => ({ name, value, bound: "0", holds: value === 0 });
  return {
    title: `Privacy masks: ${sums.masks} random polygons over purple noise, half of the pictures turned by EXIF`,
    columns: ["where pictures were searched", "pictures"],
    rows: [...searched],
    verdicts: [
      none("purple pixels under a mask", sums.leaked),
      none("pictures with the metadata that they came with", sums.marked),
      none("records without the version of their mask", sums.unversioned),
      {
        name: "purple pixels under the masks of the pictures as the cameras gave them",
        value: sums.planted,
        bound: "≥ 100 a mask",
        holds: sums.planted >= 100 * sums.masks,
      },
      { name: "places that were searched", value: searched.size, bound: "≥ 7", holds: searched.size >= 7 },
    ],
  };
}
