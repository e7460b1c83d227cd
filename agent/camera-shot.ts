import { SupervisedCamera } from "../src/capture/supervisor.ts";
import { type CameraPrograms, findCameraPrograms } from "../src/capture/discover/cameras.ts";
import { AgentError } from "../src/core/errors.ts";
import type { Camera, Logger } from "../src/core/ports.ts";
import type { EncodedImage } from "../src/core/vision-port.ts";
import { createLogger } from "../src/log/logger.ts";
import { VisionProcess } from "../src/vision/client.ts";
import { orCameraError } from "./camera-wait.ts";
import { buildDriver } from "./build-camera.ts";
import { type Agent, cameraOf, composeAgent } from "./compose.ts";
import { configSchema } from "./config-schema.ts";
import type { CommandContext } from "./context.ts";
import { Lifecycle, type Part } from "./lifecycle.ts";
import { loadSettings } from "./settings.ts";

/** One frame of a camera of the config, by its id, or of any source that a driver knows without a config. */
export async function takeShot(context: CommandContext, source: string): Promise<EncodedImage> {
  return /[:/]/.test(source) ? fromSource(context, source) : fromConfig(context, source);
}

async function fromSource(context: CommandContext, source: string): Promise<EncodedImage> {
  const programs = await findCameraPrograms();
  try {
    return await withSettings(context, source, settingsFor(source, programs));
  } catch (error) {
    // Whether an address gives one picture or a stream of them is told by its answer alone.
    const isStream = error instanceof AgentError && error.code === "CAMERA_NOT_A_PICTURE";
    if (!isStream) throw error;
    return withSettings(context, source, { driver: "http-mjpeg", url: source });
  }
}

/** Fails with `USAGE_DEVICE` when no driver takes the source: their own rules say what one looks like. */
async function withSettings(context: CommandContext, source: string, settings: object): Promise<EncodedImage> {
  const { clock, random, logLevel } = context;
  const log = createLogger({ level: logLevel ?? "silent", secrets: [], journald: false });
  const seams = { clock, random, log };
  const checked = configSchema.safeParse({ cameras: [{ id: "shot", interval: "0s", ...settings }] });
  const config = checked.data?.cameras[0];
  if (config === undefined) throw unknownSource(source);
  // Never started: no driver of a source draws its pictures.
  const vision = new VisionProcess({ model: undefined }, seams);
  const driver = await buildDriver(config, vision, seams);
  return firstFrame(context, [], new SupervisedCamera({ id: source, driver, intervalMs: 0 }, seams), log);
}

function settingsFor(source: string, { ffmpeg }: CameraPrograms): object {
  const [, number] = /^rpicam:(\d{1,2})$/.exec(source) ?? [];
  if (number !== undefined) return { driver: "rpicam", camera: Number(number) };
  if (/^rtsps?:\/\//i.test(source)) return { driver: "ffmpeg", input: source };
  if (/^https?:\/\//i.test(source)) return { driver: "http-snapshot", url: source };
  if (source.startsWith("/dev/") && ffmpeg !== undefined) return { driver: "ffmpeg", input: source };
  return { driver: "webcam", device: source };
}

async function fromConfig(context: CommandContext, id: string): Promise<EncodedImage> {
  const { config, dataFolder, log } = await loadSettings(context);
  const seams = { clock: context.clock, random: context.random, log };
  const agent = await composeAgent(config, { dataFolder, ignoreSchedules: true }, seams);
  const camera = cameraOf(agent, id);
  const parts = [agent.parts.vision];
  const isBlurred = config.cameras.find((each) => each.id === id)?.privacy?.blur !== undefined;
  if (isBlurred) return firstFrame(context, parts, camera, log, (signal) => blurredFrame(agent, id, signal));
  // The simulated camera draws with the vision process; the spool is left alone, so this works beside the daemon.
  return firstFrame(context, parts, camera, log);
}

async function firstFrame(
  { clock, signal }: CommandContext,
  before: readonly Part[],
  camera: Camera,
  log: Logger,
  next: (signal: AbortSignal) => Promise<EncodedImage | undefined> = (limited) => camera.nextFrame(limited),
): Promise<EncodedImage> {
  const part = { name: camera.id, start: (s: AbortSignal) => camera.start(s), stop: () => camera.stop() };
  const lifecycle = new Lifecycle([...before, part], log);
  await lifecycle.start(signal);
  try {
    const frame = await orCameraError(camera, clock, next, signal);
    if (frame !== undefined) return frame;
    throw new AgentError("CAMERA_ENDED", `${camera.id} has no picture`, { disposition: "reject" });
  } finally {
    await lifecycle.stop();
  }
}

/** What has to be made unrecognisable is known only once the detector has seen the frame. */
async function blurredFrame({ pipeline }: Agent, id: string, signal: AbortSignal): Promise<EncodedImage> {
  const processed = await pipeline.captureOnce(id, { dryRun: true }, signal);
  if ("seen" in processed) return processed.seen.image;
  if (processed.kind === "dropped") throw processed.error;
  throw new AgentError("UNEXPECTED", `a picture that was asked for was ${processed.kind}`, { disposition: "reject" });
}

function unknownSource(source: string): AgentError {
  const known = "a device such as /dev/video0, rpicam:0, or an rtsp:// or http:// address without user and password";
  const shown = source.replace(/^([a-z]+:\/\/).*@/i, "$1***@").slice(0, 120);
  return new AgentError("USAGE_DEVICE", `${shown} is no device name: ${known}`, { disposition: "fatal" });
}
