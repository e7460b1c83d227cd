import { z } from "zod";
import { mask, maskUrls, pathSecrets, urlsIn } from "../core/mask.ts";
import { hasPlaceholder, maskedDefaults, maskedPlaceholders } from "./placeholders.ts";
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
    // Of a secret address too: what it carries may be shown without the rest of it, for example in a proxy's refusal.
    if (typeof item === "string") for (const text of urlSecrets(item)) values.add(text);
  });
  return [...values].filter((text) => text !== "");
}

/**
 * The effective config in the operator's form, every default filled in. What a placeholder filled is shown as that
 * placeholder, so that what is shown works as a config again; every other secret, wherever it stands, as `***`.
 */
export function shownConfig(
  schema: z.core.$ZodType,
  config: unknown,
  { redacted, secrets }: { readonly redacted: unknown; readonly secrets: readonly string[] },
): unknown {
  const inFileForm = mapConfig(schema, config, (item, { codec, secret }) => {
    if (codec === undefined || secret) return item;
    // A value that cannot be written back, such as the result of a one-way transform, is shown as it is.
    try {
      return z.core.encode(codec, item);
    } catch {
      return item;
    }
  });
  const hide = hiding(secrets);
  const hidden = mapConfig(schema, inFileForm, (item, { secret }) => {
    if (secret) return item;
    if (typeof item === "string") return hide(item);
    // The 1 of a URL's `?channel=1` is no reason to mask every 1.
    return typeof item === "number" && item >= 100 && hide(String(item)) === mask ? mask : item;
  });
  return mapConfig(schema, redact(schema, hidden), (item, { path, secret }) => {
    const written = valueAt(redacted, path);
    if (typeof written !== "string" || !hasPlaceholder(written)) return item;
    return secret ? maskedPlaceholders(written) : maskedDefaults(written);
  });
}

/** The scheme of an address stays, so that it is an address still. */
function maskedSecret(secret: unknown): string {
  if (typeof secret !== "string") return mask;
  if (hasPlaceholder(secret)) return maskedPlaceholders(secret);
  return `${/^https?:\/\//.exec(secret)?.[0] ?? ""}${mask}`;
}

/**
 * Masks every one of `secrets` in a text, also in the forms that a field may give it: trimmed, or encoded for a URL. One
 * of a letter or two is only masked where it is the whole text: anything else would make every text unreadable and
 * protect nothing.
 */
export function hiding(secrets: readonly string[]): (text: string) => string {
  const forms = new Set(
    secrets.flatMap((secret) => [secret, secret.trim(), secret.replace(/\/+$/, "")]).flatMap(encoded),
  );
  const long = [...forms].filter((form) => form.length > 2).sort((a, b) => b.length - a.length);
  return (text) =>
    forms.has(text) && text !== "" ? mask : long.reduce((rest, form) => rest.replaceAll(form, mask), text);
}

function encoded(text: string): readonly string[] {
  try {
    return [text, encodeURI(text), encodeURIComponent(text)];
  } catch {
    // Half a surrogate pair cannot be encoded.
    return [text];
  }
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
  // A value that is one address as a whole may hold a quote, which ends an address in running text.
  const urls = /^[a-z][a-z0-9+.-]*:\/\/\S+$/i.test(text) ? [text] : urlsIn(text);
  for (const url of urls) {
    const rest = url.slice(url.indexOf("://") + 3);
    const userInfo = rest.slice(0, Math.max(0, rest.lastIndexOf("@")));
    const colon = userInfo.indexOf(":");
    if (colon !== -1) found.push(userInfo.slice(colon + 1));
    const query = rest
      .slice(userInfo.length)
      .split(/[?#&;]/)
      .slice(1);
    found.push(...pathSecrets(rest.slice(userInfo.length)));
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
