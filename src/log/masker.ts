import { logLimits } from "../core/limits.ts";
import { mask, maskUrls, secretForms } from "../core/mask.ts";

/** Text in, the same text without any secret and at most `stringChars` long out. */
export type Masker = (text: string) => string;

/** Credentials in the two forms that HTTP headers have, whoever they belong to; an ordinary word after them is none. */
const authorization = /\b(Basic|Bearer) (?=[a-z+/._~-]{0,64}[A-Z0-9=])[A-Za-z0-9+/=._~-]{8,}/g;

/** Read from files that no config knows the content of; also URL-encoded, and with the end cut off. */
const privateKey = /-----BEGIN[A-Z0-9 %+]{1,60}KEY-----[^-]*(-----END[A-Z0-9 %+]{1,60}KEY-----)?/g;

export function createMasker(secrets: readonly string[]): Masker {
  const forms = [...new Set(secrets.flatMap(formsOf))].toSorted((a, b) => b.length - a.length);
  const longest = forms[0]?.length ?? 0;
  const known = forms.length === 0 ? undefined : new RegExp(forms.map(escaped).join("|"), "g");
  return (text) => {
    const scanned = text.slice(0, logLimits.scannedChars);
    const withoutKnown = known === undefined ? scanned : scanned.replace(known, mask);
    const masked = maskUrls(withoutKnown).replace(authorization, `$1 ${mask}`).replace(privateKey, mask);
    // The end of the scanned part may hold the beginning of a secret that the pattern could not see whole.
    const safeChars = scanned.length < text.length ? Math.max(0, masked.length - longest) : masked.length;
    const shownChars = Math.min(safeChars, logLimits.stringChars);
    return shownChars < masked.length || scanned.length < text.length
      ? `${masked.slice(0, shownChars)}… (${text.length} characters)`
      : masked;
  };
}

/** How a secret may appear in a text: as it is, in a URL, in a form, in JSON, in base64 alone or behind a user name. */
function formsOf(secret: string): readonly string[] {
  const whole = [secret, secret.trim()];
  // A key in PEM form is quoted line by line.
  const lines = secret.includes("\n") ? secret.split(/\r?\n/).filter((line) => line.length >= 8) : [];
  const plain = [...whole, ...lines].filter((text) => text.length >= logLimits.secretCharsMin);
  return plain.flatMap((text) => [
    ...secretForms(text),
    JSON.stringify(JSON.stringify(text).slice(1, -1)).slice(1, -1),
    ...base64Forms(text),
  ]);
}

/**
 * `user:password` in base64 shows the password at one of three alignments. The characters at both ends also carry
 * bits of their neighbours, so only those in between can be searched for.
 */
function base64Forms(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  const forms: string[] = [];
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    const start = Math.ceil((before * 8) / 6);
    const end = Math.floor(((before + bytes.length) * 8) / 6);
    const inner = encoded.slice(start, end);
    if (inner.length >= 6) forms.push(inner, inner.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return forms;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`);
}
