import type { Clock } from "../../core/clock.ts";
import { AgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CameraDriver } from "../../core/ports.ts";
import type { CaptureLimits } from "../judge.ts";
import type { ProgramCommand } from "../stream/camera-program.ts";
import { installedProgram } from "../stream/find-program.ts";
import { ProgramDriver } from "../stream/program-driver.ts";
import { ProgramShotDriver } from "../stream/program-shots.ts";
import { isAllowedArgument, stillArguments, videoArguments, type RpicamOptions } from "./options.ts";

/** The names of today, then those before 2024. */
export const videoPrograms: readonly string[] = ["rpicam-vid", "libcamera-vid"];
const stillPrograms = ["rpicam-still", "libcamera-still"];

/**
 * A Raspberry Pi camera through rpicam-apps. It restarts a sensor that timed out by itself, so that no watchdog may be
 * shorter than 5 s.
 */
export function rpicamDriver(options: RpicamOptions, clock: Clock, limits: Partial<CaptureLimits> = {}): CameraDriver {
  const named = { kind: "rpicam", source: `camera ${options.camera}` };
  const command = async (programs: readonly string[], argv: readonly string[]): Promise<ProgramCommand> => {
    refuseUnknown(options);
    const program = await installedProgram(programs, " (Raspberry Pi OS: package rpicam-apps-lite)");
    return { program, argv, secrets: [] };
  };
  if (options.mode === "still") {
    const runTimeMs = { ...captureLimits, ...limits }.programTimeoutMs;
    const still = async () => command(stillPrograms, stillArguments(options));
    return new ProgramShotDriver({ ...named, runTimeMs, command: still }, clock, limits);
  }
  const framePeriodMs = 1_000 / options.sourceFramesPerSecond;
  const video = async () => command(videoPrograms, videoArguments(options));
  const recipe = { ...named, framing: "jpegs", framePeriodMs, mayRepeat: false, command: video } as const;
  return new ProgramDriver(recipe, clock, limits);
}

function refuseUnknown(options: RpicamOptions): void {
  const wrong = options.arguments.find((argument) => !isAllowedArgument(argument));
  if (wrong === undefined) return;
  const message = `rpicam camera ${options.camera}: the argument ${JSON.stringify(wrong.slice(0, 80))} is not allowed`;
  throw new AgentError("CAMERA_OPTION_REFUSED", message, { disposition: "fatal" });
}
