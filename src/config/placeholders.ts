/**
 * `${env:NAME}`, `${env:NAME:-default}`, `${file:/path}` and `${credential:name}` in any text of the config. They are
 * resolved in the parsed values, never in the YAML text: a secret with a `#` or a line break in it can then neither
 * break the file nor move the positions of its mistakes.
 */
import { isAbsolute, join } from "node:path";
import { configLimits } from "../core/limits.ts";
import { mask } from "../core/mask.ts";
import { readTextFile } from "./text-file.ts";
import type { ConfigPath } from "./yaml.ts";

/** What the config may draw on besides its file. */
export interface ConfigEnvironment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Where `${credential:name}` looks when systemd passes no `CREDENTIALS_DIRECTORY`. */
  readonly credentialsFolder?: string;
  /** What may be without a value: all else is used then. Nothing when left out. */
  readonly mayLack?: (path: ConfigPath) => boolean;
}

export const defaultCredentialsFolder = "/etc/framepost/credentials";

export interface Remark {
  readonly path: ConfigPath;
  readonly message: string;
}

export interface Resolved {
  readonly value: unknown;
  readonly problems: readonly Remark[];
  /** What has no value, and may be without one: `lackedText` stands in its place. */
  readonly lacking: readonly Remark[];
  readonly warnings: readonly Remark[];
  /** Values from files and credentials, and from variables whose name says that they are secret. */
  readonly secrets: readonly string[];
}

/** In a form that secrets, names and most addresses may have. It is never used. */
export const lackedText = "https://lacking.invalid";

/** `$${` stands for a literal `${`. */
const pattern = /\$\$\{|\$\{([^}]*)\}/g;
const secretName = /TOKEN|SECRET|PASS|KEY|PWD|CREDENTIAL|AUTH/i;

export async function resolvePlaceholders(root: unknown, environment: ConfigEnvironment): Promise<Resolved> {
  const problems: Remark[] = [];
  const lacking: Remark[] = [];
  const warnings: Remark[] = [];
  const secrets = new Set<string>();

  async function resolveText(text: string, path: ConfigPath): Promise<string> {
    let result = "";
    let end = 0;
    let isLacking = false;
    for (const match of text.matchAll(pattern)) {
      result += text.slice(end, match.index);
      end = match.index + match[0].length;
      if (match[1] === undefined) {
        result += "${";
        continue;
      }
      const answer = await lookUp(match[1], environment);
      if (answer.kind === "problem") {
        isLacking = answer.isLack === true && environment.mayLack?.(path) === true;
        (isLacking ? lacking : problems).push({ path, message: answer.message });
        continue;
      }
      if (answer.warning !== undefined) warnings.push({ path, message: answer.warning });
      if (answer.secret) secrets.add(answer.text);
      result += answer.text;
    }
    return isLacking ? lackedText : result + text.slice(end);
  }

  async function resolve(value: unknown, path: ConfigPath): Promise<unknown> {
    if (typeof value === "string") return resolveText(value, path);
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) {
      const items: unknown[] = [];
      for (const [index, item] of value.entries()) items.push(await resolve(item, [...path, index]));
      return items;
    }
    const entries: [string, unknown][] = [];
    for (const [key, item] of Object.entries(value)) entries.push([key, await resolve(item, [...path, key])]);
    return Object.fromEntries(entries);
  }

  return { value: await resolve(root, []), problems, lacking, warnings, secrets: [...secrets] };
}

/** True when the secret itself is not in the file. */
export function hasPlaceholder(text: string): boolean {
  return [...text.matchAll(pattern)].some((match) => match[1] !== undefined);
}

/** The placeholder as written; the default of `${env:NAME:-default}` and everything around it may be secret. */
export function maskedPlaceholders(text: string): string {
  const shown = [...text.matchAll(pattern)].map((match) => match[0].replace(/:-.*$/s, `:-${mask}}`));
  return shown.length === 1 && text.startsWith("${") && text.endsWith("}") ? (shown[0] ?? mask) : mask;
}

/** The text as written, only the defaults of its placeholders masked: for fields that are no secret as a whole. */
export function maskedDefaults(text: string): string {
  return text.replaceAll(pattern, (placeholder) => placeholder.replace(/:-.*$/s, `:-${mask}}`));
}

type Answer =
  | { readonly kind: "text"; readonly text: string; readonly secret: boolean; readonly warning?: string }
  | { readonly kind: "problem"; readonly message: string; readonly isLack?: true };

async function lookUp(reference: string, environment: ConfigEnvironment): Promise<Answer> {
  const colon = reference.indexOf(":");
  const kind = reference.slice(0, Math.max(0, colon));
  const name = reference.slice(colon + 1);
  switch (kind) {
    case "env":
      return variable(name, environment);
    case "file":
      if (!isAbsolute(name)) return problem("${file:…} takes an absolute path");
      return secretFile(name);
    case "credential": {
      if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(name)) {
        return problem("${credential:…} takes a file name of letters, digits, `.`, `_` and `-`");
      }
      const systemd = environment.variables["CREDENTIALS_DIRECTORY"];
      return secretFile(join(systemd ?? environment.credentialsFolder ?? defaultCredentialsFolder, name));
    }
    default:
      return problem(
        "unknown placeholder; expected ${env:NAME}, ${file:/path} or ${credential:name} (`$${` is a plain `${`)",
      );
  }
}

function variable(reference: string, environment: ConfigEnvironment): Answer {
  const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]{0,127})(?::-(.*))?$/s.exec(reference) ?? [];
  if (name === undefined) return problem("${env:…} takes the name of a variable, and `:-` before a default");
  const value = environment.variables[name];
  if (value !== undefined && value !== "") return { kind: "text", text: value, secret: secretName.test(name) };
  if (fallback !== undefined) return { kind: "text", text: fallback, secret: false };
  return lack(`the environment variable ${name} is ${value === undefined ? "not set" : "empty"}`);
}

async function secretFile(path: string): Promise<Answer> {
  const file = await readTextFile(path, configLimits.secretBytesMax);
  if (file.kind === "failed") return lack(`${path} cannot be read: ${file.reason}`);
  return {
    kind: "text",
    text: file.text.replace(/\r?\n$/, ""),
    secret: true,
    ...(file.readableByAll ? { warning: `${path} is readable by every user; chmod 0600 ${path}` } : {}),
  };
}

function problem(message: string): Answer {
  return { kind: "problem", message };
}

/** It is written as it should be, and there is nothing where it points to. */
function lack(message: string): Answer {
  return { kind: "problem", message, isLack: true };
}
