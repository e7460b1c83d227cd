import type { GoldenVerdict, MissingDetection } from "./golden.ts";
import type { Inspection } from "./inspection.ts";

/** What speaks against a model, in words. */

export function goldenProblems(verdict: GoldenVerdict): readonly string[] {
  switch (verdict.kind) {
    case "none":
    case "matched":
      return [];
    case "dead":
      return ["it finds nothing on its golden picture"];
    case "different": {
      const { expected, missing, extra } = verdict;
      const first = missing[0];
      return [
        ...(first === undefined
          ? []
          : [`${missing.length} of ${expected} are missing on its golden picture, such as ${missingText(first)}`]),
        ...(extra.length === 0
          ? []
          : [`${extra.length} on its golden picture are not expected, such as ${textOf(extra[0])}`]),
      ];
    }
  }
}

/** `person 0.91 (the nearest shares 0.42 of its box, score 0.88)`. */
function missingText({ expected, nearest }: MissingDetection): string {
  const { label, score } = expected;
  const beside =
    nearest === undefined
      ? "none of that label is near"
      : `the nearest shares ${nearest.iou.toFixed(2)} of its box, score ${nearest.score.toFixed(2)}`;
  return `${label} ${score.toFixed(2)} (${beside})`;
}

function textOf(detection: { readonly label: string; readonly score: number } | undefined): string {
  return detection === undefined ? "" : `${detection.label} ${detection.score.toFixed(2)}`;
}

export function outputProblems({ outputs, scoreMax }: Inspection): readonly string[] {
  const broken = outputs.filter(({ notFinite }) => notFinite > 0);
  return [
    ...broken.map(({ name, notFinite }) => `${notFinite} values of its output ${name} are no numbers`),
    // Rounding may put a sure one a hair above 1.
    ...(scoreMax > 1.01 ? [`it gives scores up to ${scoreMax.toFixed(1)}: its outputs are read in a wrong way`] : []),
  ];
}

/** A model with its own suppression may rightly say nothing of a drawn scene. */
export function outputWarnings(verdict: GoldenVerdict, { scoreMax }: Inspection): readonly string[] {
  if (verdict.kind !== "none" || scoreMax > 0) return [];
  return ["no score at all on a drawn scene: it may be dead; try it with a photo of what it should find"];
}
