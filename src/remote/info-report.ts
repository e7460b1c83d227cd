import { z } from "zod";

/** What the topic `info` and the command say: what this device is. It changes seldom, and is published when it does. */
export const infoSchema = z.strictObject({
  v: z.literal(1),
  device: z.string(),
  instance: z
    .string()
    .describe("Of this process: another one tells of a restart, or of a second device with this name"),
  version: z.string().describe("Of Framepost"),
  node: z.string(),
  platform: z.string().describe("Operating system and processor, for example linux-arm64"),
  hardware: z.string().optional().describe("What the board calls itself, where it does"),
  cameras: z.array(z.strictObject({ id: z.string(), driver: z.string() })),
  targets: z.array(z.strictObject({ id: z.string(), kind: z.string() })),
  model: z.string().optional().describe("The detector in use; absent while there is none"),
  groups: z.array(z.string()).describe("Commands to these are obeyed too"),
  commands: z.array(z.string()),
  revision: z.int().min(0).describe("Of the config"),
});

export type InfoReport = z.output<typeof infoSchema>;
