import { z } from "zod";
import { identifier } from "../../config/values.ts";
import { command, type Command, type CommandSpec } from "../command.ts";

/** Why frames were kept or not. */

const args = z
  .strictObject({
    camera: identifier.optional().describe("The latest decisions on its frames"),
    record: z.string().min(1).max(128).optional().describe("Why this record was kept, by its id"),
  })
  .refine(({ camera, record }) => camera === undefined || record === undefined, "one of camera and record");

export type ExplainFrameArgs = z.output<typeof args>;

export const explainFrameSpec = {
  name: "explain.frame",
  summary: "Says why frames were kept or not: of one camera, of a record, or the last decision on each camera.",
  scope: "read",
  args,
  effect: false,
  example: { camera: "front" },
  answer:
    "`cameras`: the state of each and its `decisions`, newest first: `kind`, `why` (a stable word), `text` for a person, what the detector was surest of as `best`, `record`, and for how many frames in a row it holds; of a record its `decision`",
} as const satisfies CommandSpec<typeof args>;

export const explainFrameSpecs: readonly CommandSpec[] = [explainFrameSpec];

export interface ExplainFramePort {
  /** Fails with `CAMERA_UNKNOWN` or `RECORD_UNKNOWN`. */
  explain(args: ExplainFrameArgs): Promise<object>;
}

export function explainFrameCommands(port: ExplainFramePort): readonly Command[] {
  return [command(explainFrameSpec, async (given) => port.explain(given))];
}
