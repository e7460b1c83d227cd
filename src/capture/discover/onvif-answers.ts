/** Reads what ONVIF devices answer, as the package hands it on: objects of unknown shape, full of foreign text. Pure. */

interface DeviceMatch {
  readonly name: string;
  readonly service: string;
}

interface ProfileFacts {
  readonly token: string;
  readonly name: string;
  readonly encoding?: string;
  readonly width?: number;
  readonly height?: number;
  readonly framesPerSecond?: number;
}

/** One answer to a probe. Undefined when it is none, or not of a camera. */
export function matchOf(answer: unknown, sender: string): DeviceMatch | undefined {
  const match = valueIn(valueIn(answer, "probeMatches"), "probeMatch");
  const scopes = textIn(match, "scopes") ?? "";
  const isVideo = /NetworkVideoTransmitter/.test(textIn(match, "types") ?? "") || scopes.includes("onvif://");
  const addresses = (textIn(match, "XAddrs") ?? "").split(/\s+/).filter((text) => /^https?:\/\//i.test(text));
  const services = addresses.filter((text) => URL.canParse(text)).map((text) => new URL(text));
  // A device on several networks names all of its addresses; the one that it sent from can be reached.
  const service = services.find(({ hostname }) => bare(hostname) === sender) ?? services[0];
  if (!isVideo || service === undefined || service.href.length > 300) return undefined;
  if (/^(?:0\.0\.0\.0|169\.254\.)/.test(service.hostname)) service.hostname = sender;
  service.username = "";
  service.password = "";
  const words = [scopeOf(scopes, "name"), scopeOf(scopes, "hardware")].filter((word) => word !== "");
  const name = [...new Set(words)].join(" ");
  return { name: name === "" ? service.hostname : name, service: service.href };
}

/** `onvif://www.onvif.org/name/Front%20door` among the scopes. */
function scopeOf(scopes: string, kind: string): string {
  const value = new RegExp(`onvif://www\\.onvif\\.org/${kind}/(\\S{1,200})`, "i").exec(scopes)?.[1] ?? "";
  try {
    return printable(decodeURIComponent(value));
  } catch {
    return printable(value);
  }
}

/** Those that have a token, by which alone their addresses can be asked for. */
export function profilesOf(profiles: unknown): readonly ProfileFacts[] {
  if (!Array.isArray(profiles)) return [];
  return profiles.flatMap((profile: unknown) => {
    const token = textIn(valueIn(profile, "$"), "token");
    if (token === undefined || /[<>&]/.test(token)) return [];
    const encoder = valueIn(profile, "videoEncoderConfiguration");
    const size = valueIn(encoder, "resolution");
    const encoding = textIn(encoder, "encoding");
    const facts = {
      width: numberIn(size, "width"),
      height: numberIn(size, "height"),
      framesPerSecond: numberIn(valueIn(encoder, "rateControl"), "frameRateLimit"),
    };
    const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
    const name = printable(textIn(profile, "name") ?? token);
    return [{ token, name, ...(encoding === undefined ? {} : { encoding: printable(encoding) }), ...known }];
  });
}

/** The package makes numbers of texts that look like one, tokens and names among them. */
export function textIn(value: unknown, key: string): string | undefined {
  const found = valueIn(value, key);
  const text = typeof found === "object" ? valueIn(found, "_") : found;
  return typeof text === "string" || typeof text === "number" ? String(text) : undefined;
}

function numberIn(value: unknown, key: string): number | undefined {
  const found = valueIn(value, key);
  return typeof found === "number" && Number.isFinite(found) && found > 0 ? found : undefined;
}

function valueIn(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

/** An IPv6 address without its brackets; any other host as it is. */
export function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

function printable(text: string): string {
  return text
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ")
    .trim()
    .slice(0, 80);
}
