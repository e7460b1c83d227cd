import { isFields, own, type Fields } from "./overlay.ts";

/** What a new form of the config file means for one that was written before it. */
export interface Migration {
  /** What has changed, for the person whose file it is. */
  readonly says: string;
  /**
   * The same config in the new form. Nothing that it does not know is dropped, and parts that are not there stay away: it
   * sees files with mistakes in them, and the patches that remote commands left, in which null takes away.
   */
  readonly change: (document: Fields) => Fields;
}

/**
 * Oldest first. The first makes version 2 of version 1, which is also that of a file that says none. There is none yet:
 * a setting that gets another name or meaning needs one, a new setting with a default needs none.
 */
export const migrations: readonly Migration[] = [];

export type Migrated =
  | { readonly kind: "current"; readonly document: unknown }
  /** `says`: what was changed, oldest first. */
  | { readonly kind: "migrated"; readonly document: Fields; readonly from: number; readonly says: readonly string[] }
  | { readonly kind: "newer"; readonly version: number };

/** The version that this program writes and reads. */
export function currentVersion(steps: readonly Migration[] = migrations): number {
  return steps.length + 1;
}

/** Cameras or targets, which a patch has as objects by their id. */
export function eachItem(document: Fields, list: "cameras" | "targets", change: (item: Fields) => Fields): Fields {
  const items = own(document, list);
  const changed = (item: unknown) => (isFields(item) ? change(item) : item);
  if (Array.isArray(items)) return { ...document, [list]: items.map(changed) };
  if (!isFields(items)) return document;
  return { ...document, [list]: Object.fromEntries(Object.entries(items).map(([id, item]) => [id, changed(item)])) };
}

/** What is no config, or says its version in no number, is left for the schema to refuse. */
export function migrated(document: unknown, steps: readonly Migration[] = migrations): Migrated {
  if (!isFields(document)) return { kind: "current", document };
  const { version = 1 } = document;
  if (typeof version !== "number" || !Number.isInteger(version) || version < 1) return { kind: "current", document };
  const latest = currentVersion(steps);
  if (version > latest) return { kind: "newer", version };
  if (version === latest) return { kind: "current", document };
  const due = steps.slice(version - 1);
  const changed = due.reduce((before, { change }) => change(before), document);
  const says = due.map((step) => step.says);
  return { kind: "migrated", document: { ...changed, version: latest }, from: version, says };
}
