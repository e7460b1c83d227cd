import { z } from "zod";
import { duration, secret, tls } from "../../config/values.ts";
import { isPrivateHost } from "../../link/hosts.ts";
import { commonCameraFields } from "../config.ts";
import type { HttpCameraOptions } from "./options.ts";

const cameraUrl = z
  .url({ protocol: /^https?$/, error: "expected an address such as http://192.168.1.20/snapshot.jpg" })
  .refine((url) => !hasUserInfo(url), "expected no user:password@ in it; write username and password beside it")
  .refine((url) => !url.includes("#"), "expected no #; a # that belongs to it is written %23");

function hasUserInfo(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password } = new URL(url);
  return username !== "" || password !== "";
}

const timeout = duration.refine((ms) => ms >= 1_000 && ms <= 120_000, "expected 1s to 120s").prefault("10s");

const loginFields = {
  username: z
    .string()
    .regex(/^[^:\p{Cc}]{1,256}$/u, "expected 1 to 256 characters, no colon and no line break")
    .optional()
    .describe("User at the camera, best one that may do nothing but look. Sent only when the camera asks for it"),
  password: secret.optional().describe("The user's password: write ${credential:name}"),
  headers: z
    .record(
      z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, "expected the name of an HTTP header"),
      secret.regex(/^[\x20-\x7e]+$/, "expected visible ASCII characters"),
    )
    .optional()
    .describe("Further headers for every request, for example a key that the camera wants"),
  tls: tls.optional().describe("For https: the camera's own certificate, or the authority that signed it, as tls.ca"),
};

interface Login {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

function checkLogin({ username, password }: Login, context: z.RefinementCtx<Login>): void {
  if (password === undefined || username !== undefined) return;
  context.addIssue({ code: "custom", path: ["password"], message: "needs a username" });
}

export const httpSnapshotCamera = z
  .strictObject({
    ...commonCameraFields,
    driver: z.literal("http-snapshot").describe("A camera that answers each request with one JPEG"),
    url: cameraUrl.describe(
      "Address of the picture. What stands behind the ? is shown nowhere; a password there is percent-encoded",
    ),
    ...loginFields,
    timeout: timeout.describe("For one whole picture, 1s to 120s"),
  })
  .superRefine(checkLogin)
  .describe("Pictures by HTTP, one request each, with Basic or Digest login");

export const httpMjpegCamera = z
  .strictObject({
    ...commonCameraFields,
    driver: z.literal("http-mjpeg").describe("A camera that sends JPEGs without end in answer to one request"),
    url: cameraUrl.describe(
      "Address of the stream. What stands behind the ? is shown nowhere; a password there is percent-encoded",
    ),
    ...loginFields,
    timeout: timeout.describe("For the stream to begin, 1s to 120s. stallAfter bounds silence in it"),
  })
  .superRefine(checkLogin)
  .describe("An MJPEG stream by HTTP, with Basic or Digest login");

export type HttpCameraConfig = z.infer<typeof httpSnapshotCamera> | z.infer<typeof httpMjpegCamera>;

/** The drivers' options in their own units. */
export function httpCameraOptions(config: HttpCameraConfig): HttpCameraOptions {
  const { url, username, password, headers, timeout: timeoutMs } = config;
  return { url, username, password, headers, tls: config.tls, timeoutMs };
}

/** What an operator should know although it is allowed. Holds no secret. */
export function httpCameraWarnings({ id, url, password, headers, tls: settings }: HttpCameraConfig): readonly string[] {
  const { protocol, hostname, search } = new URL(url);
  const secrets = password !== undefined || headers !== undefined || search !== "";
  const open = protocol === "http:" && !isPrivateHost(hostname);
  const what = secrets ? "what logs in to the camera, and its pictures, pass" : "its pictures pass";
  return [
    ...(open ? [`${id}: ${what} unencrypted between here and ${hostname}; use https if the camera has it`] : []),
    ...(settings?.insecureSkipVerify === true
      ? [`${id}: the camera's certificate is not checked (tls.insecureSkipVerify); name it, or its CA, in tls.ca`]
      : []),
  ];
}
