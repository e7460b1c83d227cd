import { measureParity, parityModels } from "../lib/parity.ts";
import { sharedFolder } from "../lib/shared.ts";
import { rounded, type BenchTable, type Verdict } from "./table.ts";

/** How far exact detection is from the references, model by model. Empty where the shared folder is absent. */
export async function parity(): Promise<BenchTable> {
  const shared = sharedFolder();
  const rows: (readonly (string | number)[])[] = [];
  const verdicts: Verdict[] = [];
  for (const model of shared === undefined ? [] : parityModels) {
    const figures = await measureParity(shared ?? "", model);
    const { references, missed, extraScoreMax, iouMin, scoreDifferenceMax } = figures;
    rows.push([
      model.name,
      references,
      missed,
      rounded(extraScoreMax),
      rounded(iouMin, 5),
      rounded(scoreDifferenceMax, 6),
    ]);
    const bound = model.quantised ? 0.97 : 0.99;
    verdicts.push({
      name: `lowest IoU of ${model.name}`,
      value: rounded(iouMin, 5),
      bound: `≥ ${bound}`,
      holds:
        missed === 0 &&
        iouMin >= bound &&
        extraScoreMax < 0.31 &&
        scoreDifferenceMax <= (model.quantised ? 0.03 : 0.01),
    });
  }
  return {
    title: "Exact detection against references (14 photos, score ≥ 0.25)",
    columns: ["model", "references", "missed", "highest extra score", "lowest IoU", "largest score difference"],
    rows,
    verdicts,
  };
}
