import { z } from "zod";
import { identifier } from "../../config/values.ts";
import { command, type Command, type CommandSpec } from "../command.ts";

/** A picture now. */

const args = z.strictObject({
  camera: identifier.optional().describe("The first one when left out"),
});

export const snapshotSpec = {
  name: "snapshot",
  summary: "Takes a frame now and keeps it as a record, whatever the rules say.",
  scope: "capture",
  args,
  effect: true,
  slow: true,
  example: { camera: "front" },
  answer: "the record's id, name, sequence and detections",
} as const satisfies CommandSpec<typeof args>;

export const snapshotSpecs: readonly CommandSpec[] = [snapshotSpec];

export interface SnapshotPort {
  snapshot(camera: string | undefined, options: { readonly dry: boolean }, signal: AbortSignal): Promise<object>;
}

export function snapshotCommands(port: SnapshotPort): readonly Command[] {
  return [command(snapshotSpec, async ({ camera }, { dry, signal }) => port.snapshot(camera, { dry }, signal))];
}
