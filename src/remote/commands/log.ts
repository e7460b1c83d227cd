import { z } from "zod";
import { remoteLimits } from "../../core/remote-limits.ts";
import { command, type Command, type CommandSpec } from "../command.ts";

/** How much the log says. */

const levels = ["debug", "info", "warn", "error"] as const;

const args = z.strictObject({
  level: z.enum(levels).describe("Least level that is logged"),
  durationMs: z
    .int()
    .min(1_000)
    .max(remoteLimits.logLevelForMaxMs)
    .optional()
    .describe("After this it goes back to the configured level; at the next start it does anyway"),
});

export const logLevelSpec = {
  name: "log.level",
  summary: "Sets the level of the log, for a while or until the next start.",
  scope: "config",
  args,
  effect: true,
  repeatable: true,
  example: { level: "debug", durationMs: 600_000 },
  answer: "level, the one before (from), and for how long (durationMs) where that is limited",
} as const satisfies CommandSpec<typeof args>;

export const logSpecs: readonly CommandSpec[] = [logLevelSpec];

export interface LogPort {
  /** Answers with the level before. With `dry` nothing changes. */
  setLevel(level: (typeof levels)[number], options: { readonly durationMs?: number; readonly dry: boolean }): string;
}

export function logCommands(port: LogPort): readonly Command[] {
  return [
    command(logLevelSpec, async ({ level, durationMs }, { dry }) => {
      const limited = durationMs === undefined ? {} : { durationMs };
      return { level, from: port.setLevel(level, { dry, ...limited }), ...limited };
    }),
  ];
}
