import { measureParity, parityModels, type ParityFigures } from "../lib/parity.ts";
import { sharedFolder } from "../lib/shared.ts";
import { rounded, type BenchTable, type Verdict } from "./table.ts";

/** Of single models that are watched when pictures are resized fast: how many references may be missed, and the overlap. */
const fastBounds: Readonly<Record<string, { readonly missedMax: number; readonly iouMeanMin: number }>> = {
  "yolov8n-640-f32": { missedMax: 0, iouMeanMin: 0.985 },
  "yolo26n-int8": { missedMax: 0, iouMeanMin: 0.985 },
  "yolox-nano": { missedMax: 2, iouMeanMin: 0 },
};
/** What scores less is on the edge of being seen, whichever way a picture is resized. */
const FAST_REFERENCE_MIN = 0.35;

/** How far detections are from the references, model by model. Empty where the shared folder is absent. */
export async function parity(): Promise<BenchTable> {
  const shared = sharedFolder();
  const rows: (readonly (string | number)[])[] = [];
  const verdicts: Verdict[] = [];
  for (const model of shared === undefined ? [] : parityModels) {
    const exact = await measureParity(shared ?? "", model);
    rows.push(row(model.name, "exact", exact));
    verdicts.push(exactVerdict(model, exact));
    const fast = await measureParity(shared ?? "", model, { exact: false, referenceMin: FAST_REFERENCE_MIN });
    rows.push(row(model.name, "fast", fast));
    verdicts.push(...fastVerdicts(model.name, fast));
  }
  return {
    title: "Detections against references (14 photos; exact: score ≥ 0.25, fast: ≥ 0.35)",
    columns: [
      "model",
      "resize",
      "references",
      "missed",
      "highest extra score",
      "lowest IoU",
      "mean IoU",
      "largest score difference",
    ],
    rows,
    verdicts,
  };
}

function row(name: string, resize: string, figures: ParityFigures): readonly (string | number)[] {
  const { references, missed, extraScoreMax, iouMin, iouMean, scoreDifferenceMax } = figures;
  const shares = [rounded(extraScoreMax), rounded(iouMin, 5), rounded(iouMean, 4), rounded(scoreDifferenceMax, 6)];
  return [name, resize, references, missed, ...shares];
}

function exactVerdict({ name, quantised }: (typeof parityModels)[number], figures: ParityFigures): Verdict {
  const { missed, extraScoreMax, iouMin, scoreDifferenceMax } = figures;
  const bound = quantised ? 0.97 : 0.99;
  const isNear = iouMin >= bound && scoreDifferenceMax <= (quantised ? 0.03 : 0.01);
  return {
    name: `${name}, exact: none missed, lowest IoU`,
    value: rounded(iouMin, 5),
    bound: `≥ ${bound}`,
    holds: missed === 0 && extraScoreMax < 0.31 && isNear,
  };
}

function fastVerdicts(name: string, { missed, iouMean }: ParityFigures): readonly Verdict[] {
  const bounds = fastBounds[name];
  if (bounds === undefined) return [];
  const { missedMax, iouMeanMin } = bounds;
  const missedVerdict = {
    name: `${name}, fast: references missed`,
    value: missed,
    bound: `≤ ${missedMax}`,
    holds: missed <= missedMax,
  };
  if (iouMeanMin === 0) return [missedVerdict];
  const value = rounded(iouMean, 4);
  const bound = `≥ ${iouMeanMin}`;
  return [missedVerdict, { name: `${name}, fast: mean IoU`, value, bound, holds: iouMean >= iouMeanMin }];
}
