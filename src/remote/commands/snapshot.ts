import { z } from "zod";
import { identifier } from "../../config/values.ts";
import { command, type Command, type CommandCall, type CommandSpec } from "../command.ts";

/** A picture now. */

const args = z.strictObject({
  camera: identifier.optional().describe("The first one when left out"),
  inline: z.boolean().default(false).describe("Put the JPEG into the reply, in base64, where it fits"),
});

export type SnapshotArgs = z.output<typeof args>;

export const snapshotSpec = {
  name: "snapshot",
  summary: "Takes a frame now and keeps it as a record, whatever the rules say.",
  scope: "capture",
  args,
  effect: true,
  slow: true,
  example: { camera: "front", inline: false },
  answer:
    "`result`: `stored`, or `not-owed` where no target wants it; the record's id, name, sequence and detections; with `inline` `image`: its base64, or that it was left out and why",
} as const satisfies CommandSpec<typeof args>;

export const snapshotSpecs: readonly CommandSpec[] = [snapshotSpec];

export interface SnapshotPort {
  /** Fails with `CAMERA_…` in bounded time when there is no picture, and with `SPOOL_FULL` or `DISK_FULL`. */
  snapshot(args: SnapshotArgs, call: Pick<CommandCall, "dry" | "signal">): Promise<object>;
}

export function snapshotCommands(port: SnapshotPort): readonly Command[] {
  return [command(snapshotSpec, async (given, call) => port.snapshot(given, call))];
}
