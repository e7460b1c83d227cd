import { z } from "zod";

/** What the topics `event/{kind}` say: what has just happened, each once. Not retained; kept through an outage. */

const count = z.int().min(0);
const cause = z.string().optional().describe("Stable code of the error");

export const eventData = {
  kept: z
    .strictObject({ records: count, byRule: z.record(z.string(), count) })
    .describe("Records were kept since the last such event, at most one every 10 seconds"),
  "camera-lost": z
    .strictObject({ camera: z.string(), state: z.string(), error: cause })
    .describe("A camera gives no pictures; it is opened again and again"),
  "camera-back": z.strictObject({ camera: z.string() }).describe("It gives pictures again"),
  "target-away": z
    .strictObject({ target: z.string(), error: cause })
    .describe("A target takes nothing; what it is owed waits"),
  "target-back": z.strictObject({ target: z.string() }).describe("It takes records again"),
  quarantined: z
    .strictObject({ target: z.string(), deliveries: count, error: cause })
    .describe("Deliveries were set aside for good"),
  "spool-full": z
    .strictObject({ paused: z.array(z.string()).describe("Cameras that wait for room") })
    .describe("There is no room for records, and none may be evicted: capture pauses"),
  "spool-free": z.strictObject({}).describe("There is room again"),
  "model-switched": z
    .strictObject({ to: z.string().optional(), from: z.string().optional() })
    .describe("Another model is in use"),
  "model-rolled-back": z
    .strictObject({ what: z.string().describe("Which model went back, to which, and why") })
    .describe("A model failed while on probation and has gone back by itself"),
  "config-changed": z
    .strictObject({ revision: count, paths: z.array(z.string()).describe("JSON pointers of what changed") })
    .describe("A command has changed the config, and the change stays"),
  "config-reverted": z
    .strictObject({ revision: count, paths: z.array(z.string()), reason: z.string().optional() })
    .describe("A change was taken back by itself: with it the broker was not reached, or something not started"),
  cloned: z
    .strictObject({
      instance: z.string().describe("Of this process, as in its info"),
      other: z.string().describe("Of the other one; unknown where its info cannot be read"),
      times: count.describe("How often it was met"),
      holdMs: count.describe("How long this one now stays away from the broker"),
    })
    .describe("Another device lives under this one's name, as a copied card does; this one leaves for a while"),
  audit: z
    .looseObject({ command: z.string(), id: z.string(), key: z.string().optional() })
    .describe("A command with an effect has ended: who asked, what, and what came of it"),
} as const;

export type EventKind = keyof typeof eventData;

/** A told event, before the envelope. */
export type DeviceEvent = {
  [Kind in EventKind]: { readonly kind: Kind; readonly data: Readonly<z.output<(typeof eventData)[Kind]>> };
}[EventKind];

/** Around the data of each. */
export const eventEnvelope = {
  v: z.literal(1),
  device: z.string(),
  event: z.string().describe("Its kind, as in the topic"),
  seq: count.describe("Counts this device's events since its start"),
  upMs: count.describe("Since its start"),
};

export function eventSchema(kind: EventKind): z.ZodObject {
  return z.strictObject({ ...eventEnvelope, data: eventData[kind] });
}
