import { z } from "zod";
import { identifier } from "../../config/values.ts";
import { command, type Command, type CommandCall, type CommandSpec } from "../command.ts";

/** The cameras themselves. */

const listArgs = z.strictObject({});

export const cameraListSpec = {
  name: "camera.list",
  summary: "Says how each camera is.",
  scope: "read",
  args: listArgs,
  effect: false,
  example: {},
  answer:
    "`cameras`: id, driver and state of each (starting, running, stalled, backoff, paused, stopped, ended), the age of its last frame, how its picture is, what it counted, and its last error",
} as const satisfies CommandSpec<typeof listArgs>;

const reopenArgs = z.strictObject({ camera: identifier });

export const cameraReopenSpec = {
  name: "camera.reopen",
  summary: "Stops the driver of a camera and starts it anew, at once, also where it waits before its next try.",
  scope: "capture",
  args: reopenArgs,
  effect: true,
  slow: true,
  repeatable: true,
  example: { camera: "front" },
  answer: "the state that the camera then had: `running`, or `starting` where it takes longer",
} as const satisfies CommandSpec<typeof reopenArgs>;

export const cameraSpecs: readonly CommandSpec[] = [cameraListSpec, cameraReopenSpec];

export interface CameraPort {
  list(): object;
  /** Fails with `CAMERA_…` when it is off, and when it does not come back. */
  reopen(cameraId: string, call: Pick<CommandCall, "dry" | "signal">): Promise<object>;
}

export function cameraCommands(port: CameraPort): readonly Command[] {
  return [
    command(cameraListSpec, async () => port.list()),
    command(cameraReopenSpec, async ({ camera }, call) => port.reopen(camera, call)),
  ];
}
