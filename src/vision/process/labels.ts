/** Class names as Ultralytics writes them into a model's metadata: a Python dictionary literal, numbers to texts. */

const LABELS_MAX = 10_000;
const entry = /["']?(\d{1,6})["']?\s*:\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g;

/** In class order; undefined when the text holds no complete list. */
export function labelsFrom(literal: string | undefined): readonly string[] | undefined {
  if (literal === undefined) return undefined;
  const labels: string[] = [];
  for (const [, index, single, double] of literal.matchAll(entry)) {
    if (labels.length === LABELS_MAX || Number(index) !== labels.length) return undefined;
    labels.push(unescaped(single ?? double ?? ""));
  }
  return labels.length === 0 ? undefined : labels;
}

/** The name of a class; one without a name still gets a usable label. */
export function labelOf(labels: readonly string[] | undefined, classIndex: number): string {
  return labels?.[classIndex] ?? `class${classIndex}`;
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, "$1");
}
