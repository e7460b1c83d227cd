import { z } from "zod";

/** Which detections count, and under what name: a manifest says it of its model, and the config above that. */

export const label = z.string().min(1).max(64);
export const labelList = z.array(label).min(1).max(10_000);

export const labelRules = {
  allow: labelList.optional().describe("Only these labels; any other detection is forgotten at once"),
  deny: labelList.optional().describe("Never these labels"),
  rename: z
    .record(label, label)
    .optional()
    .describe("Other names for labels; everything else (thresholds, allow, deny, keep rules) speaks of the new ones"),
  minBox: z
    .number()
    .min(0)
    .max(10_000)
    .optional()
    .describe("Pixels of the picture: a box whose shorter side is smaller is forgotten"),
};
