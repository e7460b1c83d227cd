import { tempFolder } from "../lib/temp.ts";
import { measuredByChild } from "./child.ts";
import { slowDisk, slowerByMs } from "./slow-disk.ts";
import { atMost, type BenchTable, rounded } from "./table.ts";

const records = 1_000;
const rounds = 3;

/** Whether a slow disk ever holds up the main event loop: its longest stall at work, and with the same timers at rest. */
export async function spoolStall(): Promise<BenchTable> {
  await using folder = await tempFolder();
  const slow = slowDisk(folder.path);
  const title = `Spool: longest stall of the main event loop while ${records} records of 100 KB are appended and settled`;
  const columns = ["round", "took, s", "longest stall at work, ms", "at rest for as long, ms"];
  if (slow.environment === undefined) return { title, columns, rows: [], verdicts: [], leftOut: [slow.leftOut] };
  const rows: (string | number)[][] = [];
  let workMs = 0;
  let restMs = 0;
  for (let round = 1; round <= rounds; round += 1) {
    const figures = await measuredByChild("spool-stall-child", [records], slow.environment);
    const { tookMs = NaN, stallMs = NaN, idleStallMs = NaN } = figures;
    rows.push([round, rounded(tookMs / 1_000, 1), rounded(stallMs, 1), rounded(idleStallMs, 1)]);
    workMs = Math.max(workMs, stallMs);
    restMs = Math.max(restMs, idleStallMs);
  }
  const name = `longest at work less longest at rest, each fsync ${slowerByMs} ms longer`;
  return { title, columns, rows, verdicts: [atMost(name, rounded(workMs - restMs, 1), 20, "ms")] };
}
