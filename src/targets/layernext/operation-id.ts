import type { RecordDraft } from "../../core/types.ts";

/**
 * The id of an operation is the name of its model run, and a part of an address: these four would cut it there, in the
 * vendor's clients as on servers that decode too early.
 */
const cutting = /[/?#%]/g;

/** What a template may name: `{model}`, `{version}` (the start of the model file's SHA-256) and `{date}` (of capture, UTC). */
const fields = /\{([^{}]*)\}/g;

/** What is wrong with a template, as a phrase; undefined when nothing is. */
export function operationIdProblem(template: string): string | undefined {
  const rest = template.replaceAll(fields, (whole, name: string) =>
    /^(model|version|date)$/.test(name) ? "x" : whole,
  );
  if (/[{}]/.test(rest)) return "expected no fields but {model}, {version} and {date}";
  return modelNameProblem(rest);
}

/** The same of a name without fields. */
export function modelNameProblem(name: string): string | undefined {
  if (name.search(cutting) !== -1) return "expected none of / ? # %";
  return /^[\s.]*$/.test(name) ? "expected a name" : undefined;
}

export function operationIdOf(template: string, { model, capturedAtMs }: RecordDraft): string {
  const values: Readonly<Record<string, string>> = {
    model: model?.name ?? "unknown",
    version: model?.sha256.slice(0, 12) ?? "0",
    date: new Date(capturedAtMs).toISOString().slice(0, 10),
  };
  return template.replaceAll(fields, (_, name: string) => (values[name] ?? "").replaceAll(cutting, "-"));
}
