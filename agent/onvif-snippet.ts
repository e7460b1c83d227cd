import type { OnvifProfile } from "../src/capture/discover/onvif.ts";
import type { DeviceAddress } from "../src/capture/discover/onvif-address.ts";
import { writeYaml } from "../src/config/yaml.ts";

/** Cameras for the config, of what an ONVIF device offers: ready to be pasted, secrets only named. Pure. */

const idCharsMax = 24;

/** Lines of YAML: each profile's stream, and the still pictures of those that have them. */
export function profileSnippets(profiles: readonly OnvifProfile[], username: string | undefined): readonly string[] {
  const login = username === undefined ? {} : { username, password: `\${credential:${credentialOf(profiles)}}` };
  const lines = profiles.flatMap((profile, index) => {
    const id = idOf(profile.name, index);
    const stream = profile.stream && entry(facts(profile), profile.stream, { id, driver: "ffmpeg" }, "input", login);
    const still = { id: `${id}-still`, driver: "http-snapshot" };
    const snapshot = profile.snapshot && entry(`${profile.name}, pictures`, profile.snapshot, still, "url", login);
    return [...(stream ?? []), ...(snapshot ?? [])];
  });
  return lines.length === 0 ? [] : ["cameras:", ...lines];
}

/** The name of the device's password, which is one for all of its profiles. */
export function credentialOf([first]: readonly OnvifProfile[]): string {
  return `${idOf(first?.name ?? "", 0)}-password`;
}

function entry(
  what: string,
  { url, otherHost }: DeviceAddress,
  head: { readonly id: string; readonly driver: string },
  key: "input" | "url",
  login: object,
): readonly string[] {
  const settings = writeYaml([{ ...head, [key]: url, ...login }])
    .trimEnd()
    .split("\n");
  const doubt = otherHost === undefined ? [] : [`  # the device names another host than its own: ${otherHost}`];
  return [`  # ${what}`, ...doubt, ...settings.map((line) => `  ${line}`)];
}

/** `main: H264 2560×1440, 20 frames/s` */
function facts({ name, encoding, width, height, framesPerSecond }: OnvifProfile): string {
  const size = width === undefined || height === undefined ? "" : ` ${width}×${height}`;
  const rate = framesPerSecond === undefined ? "" : `, ${framesPerSecond} frames/s`;
  return `${name}: ${encoding ?? "video"}${size}${rate}`;
}

/** A profile's name in the letters that a camera's id may have. */
function idOf(name: string, index: number): string {
  const id = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, idCharsMax);
  return id === "" ? `camera-${index + 1}` : id;
}
