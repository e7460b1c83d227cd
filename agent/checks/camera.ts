import type { CameraPrograms } from "../../src/capture/discover/cameras.ts";
import type { CameraFormat } from "../../src/capture/discover/formats.ts";
import type { V4lCamera } from "../../src/capture/discover/v4l.ts";
import { withFormats } from "../../src/capture/discover/v4l-formats.ts";
import { AgentError, asAgentError } from "../../src/core/errors.ts";
import type { Camera } from "../../src/core/ports.ts";
import type { CameraLook } from "../../src/core/queue.ts";
import type { Vision } from "../../src/core/vision-port.ts";
import type { Frame } from "../../src/core/types.ts";
import { orCameraError } from "../camera-wait.ts";
import type { CameraConfig } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { type Advice, configAdvice, pictureAdvice, sizeAdvice } from "./camera-advice.ts";
import { hintFor } from "../hints.ts";
import { packageOf, sourceOf } from "./camera-source.ts";
import { type CheckResult, failed } from "./result.ts";

/** A watched folder may rightly stay empty for days. */
const folderTimeoutMs = 3_000;

export interface CheckedCamera {
  readonly camera: Camera;
  readonly config: CameraConfig;
  readonly attached: readonly V4lCamera[];
  readonly programs: CameraPrograms;
  readonly vision: Vision;
  /** Of the daemon, where one runs, which then rightly holds cameras that only one program can open. */
  readonly daemonsLooks?: readonly CameraLook[] | undefined;
}

/** One frame, and what is to be said of it and of the camera's settings. Rejects only when it is aborted. */
export async function checkCamera(context: CommandContext, checked: CheckedCamera): Promise<readonly CheckResult[]> {
  const { camera, config, attached } = checked;
  const check = `camera ${camera.id}`;
  const results: CheckResult[] = [];
  const frame = await frameOf(context, checked);
  if ("result" in frame) results.push(frame);
  else {
    const found = `a frame of ${frame.width}×${frame.height}, ${frame.jpeg.length} bytes`;
    results.push({ check, result: "ok", found });
    const offered = await offeredFormats(context, checked, frame);
    const seen = await pictureAdviceOf(context, checked, frame);
    for (const advice of [...sizeAdvice(config, frame, offered), ...seen]) {
      results.push({ check, result: "warning", ...advice });
    }
  }
  for (const advice of configAdvice(config, attached)) results.push({ check, result: "warning", ...advice });
  return results;
}

async function frameOf(
  { signal, clock }: CommandContext,
  { camera, config, daemonsLooks }: CheckedCamera,
): Promise<Frame | CheckResult> {
  const check = `camera ${camera.id}`;
  const isFolder = config.driver === "folder";
  const empty = { check, result: "warning", found: "there is no picture just now", mend: "put a JPEG there" } as const;
  try {
    await camera.start(signal);
    const next = (limited: AbortSignal) => camera.nextFrame(limited);
    const frame = await orCameraError(camera, clock, next, signal, isFolder ? folderTimeoutMs : undefined);
    return frame ?? empty;
  } catch (error) {
    signal.throwIfAborted();
    const waitedInVain = error instanceof AgentError && error.code === "CAMERA_NO_PICTURE";
    if (isFolder && waitedInVain && camera.health().lastError === undefined) return empty;
    if (daemonsLooks !== undefined && error instanceof AgentError && error.code === "CAMERA_BUSY") {
      return lookCheck(
        check,
        daemonsLooks.find(({ id }) => id === camera.id),
      );
    }
    const result = failed(check, error);
    const isMissing = error instanceof AgentError && error.code === "CAMERA_PROGRAM_MISSING";
    return isMissing ? { ...result, mend: mendOfMissing(config) } : result;
  } finally {
    await camera.stop();
  }
}

/** What the daemon knows of a camera that it has open. */
function lookCheck(check: string, look: CameraLook | undefined): CheckResult {
  const here = "the running daemon has it open";
  const mend = "framepost doctor, while it does not run; journalctl -u framepost -p warning";
  if (look === undefined) return { check, result: "warning", found: `${here}, and does not tell how it is`, mend };
  if (look.error === undefined) return { check, result: "ok", found: `${here}: ${look.state}` };
  const { code, message } = look.error;
  return {
    check,
    result: "failed",
    found: `${here}: ${look.state}: ${message} (${code})`,
    mend: hintFor(code) ?? mend,
  };
}

function mendOfMissing({ driver }: CameraConfig): string {
  const debian = packageOf(driver);
  return debian === undefined ? "install it, or mend this camera's command" : `sudo apt install ${debian}`;
}

async function pictureAdviceOf(
  { signal }: CommandContext,
  { config, vision }: CheckedCamera,
  { jpeg }: Frame,
): Promise<readonly Advice[]> {
  // Drawn scenes are not meant to look like photographs; and some cameras rightly show what others should not.
  if (config.driver === "simulated" || !config.imageHealth) return [];
  try {
    return pictureAdvice(await vision.measure(jpeg, signal));
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = asAgentError(error, "measuring the picture");
    return [{ found: `the picture could not be judged: ${message} (${code})`, mend: hintFor(code) ?? "try again" }];
  }
}

/** Asked only of a V4L2 camera that gave another size than it was asked for, and once it was closed. */
async function offeredFormats(
  { clock, signal }: CommandContext,
  { config, programs }: CheckedCamera,
  frame: Frame,
): Promise<readonly CameraFormat[] | undefined> {
  const source = sourceOf(config);
  if (source?.kind !== "v4l2" || sizeAdvice(config, frame, undefined).length === 0) return undefined;
  const asked = { kind: "v4l2", device: source.device, node: source.device, name: "" } as const;
  return (await withFormats(asked, programs, { clock }, signal)).formats;
}
