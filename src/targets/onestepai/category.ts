import { sentDetections } from "../../core/detections.ts";
import type { RecordDraft } from "../../core/types.ts";

/** Which category a whole image gets. A number is an id of the platform's, a text a name. */
export interface CategoryRules {
  readonly default: string | number;
  readonly rules: readonly { readonly label: string; readonly category: string | number }[];
}

/** Of the best detection that has a rule; else the default. A name comes back as the platform writes it. */
export function categoryOf(draft: RecordDraft, { rules, default: other }: CategoryRules, minScore: number) {
  for (const { label } of sentDetections(draft, minScore)) {
    const rule = rules.find((candidate) => candidate.label === label);
    if (rule !== undefined) return asCategory(rule.category);
  }
  return asCategory(other);
}

export type Category = { readonly kind: "id"; readonly id: string } | { readonly kind: "name"; readonly name: string };

function asCategory(category: string | number): Category {
  if (typeof category === "number") return { kind: "id", id: String(category) };
  return { kind: "name", name: categoryName(category) };
}

/** The platform's own importer writes "traffic light" as "traffic_light": the two must not become two categories. */
export function categoryName(name: string): string {
  return name.trim().replaceAll(/\s/gu, "_");
}
