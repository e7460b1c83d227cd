import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BenchTable } from "../bench/table.ts";
import { fsyncShim } from "../lib/fsync-shim.ts";
import { isInstalled } from "../lib/programs.ts";
import { seededRandom } from "../lib/seams.ts";
import { checkSpool, SpoolWriter } from "../lib/spool-crash.ts";
import { monotonicMs, SpoolOracle } from "../lib/spool-oracle.ts";
import { tempFolder } from "../lib/temp.ts";
import { CutDisk, cutDiskTrouble } from "./cut-disk.ts";
import { crashTable, leftOut } from "./suite.ts";

const rounds = Number(process.env["FRAMEPOST_POWER_ROUNDS"] ?? 100);
const title = `Spool: ${rounds} power cuts on ext4, state carried over`;
const controlRounds = Math.max(3, Math.ceil(rounds / 10));

/** Every tenth round lasts about as long as the spool's 5 s, with fewer settlements in them than a flush waits for. */
const slow = { everyRounds: 10, forMsMin: 4_500, forMsMax: 6_500, pauseMs: 150 } as const;

/** `npm run test:endurance -- power-cut` */
export async function powerCut(seed: number): Promise<BenchTable> {
  const trouble = isInstalled("cc") ? cutDiskTrouble() : "needs cc for its control (Debian package gcc)";
  if (trouble !== undefined) return leftOut(title, trouble);
  const oracle = await powerCuts(seed);
  const control = await powerCutsWithoutFsync(seed);
  return crashTable(title, oracle, [
    {
      name: `control, the same writer without any fsync: of ${controlRounds} power cuts these lost acknowledged records`,
      value: control.roundsWithLoss,
      bound: `≥ ${controlRounds / 2}: the check can fail`,
      holds: control.roundsWithLoss >= controlRounds / 2,
    },
  ]);
}

async function powerCuts(seed: number): Promise<SpoolOracle> {
  const oracle = new SpoolOracle();
  const random = seededRandom(seed);
  const between = (least: number, most: number): number => least + random() * (most - least);
  using disk = new CutDisk();
  const folder = join(disk.folder, "spool");
  let checked = true;
  for (let round = 1; round <= rounds; round += 1) {
    const isSlow = checked && round % slow.everyRounds === 0;
    const writer = new SpoolWriter(oracle, { folder, seed: seed + round, pauseMs: isSlow ? slow.pauseMs : 0 });
    await writer.reached(checked ? "ready" : "starting");
    await delay(isSlow ? between(slow.forMsMin, slow.forMsMax) : checked ? between(50, 1_500) : between(0, 150));
    await cutPower(writer, disk, oracle);
    checked = round === rounds || random() > 0.3;
    if (checked) await checkSpool(folder, oracle);
  }
  return oracle;
}

/** Each round on a new disk: nothing of the one before can be carried over. */
async function powerCutsWithoutFsync(seed: number): Promise<{ readonly roundsWithLoss: number }> {
  await using library = await tempFolder();
  const environment = fsyncShim(library.path, { skip: true });
  let roundsWithLoss = 0;
  for (let round = 1; round <= controlRounds; round += 1) {
    using disk = new CutDisk();
    const folder = join(disk.folder, "spool");
    const oracle = new SpoolOracle();
    const writer = new SpoolWriter(oracle, { folder, seed: seed + round, environment });
    await writer.reached("ready");
    await delay(600);
    await cutPower(writer, disk, oracle);
    await checkSpool(folder, oracle);
    if (oracle.faults.lost > 0) roundsWithLoss += 1;
  }
  return { roundsWithLoss };
}

/** What the writer says after it stands still is nothing; what it said before was durable, or should have been. */
async function cutPower(writer: SpoolWriter, disk: CutDisk, oracle: SpoolOracle): Promise<void> {
  writer.freeze();
  const atMs = monotonicMs();
  disk.cut();
  await writer.kill();
  oracle.crash("power cut", atMs);
  disk.powerOn();
}
