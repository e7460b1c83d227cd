import { z } from "zod";
import { identifier } from "../../config/values.ts";
import { remoteLimits } from "../../core/remote-limits.ts";
import { command, type Command, type CommandCall, type CommandSpec } from "../command.ts";

/** Whether, and how fast, records are sent. Capture goes on, and what waits is kept as long as there is room. */

const target = identifier.optional().describe("Every target when left out");

const pauseArgs = z.strictObject({
  target,
  durationMs: z
    .int()
    .min(1_000)
    .max(remoteLimits.pauseMaxMs)
    .optional()
    .describe("Until it is ended when left out. Time in which the agent is not running does not count"),
});

const resumeArgs = z.strictObject({ target });

const limitArgs = z.strictObject({
  bytesPerSecond: z
    .union([z.literal(0), z.int().min(remoteLimits.uploadLimitMin).max(remoteLimits.uploadLimitMax)])
    .describe("Of pictures, over all targets, on average, whatever the config says; 0 leaves it to the config again"),
});

export const uploadPauseSpec = {
  name: "upload.pause",
  summary: "Sends nothing more, to one target or to all; what is on its way arrives. Kept over a restart.",
  scope: "queue",
  args: pauseArgs,
  effect: true,
  repeatable: true,
  example: { durationMs: 3_600_000 },
  answer: "paused: the targets",
} as const satisfies CommandSpec<typeof pauseArgs>;

export const uploadResumeSpec = {
  name: "upload.resume",
  summary: "Ends pauses.",
  scope: "queue",
  args: resumeArgs,
  effect: true,
  repeatable: true,
  example: {},
  answer: "resumed: the targets that were paused",
} as const satisfies CommandSpec<typeof resumeArgs>;

export const uploadLimitSpec = {
  name: "upload.limit",
  summary: "Limits how many bytes of pictures are sent a second, over all targets together. Kept over a restart.",
  scope: "queue",
  args: limitArgs,
  effect: true,
  repeatable: true,
  example: { bytesPerSecond: 50_000 },
  answer: "bytesPerSecond: the limit in force, and before: the one that it replaces; 0 is none",
} as const satisfies CommandSpec<typeof limitArgs>;

export const uploadSpecs: readonly CommandSpec[] = [uploadPauseSpec, uploadResumeSpec, uploadLimitSpec];

/** With `dry` nothing changes. Fails with `TARGET_UNKNOWN`, and with `STATE_…` where it cannot be kept. */
export interface UploadPort {
  pause(target: string | undefined, durationMs: number | undefined, call: Pick<CommandCall, "dry">): Promise<object>;
  resume(target: string | undefined, call: Pick<CommandCall, "dry">): Promise<object>;
  /** 0: none. */
  limit(bytesPerSecond: number, call: Pick<CommandCall, "dry">): Promise<object>;
}

export function uploadCommands(port: UploadPort): readonly Command[] {
  return [
    command(uploadPauseSpec, async (args, call) => port.pause(args.target, args.durationMs, call)),
    command(uploadResumeSpec, async (args, call) => port.resume(args.target, call)),
    command(uploadLimitSpec, async ({ bytesPerSecond }, call) => port.limit(bytesPerSecond, call)),
  ];
}
