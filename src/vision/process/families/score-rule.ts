import type { Reading } from "../../config.ts";

/** How a detection's score is made of its objectness and of the score of its best class, both between 0 and 1. */

type ScoreRule = NonNullable<Reading["score"]>;

const rules: Readonly<Record<ScoreRule, (object: number, own: number) => number>> = {
  class: (_, own) => own,
  "object*class": (object, own) => object * own,
  "sqrt(object*class)": (object, own) => Math.sqrt(object * own),
  "object^0.6*class^0.4": (object, own) => object ** 0.6 * own ** 0.4,
};

/** The rule that the manifest names, else the family's usual one. */
export function scoreRule(wanted: ScoreRule | undefined, usual: ScoreRule): (object: number, own: number) => number {
  return rules[wanted ?? usual];
}

/** The least objectness that can reach a score, as the class's own is at most 1: less need not be looked at further. */
export function objectMin(wanted: ScoreRule | undefined, usual: ScoreRule, scoreMin: number): number {
  switch (wanted ?? usual) {
    case "class":
      return -Infinity;
    case "object*class":
      return scoreMin;
    case "sqrt(object*class)":
      return scoreMin ** 2;
    case "object^0.6*class^0.4":
      return scoreMin ** (1 / 0.6);
  }
}
