/** Addresses as ONVIF devices give them out: with passwords in them, and with hosts that nobody can reach. Pure. */

export interface DeviceAddress {
  /** Without user and password, on a host that can be reached. */
  readonly url: string;
  /** True when a user, a password or a token stood in it, which the operator has to put back. */
  readonly hadLogin: boolean;
  /** Another host than the device's own: right for a recorder's cameras, wrong behind a router. */
  readonly otherHost?: string;
}

const schemes = /^(?:rtsp|rtsps|http|https):$/;
/** Not only in queries: some cameras write `/user=admin_password=x_channel=1_stream=0.sdp`. */
const loginInPath = /((?:user(?:name)?|usr|login|pass(?:word|wd)?|pwd|token|auth|secret)=)[^&_/?;]*/gi;

/** Undefined when it is no address of a stream or a picture. */
export function cleanAddress(
  given: unknown,
  deviceHost: string,
  secrets: readonly string[] = [],
): DeviceAddress | undefined {
  if (typeof given !== "string" || given.length > 2_048 || !URL.canParse(given.trim())) return undefined;
  const url = new URL(given.trim());
  if (!schemes.test(url.protocol) || url.hostname === "") return undefined;
  let hadLogin = url.username !== "" || url.password !== "";
  url.username = "";
  url.password = "";
  if (isNowhere(url.hostname) && !isNowhere(deviceHost)) url.hostname = deviceHost;
  const otherHost = url.hostname === deviceHost ? {} : { otherHost: url.hostname };
  let text = url.href.replaceAll(loginInPath, "$1***");
  for (const secret of secrets.filter((word) => word.length >= 3)) text = text.replaceAll(secret, "***");
  hadLogin ||= text !== url.href;
  // Bound for a config, where a device could have it filled with a file's or a variable's text: `${file:…}`.
  return { url: text.replaceAll("{", "%7B"), hadLogin, ...otherHost };
}

/** Addresses that mean "this device" to the device itself. */
function isNowhere(host: string): boolean {
  return /^(?:0\.0\.0\.0|127(?:\.\d+){3}|169\.254(?:\.\d+){2}|localhost|\[::1?\])$/i.test(host);
}

/** The device service that a person named: a host, a host with a port, or the whole address. Undefined when neither. */
export function deviceService(given: string): URL | undefined {
  const text = /^https?:\/\//i.test(given) ? given : `http://${given}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || url.search !== "") return undefined;
  if (url.pathname === "/") url.pathname = "/onvif/device_service";
  return url;
}
