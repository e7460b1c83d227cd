import { z } from "zod";
import { discoveryLimits, remoteLimits } from "../core/remote-limits.ts";
import { uniqueIds } from "../config/sections.ts";
import { byteSize, duration, identifier, lifetime, secret, tls } from "../config/values.ts";
import { brokerUrl } from "../targets/config.ts";
import { scopes } from "./command.ts";

/** The section `remote` of the config: how this device is steered over MQTT. */

const topicPrefix = z
  .string()
  .regex(/^[^#+\s]{1,128}\/$/, "expected the beginning of a topic, without wildcards, ending in /");

const key = z.strictObject({
  id: identifier.describe("Named in each request"),
  publicKey: z
    .string()
    .regex(/^[A-Za-z0-9+/]{43}=$/, "expected 44 characters of base64, as `framepost commands keygen` prints them")
    .describe("Ed25519 public key"),
  scopes: z.array(z.enum(scopes)).min(1).describe("What this key may do"),
});

const homeAssistant = z
  .strictObject({
    enabled: z.boolean().default(true).describe("Announce this device to Home Assistant"),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, "expected one level of a topic")
      .default("homeassistant")
      .describe("Discovery prefix, as set in Home Assistant"),
    pictures: z.boolean().default(false).describe("Publish the last kept frame of each camera, reduced"),
    maxPictureBytes: byteSize
      .refine(
        (bytes) => bytes >= discoveryLimits.pictureBytesMin && bytes <= discoveryLimits.pictureBytesMax,
        "expected 4KB to 1MB",
      )
      .prefault("100KB")
      .describe("Pictures are reduced to this size"),
  })
  .describe("Home Assistant finds this device by itself");

export const remoteConfig = z
  .strictObject({
    url: brokerUrl,
    username: z.string().min(1).optional(),
    password: secret.optional(),
    clientId: z.string().min(1).max(64).optional().describe("Unique at the broker; framepost-{device} when left out"),
    protocol: z.enum(["auto", "5", "3.1.1"]).default("auto").describe("auto asks for MQTT 5 and falls back on 3.1.1"),
    tls: tls.optional(),
    allowAnonymous: z
      .boolean()
      .default(false)
      .describe("Obey a broker in the network that asks neither for a password nor for a certificate"),
    root: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, "expected one level of a topic")
      .default("framepost")
      .describe("First level of all topics"),
    groups: z
      .array(identifier)
      .max(remoteLimits.groupsMax)
      .default([])
      .describe("Commands to these groups are obeyed too"),
    groupEffects: z
      .boolean()
      .default(false)
      .describe("Whether commands to a group or to all may change anything; else they may only ask"),
    responseTopics: z
      .array(topicPrefix)
      .max(remoteLimits.groupsMax)
      .default(["framepost/reply/"])
      .describe("Replies go to a caller's own topic only under one of these"),
    unsigned: z
      .array(z.enum(scopes))
      .optional()
      .describe("What requests without a signature may do. Everything when there are no keys, else only read"),
    keys: z.array(key).max(remoteLimits.keysMax).check(uniqueIds("key")).default([]).describe("Who may sign requests"),
    statusEvery: lifetime
      .default(remoteLimits.statusEveryMs)
      .describe("How often the status is published at the least"),
    reconnectMax: duration.default(60_000).describe("Longest pause between two tries to connect"),
    revertAfter: lifetime
      .default(120_000)
      .describe("A changed config is taken back when the broker was not reached with it for this long"),
    homeAssistant: homeAssistant.prefault({}),
  })
  .superRefine((remote, context) => {
    const isOwn = /^mqtts?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|\/|$)/.test(remote.url);
    if (!isOwn && !remote.allowAnonymous && remote.username === undefined && remote.tls?.cert === undefined) {
      const message =
        "whoever reaches this broker commands this device: set username and password, tls.cert, or allowAnonymous";
      context.addIssue({ code: "custom", path: ["url"], message });
    }
    if (remote.tls !== undefined && !remote.url.startsWith("mqtts:")) {
      context.addIssue({ code: "custom", path: ["tls"], message: "needs an mqtts:// url" });
    }
    if (remote.password !== undefined && remote.username === undefined) {
      context.addIssue({ code: "custom", path: ["password"], message: "needs a username" });
    }
  })
  .describe("Remote commands over MQTT, status, and discovery; off when left out");

export type RemoteConfig = z.output<typeof remoteConfig>;
