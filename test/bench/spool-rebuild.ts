import { rmSync } from "node:fs";
import { join } from "node:path";
import { SystemClock } from "../../src/core/clock.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { tempFolder } from "../lib/temp.ts";
import { fillSpool } from "./spool-fill.ts";
import { atMost, type BenchTable, median, rounded } from "./table.ts";

const records = 100_000;
const rounds = 3;

/** How long the start takes that finds envelopes and no index. */
export async function spoolRebuild(): Promise<BenchTable> {
  await using folder = await tempFolder();
  const spoolFolder = join(folder.path, "spool");
  await fillSpool(spoolFolder, records, 1_000, ["a", "b"]);
  const rows: (string | number)[][] = [];
  const seconds: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(join(spoolFolder, `index.db${suffix}`), { force: true });
    const start = performance.now();
    await using opened = await openSpool(spoolFolder, { clock: new SystemClock() });
    seconds.push((performance.now() - start) / 1_000);
    const found = (await opened.spool.stats()).records;
    if (found !== records) throw new Error(`the rebuilt index knows ${found} of ${records} records`);
    rows.push([round, found, rounded(seconds.at(-1) ?? NaN, 2)]);
  }
  return {
    title: "Spool: start with a deleted index",
    columns: ["round", "envelopes found", "rebuilt in, s"],
    rows,
    verdicts: [atMost(`rebuild of ${records} envelopes`, rounded(median(seconds), 2), 10, "s")],
  };
}
