import { AgentError } from "../../core/errors.ts";
import { announcedFamilies } from "./families/announced.ts";
import type { Certainty, Family, KnownFamily, Sign, Signature } from "./families/family.ts";
import { families } from "./families/registry.ts";

/**
 * Which family a model belongs to. A manifest's word always wins. Without one a file must carry the sign of exactly one
 * family: anything less is refused with the candidates, because a wrong decode gives plausible nonsense.
 */

export interface Recognised {
  readonly family: Family;
  /** 0 where the outputs do not say it. */
  readonly classes: number;
  /** Undefined where the manifest names the family. */
  readonly certainty: Certainty | undefined;
  /** Names of the families that it could be instead. */
  readonly rivals: readonly string[];
}

/** Fails with `MODEL_UNKNOWN_FAMILY`, naming the candidates and the manifest line to add. */
export function recogniseFamily(signature: Signature, wanted: string | undefined, file: string): Recognised {
  return wanted === undefined ? byItsSigns(signature, file) : asTheManifestSays(signature, wanted, file);
}

function asTheManifestSays(signature: Signature, wanted: string, file: string): Recognised {
  const family = families.find(({ name }) => name === wanted);
  if (family === undefined) {
    const why = announcedFamilies.some(({ name }) => name === wanted)
      ? "which this version does not read yet"
      : "which does not exist";
    throw refusal(`the manifest of ${file} names the family "${wanted}", ${why}`);
  }
  const sign = family.sign(signature);
  if (sign !== undefined) return { family, classes: sign.classes, certainty: undefined, rivals: [] };
  throw refusal(`the manifest of ${file} names the family "${wanted}", but ${describe(signature)} do not fit it`);
}

function byItsSigns(signature: Signature, file: string): Recognised {
  const found = candidates(signature);
  const outputs = describe(signature);
  const only = onlyOf(found, "sure") ?? onlyOf(found, "likely");
  if (only !== undefined) {
    const { family, sign } = only;
    const rivals = found.filter((other) => other !== only).map(({ name }) => name);
    if (family !== undefined) return { family, classes: sign.classes, certainty: sign.certainty, rivals };
    throw refusal(`${file} looks like ${only.name} (${outputs}), which this version does not read yet`);
  }
  if (found.length === 0) {
    throw refusal(`the family of ${file} is unknown: ${outputs}${labelsInTheWay(signature)} fit none`, hint());
  }
  const names = found.map(({ name }) => name).join(" or ");
  const readable = found.find(({ family }) => family !== undefined);
  throw refusal(`the family of ${file} is not certain: ${outputs} could be ${names}`, hint(readable?.name));
}

/** What the outputs of an empty picture said against a family that looked right. */
export function doubted({ family, certainty, rivals }: Recognised, doubt: string, file: string): AgentError {
  const what = `${file} looks like ${family.name}, but ${doubt}`;
  if (certainty === "sure") return refusal(what);
  return refusal(`${what}: it could be ${[family.name, ...rivals].join(" or ")}`, hint(family.name));
}

/** None where there are two. A certainty counts only where nobody has a higher one. */
function onlyOf(found: readonly Candidate[], certainty: "sure" | "likely"): Candidate | undefined {
  const [only, second] = found.filter(({ sign }) => sign.certainty === certainty);
  const outdone = certainty === "likely" && found.some(({ sign }) => sign.certainty === "sure");
  return second === undefined && !outdone ? only : undefined;
}

interface Candidate {
  readonly name: string;
  readonly sign: Sign;
  /** Undefined for a family that is only announced. */
  readonly family: Family | undefined;
}

function candidates(signature: Signature): readonly Candidate[] {
  const found: Candidate[] = [];
  const ask = (known: KnownFamily, family: Family | undefined) => {
    const sign = known.sign(signature);
    if (sign !== undefined) found.push({ name: known.name, sign, family });
  };
  for (const family of families) ask(family, family);
  for (const known of announcedFamilies) ask(known, undefined);
  return found;
}

/** A wrong list of labels makes a family's outputs unrecognisable: worth saying, since it is easily mended. */
function labelsInTheWay(signature: Signature): string {
  if (signature.labels === undefined) return "";
  const without = families
    .map((family) => family.sign({ ...signature, labels: undefined })?.classes ?? 0)
    .find((classes) => classes > 0);
  return without === undefined ? "" : ` (${without} classes, but ${signature.labels.length} labels are given)`;
}

/** Where there are candidates, with one of them; else with all that there is. */
function hint(example?: string): string {
  const line = `. If you know it, write "family": "${example ?? "…"}" into a manifest (<file>.json)`;
  return example === undefined
    ? `${line}; this version reads ${families.map(({ name }) => `"${name}"`).join(", ")}`
    : line;
}

function describe(signature: Signature): string {
  const listed = signature.outputs
    .slice(0, 4)
    .map(({ name, type, shape }) => `${name.slice(0, 40)} ${type}[${shape.join(",")}]`);
  const more = signature.outputs.length > 4 ? ` and ${signature.outputs.length - 4} more` : "";
  return `its outputs ${listed.join(", ")}${more}`;
}

function refusal(what: string, more = ""): AgentError {
  return new AgentError("MODEL_UNKNOWN_FAMILY", `${what}${more}`, { disposition: "fatal" });
}
