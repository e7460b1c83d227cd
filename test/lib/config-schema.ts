import { z } from "zod";
import { dataDir, detector, device, keep, log, spool, uniqueIds } from "../../src/config/sections.ts";
import { byteSize, duration, fraction, identifier, secret, tls } from "../../src/config/values.ts";

const camera = z.discriminatedUnion("driver", [
  z.strictObject({
    id: identifier,
    driver: z.literal("webcam"),
    device: z.string().startsWith("/dev/"),
    interval: duration.default(5_000),
    keep: keep.optional(),
  }),
  z.strictObject({
    id: identifier,
    driver: z.literal("http"),
    url: z.url(),
    interval: duration.prefault("10s"),
    keep: keep.optional(),
  }),
]);

const target = z.discriminatedUnion("kind", [
  z.strictObject({
    id: identifier,
    kind: z.literal("iotown"),
    url: z.url().transform((url) => url.replace(/\/+$/, "")),
    token: secret.regex(/^\S+$/, "expected text without spaces"),
    minScore: fraction.default(0),
    tls: tls.optional(),
  }),
  z.strictObject({
    id: identifier,
    kind: z.literal("mqtt"),
    url: z.string().regex(/^mqtts?:/),
    password: secret.optional(),
    extra: z.record(z.string(), secret).optional(),
    qos: z.union([z.literal(0), z.literal(1)]).default(1),
    maxBytes: byteSize.optional(),
    // Quotes its value on purpose: even a careless schema must not show a secret.
    pin: secret
      .refine((pin) => !pin.startsWith("long-"), { error: (issue) => `bad pin ${String(issue.input)}` })
      .optional(),
    will: z.union([z.string(), z.strictObject({ topic: z.string(), retain: z.boolean() })]).optional(),
  }),
]);

/** The shape of the real root schema, with drivers and targets of its own. */
export const testSchema = z.strictObject({
  version: z.literal(1).optional(),
  device: device.prefault({}),
  dataDir,
  cameras: z.array(camera).min(1).max(4).check(uniqueIds("camera")),
  detector: detector.prefault({}),
  spool: spool.prefault({}),
  targets: z.array(target).max(4).check(uniqueIds("target")).default([]),
  log: log.prefault({}),
});
