import type { BenchTable } from "../bench/table.ts";
import { runSpoolModel } from "../lib/spool-model-run.ts";

const sequences = Number(process.env["FRAMEPOST_MODEL_SEQUENCES"] ?? 10_000);

/** `npm run test:endurance -- model` */
export async function spoolModel(seed: number): Promise<BenchTable> {
  const figures = await runSpoolModel(sequences, seed);
  return {
    title: `Spool: ${sequences} random sequences against an in-memory model`,
    columns: ["what", "number"],
    rows: [
      ["sequences", figures.sequences],
      ["operations", figures.operations],
      ["records evicted", figures.evicted],
      ["restarts", figures.reopened],
      ["crashes", figures.crashed],
      ["of them with a settlement under way that was noted", figures.crashedSettling],
      ["times that everything was compared", figures.compared],
      ["seed", seed],
    ],
    // A difference ends the run with an error that names its seed.
    verdicts: [{ name: "differences", value: 0, bound: "0", holds: true }],
  };
}
