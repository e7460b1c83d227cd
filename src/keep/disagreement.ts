import { iouOf } from "../core/detections.ts";
import { shadowLimits } from "../core/vision-limits.ts";
import type { Detection } from "../core/types.ts";

/** What two models make of one picture, compared. Pure. */

/** What one model sees, and what it can see. */
export interface Opinion {
  /** At or above its own threshold. */
  readonly shown: readonly Detection[];
  /** Below that, and more than noise. */
  readonly faint: readonly Detection[];
  /** All that it knows. */
  readonly labels: readonly string[];
}

export interface Disagreement {
  /** Labels of what only the second model sees, one for each object. */
  readonly added: readonly string[];
  /** Labels of what only the first one sees. */
  readonly missing: readonly string[];
}

/**
 * Objects match by label and overlap, those that share most first. What one model sees just below its threshold it has
 * not missed, and what it does not know it cannot see.
 */
export function compareOpinions(first: Opinion, second: Opinion, minIou: number): Disagreement {
  const { freeA, freeB } = unmatched(first.shown, second.shown, minIou);
  const added = unexplained(freeB, first, minIou);
  const missing = unexplained(freeA, second, minIou);
  return { added, missing };
}

/** In one short phrase, such as `+person -car`; undefined when they agree. */
export function disagreementPhrase({ added, missing }: Disagreement): string | undefined {
  const signs = [...new Set([...added.map((label) => `+${label}`), ...missing.map((label) => `-${label}`)])];
  if (signs.length === 0) return undefined;
  const { labelsMax } = shadowLimits;
  return [...signs.slice(0, labelsMax), ...(signs.length > labelsMax ? ["…"] : [])].join(" ");
}

function unmatched(a: readonly Detection[], b: readonly Detection[], minIou: number) {
  const pairs = a.flatMap((one) =>
    b.flatMap((other) => {
      const iou = one.label === other.label ? iouOf(one.box, other.box) : 0;
      return iou >= minIou ? [{ one, other, iou }] : [];
    }),
  );
  const [freeA, freeB] = [new Set(a), new Set(b)];
  for (const { one, other } of pairs.sort((x, y) => y.iou - x.iou)) {
    if (!freeA.has(one) || !freeB.has(other)) continue;
    freeA.delete(one);
    freeB.delete(other);
  }
  return { freeA: [...freeA], freeB: [...freeB] };
}

function unexplained(found: readonly Detection[], by: Opinion, minIou: number): readonly string[] {
  const known = new Set(by.labels);
  const { freeA } = unmatched(
    found.filter(({ label }) => known.has(label)),
    by.faint,
    minIou,
  );
  return freeA.map(({ label }) => label);
}
