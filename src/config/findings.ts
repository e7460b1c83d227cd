import type { z } from "zod";
import { keysAt, valueAt } from "./schema-walk.ts";
import { nearest } from "./suggest.ts";
import type { ConfigPath } from "./yaml.ts";

/** What is wrong with a value, before it has a line and a column. */
export interface Finding {
  readonly path: ConfigPath;
  /** A missing or unknown key is shown where its mapping or its name stands, a wrong value where it stands itself. */
  readonly at: "key" | "value";
  readonly message: string;
}

type Issue = z.core.$ZodIssue;

const choicesShownMax = 20;
const word = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;

/** Zod's issues in the operator's words, with what was probably meant. */
export function findingsOf(schema: z.core.$ZodType, value: unknown, issues: readonly Issue[]): readonly Finding[] {
  return issues.flatMap((issue) => fromIssue(schema, value, issue, []));
}

function fromIssue(schema: z.core.$ZodType, root: unknown, issue: Issue, prefix: ConfigPath): readonly Finding[] {
  const path = [...prefix, ...issue.path.map((step) => (typeof step === "number" ? step : String(step)))];
  const value = valueAt(root, path);
  const nested = (issues: readonly Issue[]): readonly Finding[] =>
    issues.flatMap((inner) => fromIssue(schema, root, inner, path));
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = keysAt(schema, root, path);
      return issue.keys.map((key) => ({ path: [...path, key], at: "key", message: unknownKey(key, known) }));
    }
    case "invalid_type":
      if (value === undefined || (value === null && path.length === 0)) {
        return [missing(path, `expected ${issue.expected}`)];
      }
      return [{ path, at: "value", message: typeMessage(issue, value) }];
    case "invalid_value":
      return [choice(path, value, issue.values)];
    case "invalid_union": {
      const branches = issue.errors;
      if (branches.length > 0) return fromUnion(path, value, branches, nested);
      if ("options" in issue) return [misspelt(root, path) ?? choice(path, value, issue.options)];
      return [{ path, at: "value", message: lowered(issue.message) }];
    }
    case "invalid_key":
    case "invalid_element":
      return nested(issue.issues).map((finding) => ({ ...finding, at: "key" }));
    case "invalid_format":
      return [{ path, at: "value", message: formatMessage(issue) }];
    default:
      if (value === undefined && path.length > 0) return [missing(path, lowered(issue.message))];
      return [{ path, at: "value", message: lowered(issue.message) }];
  }
}

/**
 * The branch that was meant accepted the value's own kind, and has the fewest mistakes. When there is none, the value
 * is of a kind that no branch takes.
 */
function fromUnion(
  path: ConfigPath,
  value: unknown,
  branches: readonly (readonly Issue[])[],
  nested: (issues: readonly Issue[]) => readonly Finding[],
): readonly Finding[] {
  const fitting = branches.filter((issues) => !issues.some((i) => i.code === "invalid_type" && i.path.length === 0));
  const choices = fitting.flatMap((issues) =>
    issues.flatMap((issue) => (issue.code === "invalid_value" && issue.path.length === 0 ? issue.values : [])),
  );
  if (choices.length > 0) return [choice(path, value, choices)];
  if (fitting.length > 0) {
    return nested(fitting.reduce((best, issues) => (issues.length < best.length ? issues : best)));
  }
  const kinds = branches.flatMap((issues) => issues.flatMap((i) => (i.code === "invalid_type" ? [i.expected] : [])));
  const expected = `expected ${[...new Set(kinds)].join(" or ")}`;
  if (value === undefined) return [missing(path, expected)];
  return [{ path, at: "value", message: `${expected}, received ${kindOf(value)}` }];
}

function missing(path: ConfigPath, expected: string): Finding {
  return { path, at: "key", message: path.length === 0 ? `the file is empty; ${expected}` : `missing; ${expected}` };
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  // What is no word is a slip of another kind, and may be a secret that stands in the wrong place.
  if (!word.test(key)) return "something that is no key; expected `key: value`";
  const hint = meant === undefined ? `known here: ${known.toSorted().join(", ")}` : `did you mean "${meant}"?`;
  return known.length === 0 ? `unknown key "${key}"` : `unknown key "${key}"; ${hint}`;
}

/** The key that says which kind of thing this is: without it nothing else is checked, so a slip in it is told here. */
function misspelt(root: unknown, path: ConfigPath): Finding | undefined {
  const parent = path.slice(0, -1);
  const around = valueAt(root, parent);
  const key = path.at(-1);
  if (typeof key !== "string" || typeof around !== "object" || around === null || key in around) return undefined;
  const written = nearest(key, Object.keys(around));
  if (written === undefined) return undefined;
  return { path: [...parent, written], at: "key", message: unknownKey(written, [key]) };
}

function choice(path: ConfigPath, value: unknown, choices: readonly unknown[]): Finding {
  const words = choices.map(String);
  const shown = words.length > choicesShownMax ? [...words.slice(0, choicesShownMax), "…"] : words;
  const expected = shown.length === 1 ? `expected ${shown.join("")}` : `expected one of ${shown.join(", ")}`;
  if (value === undefined) return missing(path, expected);
  const meant = typeof value === "string" ? nearest(value, words) : undefined;
  return {
    path,
    at: "value",
    message: meant === undefined ? expected : `${expected}; did you mean "${meant}"?`,
  };
}

/** A schema's own message where it has one: a bare pattern helps nobody. */
function formatMessage(issue: z.core.$ZodIssueInvalidStringFormat): string {
  const ownWords = !/^Invalid (string|url|input)\b/i.test(issue.message);
  if (ownWords) return lowered(issue.message);
  if (issue.format === "regex") return "not in the form that is expected here";
  return issue.format === "url" ? "expected a URL such as https://host" : `expected a valid ${issue.format}`;
}

/** A schema's own message where it has one: whoever wrote `maxAge: 30` has to learn of the unit, not of strings. */
function typeMessage(issue: z.core.$ZodIssueInvalidType, value: unknown): string {
  const ownWords = !issue.message.startsWith("Invalid input: ");
  return ownWords ? lowered(issue.message) : `expected ${issue.expected}, received ${kindOf(value)}`;
}

function kindOf(value: unknown): string {
  if (value === null) return "nothing";
  if (typeof value === "number" && Number.isNaN(value)) return "not a number";
  return Array.isArray(value) ? "array" : typeof value;
}

function lowered(message: string): string {
  const text = message.replace(/^Invalid input: /, "");
  return text.charAt(0).toLowerCase() + text.slice(1);
}
