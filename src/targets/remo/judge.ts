import type { RemoSessionStatus } from "./session-status.ts";

/** What became of the files of a session that has ended. Neither `done` nor `failed` says it: each file has its own fate. */

export type ImageVerdict =
  | { readonly kind: "arrived" }
  /** The counts do not prove it: the dataset has to be asked. */
  | { readonly kind: "unproven" }
  | { readonly kind: "refused"; readonly text: string; readonly forGood: boolean };

/** `names`: of every file that the session was sent; none of them may be in doubt for the counts to prove anything. */
export function imageVerdicts(
  status: RemoSessionStatus,
  names: readonly string[],
  someInDoubt: boolean,
): ReadonlyMap<string, ImageVerdict> {
  const refused = new Map<string, ImageVerdict>();
  for (const name of names) {
    const text = status.fileErrors.get(name);
    if (text === undefined || saysDuplicate(text)) continue;
    refused.set(name, { kind: "refused", text, forGood: /not supported/i.test(text) });
  }
  const proven = !someInDoubt && status.images.successful >= names.length - refused.size;
  return new Map(
    names.map((name) => {
      // By name: it can only have been ours, from an earlier time.
      const arrived = proven || status.fileErrors.has(name);
      return [name, refused.get(name) ?? { kind: arrived ? "arrived" : "unproven" }];
    }),
  );
}

/** What is said of a file and is no fault of the file. */
export function saysServerTrouble(text: string): boolean {
  return /errno|no space|database|connection|permission/i.test(text);
}

/**
 * The server knows each file name once, and passes over one that it has: `not added (Duplicated image)`, before sessions
 * `Found duplicated image, it will be skipped`. What its database says of a duplicate key is something else.
 */
export function saysDuplicate(text: string): boolean {
  return /duplicated image/i.test(text);
}

/** Of the annotation file that went with the images. `blamed`: names whose rows were not taken. */
export type LabelsVerdict =
  | { readonly kind: "taken"; readonly blamed: readonly string[]; readonly text: string }
  | { readonly kind: "refused"; readonly text: string }
  /** The server never had it. */
  | { readonly kind: "missing" };

export function labelsVerdict(status: RemoSessionStatus, csvName: string, names: readonly string[]): LabelsVerdict {
  const text = status.fileErrors.get(csvName);
  const { successful, failed, total } = status.annotations;
  if (text === undefined) {
    if (successful > 0) return { kind: "taken", blamed: [], text: "" };
    return failed + total > 0 ? { kind: "refused", text: status.errors.join("; ") } : { kind: "missing" };
  }
  const blamed = names.filter((name) => text.includes(name));
  if (blamed.length > 0 && successful > 0) return { kind: "taken", blamed, text };
  return { kind: "refused", text };
}
