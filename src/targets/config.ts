import { z } from "zod";
import { weeklySchedule } from "../config/schedule.ts";
import { capacity, fraction, lifetime, secret, tls } from "../config/values.ts";
import { reduceLimits } from "../core/deliver-limits.ts";
import { isPrivateHost } from "../link/hosts.ts";

/** The keys of a RecordFilter, for every target that takes images: spread into the target's own strict object. */
export const filterFields = {
  labels: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Send only records that show at least one of these labels"),
  minScore: fraction
    .default(0)
    .describe("Send only detections at or above this score; the model's threshold still holds"),
  includeEmpty: z.boolean().default(false).describe("Also send frames on which nothing was detected"),
  includeUnlabelled: z
    .boolean()
    .default(false)
    .describe("Also send frames that the detector never saw, for example while it was restarting"),
};

/** What delivery and the spool have to know of a target, for every target: spread into its own strict object. */
export const queueFields = {
  enabled: z
    .boolean()
    .default(true)
    .describe("Whether anything is sent; records are owed all the same, within the backlog, and go when it is enabled"),
  schedule: weeklySchedule
    .optional()
    .describe("Weekly windows in which it is sent to, in the place of upload.schedule"),
  newestShare: fraction
    .default(0)
    .describe("Share of what is sent that goes to the newest records while many are waiting; 0 sends the oldest first"),
  backfill: z
    .boolean()
    .default(false)
    .describe("Also send the records that are in the spool already when this target is new"),
  backlog: z
    .strictObject({
      maxRecords: z.int().min(1).max(10_000_000).optional().describe("Most records that wait for this target"),
      maxBytes: capacity.optional().describe("Most bytes that wait for this target"),
      maxAge: lifetime.optional().describe("Longest that a record waits for this target"),
    })
    .prefault({})
    .describe("Bounds of what waits for this target alone; beyond them its oldest records are given up"),
};

/** For targets whose other side may refuse a size: spread into their own strict object. */
export const reduceFields = {
  reduce: z
    .strictObject({
      enabled: z.boolean().default(true).describe("Send a reduced copy of a picture that is refused for its size"),
      minQuality: z
        .int()
        .min(10)
        .max(95)
        .default(reduceLimits.defaultQualityMin)
        .describe("JPEG quality below which no copy is made"),
      minScale: z
        .number()
        .min(0.1)
        .max(1)
        .default(reduceLimits.defaultScaleMin)
        .describe("Share of width and height below which no copy is made; 1 keeps the size"),
    })
    .prefault({})
    .describe("How far a picture may be reduced where its size is refused; what is still too large is set aside"),
};

/** How a platform is reached over HTTP: spread into the target's own strict object. */
export const connectionFields = {
  tls: tls.optional().describe("Certificates, where the system's are not enough"),
  proxy: secret
    .refine((url) => URL.canParse(url) && /^https?:\/\//.test(url), "expected http://host:port or https://host:port")
    .optional()
    .describe("HTTP proxy that allows CONNECT; the environment's proxy settings are ignored"),
};

export const connection = z.object(connectionFields);

/** A header takes visible ASCII only; a line break copied with a token would otherwise be a puzzling 401. */
export const headerSecret = secret.regex(/^[\x21-\x7e]+$/, "expected visible ASCII characters without spaces");

/** Without its last slash. `notIn`: parts of a path that the client adds itself. */
export function serverUrl(example: string, notIn?: RegExp) {
  return z
    .url({ protocol: /^https?$/, error: `expected an address such as ${example}` })
    .refine(
      (url) => bare(url) && notIn?.test(`${url}/`) !== true,
      `expected an address such as ${example}: no user, query or fragment, and nothing behind it`,
    )
    .overwrite((url) => url.replace(/\/+$/, ""));
}

export const brokerUrl = z
  .string()
  .regex(/^mqtts?:\/\/[^\s/?#@]+\/?$/, "expected mqtt://host:port or mqtts://host:port, without user or password")
  .refine((text) => URL.canParse(text), "expected a host name or address, and a port from 1 to 65535")
  .describe("The broker. Without a port: 1883 for mqtt, 8883 for mqtts (TLS)");

function bare(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password, search, hash } = new URL(url);
  return [username, password, search, hash].every((part) => part === "");
}

/** What an operator should know of a connection although it is allowed. `what` goes over it. Holds no secret. */
export function connectionWarnings(
  {
    id,
    url,
    tls: settings,
  }: { readonly id: string; readonly url: string; readonly tls?: { readonly insecureSkipVerify: boolean } | undefined },
  what: string,
): readonly string[] {
  const { protocol, hostname } = new URL(url);
  const warnings: string[] = [];
  if (protocol === "http:" && !isPrivateHost(hostname)) {
    warnings.push(`${id}: ${what} go to ${hostname} unencrypted over http; use https if the server has it`);
  }
  if (settings?.insecureSkipVerify === true) {
    warnings.push(`${id}: the server's certificate is not checked (tls.insecureSkipVerify); name its CA instead`);
  }
  return warnings;
}

/** The keys of filterFields as an object of their own. Its output is a RecordFilter. */
export const recordFilter = z.strictObject(filterFields);
