import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { discoverCameras } from "../../src/capture/discover/v4l.ts";
import { webcamCamera, webcamOptions } from "../../src/capture/webcam/config.ts";
import { WebcamDriver } from "../../src/capture/webcam/driver.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { Camera, Logger } from "../../src/core/ports.ts";
import type { Frame } from "../../src/core/types.ts";
import { createLogger } from "../../src/log/logger.ts";
import { cameraOf, composeAgent } from "../compose.ts";
import { orCameraError } from "../camera-wait.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { writeOutput } from "../files.ts";
import { Lifecycle, type Part } from "../lifecycle.ts";
import { loadSettings } from "../settings.ts";
import { textTable } from "../terminal.ts";

export async function cameras(
  context: CommandContext,
  options: { readonly shot?: string; readonly output: string },
): Promise<ExitCode> {
  if (options.shot !== undefined) return shot(context, options.shot, options.output);
  const { terminal } = context;
  const found = await discoverCameras();
  if (context.json) {
    terminal.data(JSON.stringify(found));
    return exitCodes.ok;
  }
  if (found.cameras.length === 0) {
    // Said, not listed: whoever counts lines of stdout counts cameras.
    terminal.note("no camera found (nothing like /dev/video0 is there)");
    terminal.note("without one, the drivers `folder` (pictures on disk) and `simulated` (drawn scenes) still work");
  } else {
    const rows = found.cameras.map(({ device, node, name }) => [name, device, node]);
    for (const line of textTable(["camera", "stable name", "now at"], rows)) terminal.data(line);
  }
  if (found.fswebcam === undefined) terminal.note("fswebcam is not installed: apt install fswebcam");
  return exitCodes.ok;
}

/** With a camera of the config by its id, or with any device that fswebcam knows. */
async function shot(context: CommandContext, source: string, output: string): Promise<ExitCode> {
  const isDevice = source.startsWith("/") || /^(TEST|FILE):/.test(source);
  const frame = await (isDevice ? fromDevice(context, source) : fromConfig(context, source));
  await writeOutput(output, frame.jpeg);
  const facts = { output, width: frame.width, height: frame.height, sizeBytes: frame.jpeg.length };
  if (context.json) context.terminal.data(JSON.stringify(facts));
  else context.terminal.data(`${output}: ${facts.width}×${facts.height}, ${facts.sizeBytes} bytes`);
  return exitCodes.ok;
}

async function fromDevice(context: CommandContext, device: string): Promise<Frame> {
  const { clock, random, logLevel } = context;
  const parsed = webcamCamera.safeParse({ id: "shot", driver: "webcam", device });
  if (!parsed.success) throw new AgentError("USAGE_DEVICE", `${device} is no device name`, { disposition: "fatal" });
  const log = createLogger({ level: logLevel ?? "silent", secrets: [], journald: false });
  const driver = new WebcamDriver(webcamOptions(parsed.data), { clock });
  const camera = new SupervisedCamera({ id: device, driver, intervalMs: 0 }, { clock, random, log });
  return firstFrame(context, [], camera, log);
}

async function fromConfig(context: CommandContext, id: string): Promise<Frame> {
  const { config, dataFolder, log } = await loadSettings(context);
  const agent = await composeAgent(config, { dataFolder }, { clock: context.clock, random: context.random, log });
  const camera = cameraOf(agent, id);
  // The simulated camera draws with the vision process; the spool is left alone, so this works beside the daemon.
  return firstFrame(context, [agent.parts.vision], camera, log);
}

async function firstFrame(
  { clock, signal }: CommandContext,
  before: readonly Part[],
  camera: Camera,
  log: Logger,
): Promise<Frame> {
  const part = { name: camera.id, start: (s: AbortSignal) => camera.start(s), stop: () => camera.stop() };
  const lifecycle = new Lifecycle([...before, part], log);
  await lifecycle.start(signal);
  try {
    const frame = await orCameraError(camera, clock, (limited) => camera.nextFrame(limited), signal);
    if (frame !== undefined) return frame;
    throw new AgentError("CAMERA_ENDED", `${camera.id} has no picture`, { disposition: "reject" });
  } finally {
    await lifecycle.stop();
  }
}
