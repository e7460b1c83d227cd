import { z } from "zod";
import { label, labelList } from "../../config/label-rules.ts";
import { fraction } from "../../config/values.ts";
import { command, type Command, type CommandSpec } from "../command.ts";
import type { Settings } from "../settings.ts";

/** What counts as a detection. */

const args = z
  .strictObject({
    threshold: fraction.nullable().optional().describe("Lowest score that counts; null: the model's own"),
    thresholds: z
      .record(label, fraction.nullable())
      .nullable()
      .optional()
      .describe("The same for single labels; null takes one away, or all"),
    allow: labelList.nullable().optional().describe("Only these labels; null: all"),
    deny: labelList.nullable().optional().describe("Never these labels; null: none"),
    minBox: z
      .number()
      .min(0)
      .max(10_000)
      .nullable()
      .optional()
      .describe("Pixels: a box whose shorter side is smaller is forgotten"),
    whenAway: z
      .enum(["keep-unlabelled", "drop"])
      .optional()
      .describe("What becomes of frames while the detector is away"),
  })
  .refine((given) => Object.keys(given).length > 0, "nothing to set");

export const detectSetSpec = {
  name: "detect.set",
  summary: "Changes which detections count. It stays in the config.",
  scope: "config",
  args,
  effect: true,
  example: { threshold: 0.4, thresholds: { person: 0.3 } },
  answer: "what was changed in the config, and how it was applied",
} as const satisfies CommandSpec<typeof args>;

export const detectSpecs: readonly CommandSpec[] = [detectSetSpec];

/** The arguments have the names and forms of the config's section `detector`. */
export function detectCommands(settings: Settings): readonly Command[] {
  return [command(detectSetSpec, async (detector, call) => settings.change({ detector }, call))];
}
