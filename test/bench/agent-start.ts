import { spawnSync } from "node:child_process";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchTable, median, rounded } from "./table.ts";

const program = resolve(dirname(fileURLToPath(import.meta.url)), "../../agent/main.js");
const rounds = 7;
const boundMs = 3_000;

/** From the start of the process until every target of the demo has accepted its first record, build excluded. */
export async function agentStart(): Promise<BenchTable> {
  const bareMs: number[] = [];
  const firstMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startedMs = performance.now();
    spawnSync(process.execPath, ["-e", ""]);
    bareMs.push(performance.now() - startedMs);
    const run = spawnSync(process.execPath, [program, "demo", "--frames", "1", "--json"], { encoding: "utf8" });
    const summary: unknown = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "null");
    firstMs.push(firstAcceptedMs(summary));
  }
  const value = median(firstMs);
  return {
    title: "From process start to the first record accepted by every target",
    columns: ["what", "median ms", "worst ms"],
    rows: [
      ["bare node", rounded(median(bareMs), 0), rounded(Math.max(...bareMs), 0)],
      ["demo, first record accepted", rounded(value, 0), rounded(Math.max(...firstMs), 0)],
    ],
    verdicts: [
      { name: "first record accepted, ms", value: rounded(value, 0), bound: `≤ ${boundMs}`, holds: value <= boundMs },
    ],
  };
}

function firstAcceptedMs(summary: unknown): number {
  if (typeof summary === "object" && summary !== null && "firstRecordAcceptedMs" in summary) {
    const { firstRecordAcceptedMs } = summary;
    if (typeof firstRecordAcceptedMs === "number") return firstRecordAcceptedMs;
  }
  throw new Error("the demo did not finish");
}
