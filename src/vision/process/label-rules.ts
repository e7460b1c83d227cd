import { nearest } from "../../config/suggest.ts";
import type { LabelRules } from "../config.ts";
import { labelOf } from "./labels.ts";
import type { Placement } from "./letterbox.ts";
import type { Candidates } from "./nms.ts";

/**
 * Which classes count, and what they are called. The manifest speaks first, the config above it: a config's `rename`
 * takes the names that the manifest gives, its `allow`, `deny` and `minBox` replace the manifest's, its `thresholds` go
 * above the manifest's label by label. Of each of the two, everything but `rename` speaks of names after its renaming.
 *
 * The rules hold before suppression: what is forgotten takes nobody's place among the detections of a frame, and two
 * classes of one name are one to suppression.
 */

const FORGOTTEN = -1;
/** Warnings about single labels; the first ones tell what is wrong. */
const WARNINGS_MAX = 20;
const KNOWN_LISTED_MAX = 12;

interface Layer {
  /** Who says it, for warnings. */
  readonly speaker: string;
  readonly rules: LabelRules;
}

export class LabelBook {
  readonly thresholds: Readonly<Record<string, number>> | undefined;
  /** Names that match no label: nothing is wrong with the model, but a person should know. */
  readonly warnings: readonly string[];
  readonly #labels: readonly string[] | undefined;
  readonly #renames: readonly Readonly<Record<string, string>>[];
  readonly #allowed: ReadonlySet<string> | undefined;
  readonly #denied: ReadonlySet<string>;
  readonly #minBox: number;
  /** By class; filled as classes are met, for a file need not say how many it has. */
  readonly #numbers: number[] = [];
  readonly #names: string[] = [];

  constructor(labels: readonly string[] | undefined, manifest: LabelRules, config: LabelRules = {}) {
    this.#labels = labels;
    this.#renames = [manifest.rename ?? {}, config.rename ?? {}];
    const renamed = (label: string) => own(config.rename, label) ?? label;
    const allow = config.allow ?? manifest.allow?.map(renamed);
    this.#allowed = allow === undefined ? undefined : new Set(allow);
    this.#denied = new Set(config.deny ?? manifest.deny?.map(renamed));
    this.#minBox = config.minBox ?? manifest.minBox ?? 0;
    const scores = [
      ...Object.entries(manifest.thresholds ?? {}).map(([label, score]) => [renamed(label), score] as const),
      ...Object.entries(config.thresholds ?? {}),
    ];
    this.thresholds = scores.length === 0 ? undefined : Object.fromEntries(scores);
    this.warnings = unknownNames(labels, [
      { speaker: "the manifest's", rules: manifest },
      { speaker: "detector.", rules: config },
    ]);
  }

  /** What detections can be called, without doubles. */
  names(classes: number): readonly string[] {
    const numbers = Array.from({ length: classes }, (_, classIndex) => this.#numberOf(classIndex));
    return [...new Set(numbers)].flatMap((number) => (number === FORGOTTEN ? [] : [this.nameOf(number)]));
  }

  /** Of a candidate that `apply` has left. */
  nameOf(number: number): string {
    return this.#names[number] ?? labelOf(this.#labels, number);
  }

  /** Takes out what is to be forgotten, and gives classes of one name one number. */
  apply(candidates: Candidates, at: Placement): void {
    const { left, top, right, bottom, classIndex } = candidates;
    const [widthMin, heightMin] = [this.#minBox * at.scaleX, this.#minBox * at.scaleY];
    const [rightMax, bottomMax] = [at.left + at.width, at.top + at.height];
    let kept = 0;
    for (let index = 0; index < candidates.count; index += 1) {
      const number = this.#numberOf(classIndex[index] ?? 0);
      if (number === FORGOTTEN) continue;
      const width = Math.min(right[index] ?? 0, rightMax) - Math.max(left[index] ?? 0, at.left);
      const height = Math.min(bottom[index] ?? 0, bottomMax) - Math.max(top[index] ?? 0, at.top);
      if (this.#minBox > 0 && (width < widthMin || height < heightMin)) continue;
      candidates.copy(index, kept);
      classIndex[kept] = number;
      kept += 1;
    }
    candidates.count = kept;
  }

  #numberOf(classIndex: number): number {
    return (this.#numbers[classIndex] ??= this.#judge(classIndex));
  }

  #judge(classIndex: number): number {
    const name = this.#renames.reduce(
      (label, rename) => own(rename, label) ?? label,
      labelOf(this.#labels, classIndex),
    );
    if (this.#denied.has(name) || this.#allowed?.has(name) === false) return FORGOTTEN;
    const known = this.#names.indexOf(name);
    return known === -1 ? this.#names.push(name) - 1 : known;
  }
}

/** A typo must not silently forget everything: every name that no label answers to, with the one that may be meant. */
function unknownNames(labels: readonly string[] | undefined, layers: readonly Layer[]): readonly string[] {
  const warnings: string[] = [];
  // A model without a list of labels calls its classes class0, class1 …: those names cannot be checked.
  if (labels === undefined) return warnings;
  let known: readonly string[] = labels;
  for (const { speaker, rules } of layers) {
    const check = (key: string, names: readonly string[]) => {
      for (const name of names) {
        if (!known.includes(name)) warnings.push(`${speaker}${key} names ${unknown(name, known)}`);
      }
    };
    check(spoken(speaker, "rename"), Object.keys(rules.rename ?? {}));
    known = known.map((label) => own(rules.rename, label) ?? label);
    check(spoken(speaker, "allow"), rules.allow ?? []);
    check(spoken(speaker, "deny"), rules.deny ?? []);
    check(spoken(speaker, "thresholds"), Object.keys(rules.thresholds ?? {}));
  }
  return warnings.slice(0, WARNINGS_MAX);
}

function spoken(speaker: string, key: string): string {
  return speaker.endsWith(".") ? key : ` ${key}`;
}

function unknown(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  const listed = [...new Set(known)].slice(0, KNOWN_LISTED_MAX).join(", ");
  const hint =
    meant === undefined ? `it has ${listed}${known.length > KNOWN_LISTED_MAX ? " …" : ""}` : `did you mean "${meant}"?`;
  return `"${name}", which the model does not know; ${hint}`;
}

/** Names come from files: `constructor` is a label like any other. */
function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}
