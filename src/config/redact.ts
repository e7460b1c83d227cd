import { z } from "zod";
import { mask, maskUrls } from "../core/mask.ts";
import { hasPlaceholder, maskedPlaceholders } from "./placeholders.ts";
import { mapConfig, valueAt } from "./schema-walk.ts";
import type { ConfigPath } from "./yaml.ts";

/** Where `value` has secrets: the fields whose schema is marked `.meta({ secret: true })`. */
export function secretPaths(schema: z.core.$ZodType, value: unknown): readonly ConfigPath[] {
  const paths: ConfigPath[] = [];
  mapConfig(schema, value, (_item, { path, secret }) => secret && paths.push(path));
  return paths;
}

/**
 * What may be shown of a config: secrets masked, placeholders of secret fields kept (they say where the secret comes
 * from), URLs without user info and query.
 */
export function redact(schema: z.core.$ZodType, value: unknown): unknown {
  return mapConfig(schema, value, (item, { secret }) => {
    if (item === undefined || item === null) return item;
    if (secret) return maskedSecret(item);
    if (typeof item === "object") return mask;
    return typeof item === "string" ? maskUrls(item) : item;
  });
}

/** Every text of `config` that must never be seen: secret fields, and what URLs in other fields carry. */
export function secretValues(schema: z.core.$ZodType, config: unknown): readonly string[] {
  const values = new Set<string>();
  mapConfig(schema, config, (item, { secret }) => {
    if (secret) for (const text of textsIn(item)) values.add(text);
    else if (typeof item === "string") for (const text of urlSecrets(item)) values.add(text);
  });
  return [...values].filter((text) => text !== "");
}

/**
 * The effective config in the operator's form, every default filled in. A secret is shown as the placeholder that names
 * it in `redacted` (what the operator wrote), so that what is shown works as a config again; else as `***`.
 */
export function shownConfig(schema: z.core.$ZodType, config: unknown, redacted: unknown): unknown {
  const inFileForm = mapConfig(schema, config, (item, { codec, secret }) => {
    if (codec === undefined || secret) return item;
    // A value that cannot be written back, such as the result of a one-way transform, is shown as it is.
    try {
      return z.core.encode(codec, item);
    } catch {
      return item;
    }
  });
  return mapConfig(schema, redact(schema, inFileForm), (item, { path, secret }) => {
    const written = secret ? valueAt(redacted, path) : undefined;
    return typeof written === "string" && hasPlaceholder(written) ? written : item;
  });
}

/** The scheme of an address stays, so that it is an address still. */
function maskedSecret(secret: unknown): string {
  if (typeof secret !== "string") return mask;
  if (hasPlaceholder(secret)) return maskedPlaceholders(secret);
  return `${/^https?:\/\//.exec(secret)?.[0] ?? ""}${mask}`;
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "number") return [String(value)];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

/** A user name alone is not secret, a password is; so is each value of a query and a fragment. */
function urlSecrets(text: string): readonly string[] {
  const found: string[] = [];
  for (const [url] of text.matchAll(/\b[a-z][a-z0-9+.-]{0,15}:\/\/[^\s"'<>`]+/gi)) {
    const rest = url.slice(url.indexOf("://") + 3);
    const userInfo = rest.slice(0, Math.max(0, rest.lastIndexOf("@")));
    const colon = userInfo.indexOf(":");
    if (colon !== -1) found.push(userInfo.slice(colon + 1));
    const query = rest
      .slice(userInfo.length)
      .split(/[?#&;]/)
      .slice(1);
    found.push(...query.map((pair) => pair.slice(pair.indexOf("=") + 1)));
  }
  return found.flatMap((secret) => [secret, decoded(secret)]);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
