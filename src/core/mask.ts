/** Stands in for every secret that would otherwise be shown. */
export const mask = "***";

/**
 * Scheme and user info are bounded so that any text is scanned in linear time. A quote may stand in a password, and ends
 * an address anywhere else.
 */
const urlPattern = /\b[a-z][a-z0-9+.-]{0,15}:\/\/(?:[^\s"<>]{0,256}@)?[^\s"'<>`]*/gi;

/** Some cameras take their login in the path: `/user=admin_password=x_channel=1.sdp`. */
const loginInPath = /((?:pass(?:word|wd)?|pwd|token|secret)=)((?:(?!_[a-z]{1,32}=)[^&/?;#])+)/gi;

/**
 * Any text with the user info, query, fragment and path's password of each URL in it masked. A camera's password often holds an
 * unencoded `/` or `?`, so everything up to the last `@` counts as user info: hiding a path is better than showing one.
 */
export function maskUrls(text: string): string {
  return text.replaceAll(urlPattern, (url) => {
    const authorityAt = url.indexOf("://") + 3;
    const at = url.lastIndexOf("@");
    const scheme = url.slice(0, authorityAt);
    const rest = at < authorityAt ? url.slice(authorityAt) : `${mask}${url.slice(at)}`;
    const end = rest.search(/[?#]/);
    const shown = end === -1 ? rest : `${rest.slice(0, end + 1)}${mask}`;
    return `${scheme}${shown.replaceAll(loginInPath, `$1${mask}`)}`;
  });
}

/** What is a password, by its name, in the path of an address. */
export function pathSecrets(url: string): readonly string[] {
  return [...url.matchAll(loginInPath)].flatMap(([, , secret]) => secret ?? []);
}

/** The addresses in a text, as `maskUrls` sees them. */
export function urlsIn(text: string): readonly string[] {
  return text.match(urlPattern) ?? [];
}

/** How a secret may stand in a text: as it is, in JSON, in an address, in a form. */
export function secretForms(secret: string): readonly string[] {
  const inForm = new URLSearchParams({ a: secret }).toString().slice(2);
  // A lone surrogate has no form in an address but the one with a replacement character.
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(Buffer.from(secret).toString()), inForm];
}
