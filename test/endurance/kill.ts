import type { BenchTable } from "../bench/table.ts";
import { killRounds } from "../lib/spool-crash.ts";
import { tempFolder } from "../lib/temp.ts";
import { crashTable } from "./suite.ts";

const rounds = Number(process.env["FRAMEPOST_KILL_ROUNDS"] ?? 200);

/** `npm run test:endurance -- kill` */
export async function kill(seed: number): Promise<BenchTable> {
  await using folder = await tempFolder();
  const oracle = await killRounds(folder.path, { rounds, seed, workMsMax: 800 });
  return crashTable(`Spool: ${rounds} times kill -9, state carried over`, oracle);
}
