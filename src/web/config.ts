import { z } from "zod";
import { webLimits } from "../core/web-limits.ts";
import { duration, secret } from "../config/values.ts";
import { isLoopback, listenAddressOf } from "./listen-address.ts";

/** The section `web` of the config: the page, health and metrics of this device. */

const hostName = z
  .string()
  .regex(/^([a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}$/, "expected the name or address in a URL, without scheme and port");

export const webConfig = z
  .strictObject({
    enabled: z.boolean().default(true).describe("Serve the page, health and metrics"),
    listen: z
      .string()
      .refine(
        (text) => listenAddressOf(text) !== undefined,
        "expected ADDRESS:PORT such as 127.0.0.1:8470 or [::]:8470",
      )
      .default("127.0.0.1:8470")
      .describe("Address and port; anything but this machine itself needs a token"),
    token: secret
      .min(webLimits.tokenCharsMin, `expected at least ${webLimits.tokenCharsMin} characters`)
      .optional()
      .describe("Who does not know it sees nothing; make one with `openssl rand -hex 24`"),
    allowedHosts: z
      .array(hostName)
      .max(webLimits.allowedHostsMax)
      .default([])
      .describe("Other names by which browsers reach it, such as that of a reverse proxy"),
    tls: z
      .strictObject({
        cert: z.string().min(1).describe("PEM file with the certificate, and those between it and the root"),
        key: z.string().min(1).describe("PEM file with its key"),
      })
      .optional()
      .describe("Serve HTTPS"),
    degradedAfter: duration
      .default(webLimits.degradedAfterMs)
      .describe("/healthz answers 503 when something has been wrong for this long"),
  })
  .superRefine(({ enabled, listen, token }, context) => {
    const address = listenAddressOf(listen);
    if (!enabled || address === undefined || isLoopback(address.host) || token !== undefined) return;
    const message = "whoever reaches this address would see the pictures: set token, or listen on 127.0.0.1";
    context.addIssue({ code: "custom", path: ["listen"], message });
  })
  .describe("The page of this device, its health and its metrics");

export type WebConfig = z.output<typeof webConfig>;
