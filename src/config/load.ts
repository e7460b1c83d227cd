import type { z } from "zod";
import { configLimits } from "../core/limits.ts";
import { mask, maskUrls } from "../core/mask.ts";
import { readDocument, type ConfigDocument } from "./document.ts";
import { findingsOf } from "./findings.ts";
import { hasPlaceholder, lackedText, resolvePlaceholders } from "./placeholders.ts";
import type { ConfigEnvironment, Remark } from "./placeholders.ts";
import { ConfigError, inFileOrder } from "./problem.ts";
import type { ConfigProblem } from "./problem.ts";
import { hiding, redact, secretPaths, secretValues } from "./redact.ts";
import { valueAt } from "./schema-walk.ts";
import { readTextFile } from "./text-file.ts";
import type { ConfigPath, Position } from "./yaml.ts";

export interface LoadedConfig<T> {
  readonly config: T;
  /** What the operator wrote, secrets masked. */
  readonly redacted: unknown;
  /** What works but should be mended, in the order of the file. */
  readonly warnings: readonly ConfigProblem[];
  /** Every secret value of the config, for the logger to mask. Never shown. */
  readonly secrets: readonly string[];
  /** What has no value, where the environment says that it may lack: what it belongs to cannot be used. */
  readonly lacking: readonly ConfigProblem[];
}

/** Reads, resolves and checks a config file. Fails with a ConfigError that holds every mistake, never with another error. */
export async function loadConfig<S extends z.ZodType>(
  file: string,
  schema: S,
  environment: ConfigEnvironment,
): Promise<LoadedConfig<z.output<S>>> {
  return parseConfig(await readConfigText(file), file, schema, environment);
}

/** The same for text that is already at hand; `file` only names it. */
export async function parseConfig<S extends z.ZodType>(
  text: string,
  file: string,
  schema: S,
  environment: ConfigEnvironment,
): Promise<LoadedConfig<z.output<S>>> {
  return checkedDocument(readDocument(text, file), file, schema, environment);
}

/** Of a document that has been read. */
export async function checkedDocument<S extends z.ZodType>(
  { source, value, problems, warnings }: ConfigDocument,
  file: string,
  schema: S,
  environment: ConfigEnvironment,
): Promise<LoadedConfig<z.output<S>>> {
  const placeOf: PlaceOf = (path, at) => ({ file, ...source.positionOf(path, at) });
  const loaded = await checkedConfig({ value, placeOf, problems }, schema, environment);
  return { ...loaded, warnings: [...warnings, ...loaded.warnings] };
}

/** Where something stands that is named by its path. */
export type PlaceOf = (path: ConfigPath, at: "key" | "value") => Position & { readonly file: string };

/** What was written, in one file or several, before it was checked. */
export interface WrittenConfig {
  readonly value: unknown;
  readonly placeOf: PlaceOf;
  /** Found already. */
  readonly problems?: readonly ConfigProblem[];
}

/** Fails with a ConfigError that holds every mistake. */
export async function checkedConfig<S extends z.ZodType>(
  written: WrittenConfig,
  schema: S,
  environment: ConfigEnvironment,
): Promise<LoadedConfig<z.output<S>>> {
  const problems: ConfigProblem[] = [...(written.problems ?? [])];
  const resolved = await resolvePlaceholders(written.value, environment);
  const at = placer(written.placeOf, [...resolved.secrets, ...secretValues(schema, resolved.value)]);
  problems.push(...resolved.problems.map((remark) => at(remark)));

  const parsed = schema.safeParse(resolved.value);
  const lacking = resolved.lacking.map((remark) => at(remark));
  if (!parsed.success) {
    problems.push(...lacking);
    // A placeholder without a value has its own problem; that the text left in its place is wrong too is no news.
    const known = new Set([...resolved.problems, ...resolved.lacking].map((remark) => remark.path.join(".")));
    const findings = findingsOf(schema, resolved.value, parsed.error.issues);
    problems.push(...findings.filter((f) => !known.has(f.path.join("."))).map((f) => at(f, f.at)));
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);

  const warnings = [...resolved.warnings, ...plainSecrets(schema, written.value)].map((remark) => at(remark));
  const secrets = new Set([...resolved.secrets, ...secretValues(schema, parsed.data)]);
  return {
    config: parsed.data,
    redacted: redact(schema, written.value),
    warnings: inFileOrder(warnings),
    secrets: [...secrets].filter((secret) => secret !== "" && secret !== lackedText),
    lacking,
  };
}

/** Gives each remark its place, and takes secrets out of its text: a schema's own message may quote the value. */
function placer(placeOf: PlaceOf, secrets: readonly string[]): (remark: Remark, at?: "key" | "value") => ConfigProblem {
  const hide = hiding(secrets);
  return ({ path, message }, at = "value") => ({
    ...placeOf(path, at),
    path: maskUrls(path.map(shownStep).join(".")),
    message: maskUrls(hide(message)),
  });
}

/** A step of a path that is neither a position nor a word may be a secret in the place of a key. */
function shownStep(step: string | number): string | number {
  return typeof step === "number" || /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/.test(step) ? step : mask;
}

function plainSecrets(schema: z.ZodType, written: unknown): readonly Remark[] {
  return secretPaths(schema, written)
    .filter((path) => {
      const value = valueAt(written, path);
      return typeof value === "string" && !hasPlaceholder(value);
    })
    .map((path) => ({
      path,
      message: "a secret in plain text; better ${credential:name}, ${file:/path} or ${env:NAME}",
    }));
}

/** Fails with a ConfigError. */
export async function readConfigText(file: string): Promise<string> {
  const read = await readTextFile(file, configLimits.fileBytesMax);
  if (read.kind === "text") return read.text;
  const problem = { file, line: 1, column: 1, path: "", message: `cannot be read: ${read.reason}` };
  throw new ConfigError([problem], read.cause);
}
