import type { BenchTable, Verdict } from "../bench/table.ts";
import type { SpoolOracle } from "../lib/spool-oracle.ts";

/** For a suite that this machine cannot run at all. */
export function leftOut(title: string, why: string): BenchTable {
  return { title, columns: [], rows: [], verdicts: [], leftOut: [why] };
}

/** The same figures for every way to crash. */
export function crashTable(title: string, oracle: SpoolOracle, further: readonly Verdict[] = []): BenchTable {
  const { faults, undone, examples } = oracle;
  for (const example of examples) process.stdout.write(`${example}\n`);
  const rows = [
    ["records acknowledged", oracle.appended],
    ["settlements acknowledged", oracle.settled],
    ["records compared with what was acknowledged", oracle.checked],
    ["images compared byte for byte", oracle.imagesChecked],
    ["shown although not yet acknowledged (allowed)", oracle.early],
    ["settlements undone by the crashes", undone.settlements],
    ["the farthest of them: settlements before its crash", undone.deepest],
    ["the oldest of them: ms before its crash", undone.oldestMs],
  ] as const;
  const none = (name: string, value: number): Verdict => ({ name, value, bound: "0", holds: value === 0 });
  return {
    title,
    columns: ["what", "number"],
    rows,
    verdicts: [
      none("lost: a record, for one target", faults.lost),
      none("corrupt or half visible", faults.corrupt),
      none("sequences used twice", faults.doubled),
      none("settlements forgotten beyond the promise", faults.forgotten),
      { name: "images compared", value: oracle.imagesChecked, bound: "≥ 1", holds: oracle.imagesChecked > 0 },
      ...further,
    ],
  };
}
