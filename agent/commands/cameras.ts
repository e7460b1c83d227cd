import { writeFile } from "node:fs/promises";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { discoverCameras } from "../../src/capture/discover.ts";
import { webcamCamera, webcamOptions } from "../../src/capture/config.ts";
import { WebcamDriver } from "../../src/capture/webcam.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { Frame } from "../../src/core/types.ts";
import { createLogger } from "../../src/log/logger.ts";
import { composeAgent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { Lifecycle, type Part } from "../lifecycle.ts";
import { loadSettings } from "../settings.ts";
import { textTable } from "../terminal.ts";

/** A frame for `--shot` that has not come by then will not come. */
const shotTimeoutMs = 30_000;

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
    terminal.data("no camera found; a folder of pictures or the simulated camera can be captured anywhere");
  } else {
    const rows = found.cameras.map(({ device, node, name }) => [name, device, node]);
    for (const line of textTable(["camera", "stable name", "now at"], rows)) terminal.data(line);
  }
  if (found.fswebcam === undefined) terminal.note("fswebcam is not installed: apt install fswebcam");
  return exitCodes.ok;
}

/** With a camera of the config by its id, or with any device that fswebcam knows. */
async function shot(context: CommandContext, source: string, output: string): Promise<ExitCode> {
  const timeout = AbortSignal.timeout(shotTimeoutMs);
  const signal = AbortSignal.any([context.signal, timeout]);
  const isDevice = source.startsWith("/") || /^(TEST|FILE):/.test(source);
  let health = "";
  const seen = (text: string) => (health = text);
  try {
    const frame = await (isDevice
      ? fromDevice(context, source, signal, seen)
      : fromConfig(context, source, signal, seen));
    await writeFile(output, frame.jpeg);
    const facts = { output, width: frame.width, height: frame.height, sizeBytes: frame.jpeg.length };
    if (context.json) context.terminal.data(JSON.stringify(facts));
    else context.terminal.data(`${output}: ${facts.width}×${facts.height}, ${facts.sizeBytes} bytes`);
    return exitCodes.ok;
  } catch (error) {
    if (!timeout.aborted || context.signal.aborted) throw error;
    throw new AgentError("CAMERA_NO_PICTURE", `no picture from ${source} in ${shotTimeoutMs / 1_000} s${health}`, {
      disposition: "retry",
    });
  }
}

async function fromDevice(
  { clock, random, logLevel }: CommandContext,
  device: string,
  signal: AbortSignal,
  seen: (health: string) => void,
): Promise<Frame> {
  const parsed = webcamCamera.safeParse({ id: "shot", driver: "webcam", device });
  if (!parsed.success) throw new AgentError("USAGE_DEVICE", `${device} is no device name`, { disposition: "fatal" });
  const log = createLogger({ level: logLevel ?? "silent", secrets: [], journald: false });
  const driver = new WebcamDriver(webcamOptions(parsed.data), { clock });
  const camera = new SupervisedCamera({ id: "shot", driver, intervalMs: 0 }, { clock, random, log });
  return firstFrame([], camera, signal, seen, log);
}

async function fromConfig(
  context: CommandContext,
  id: string,
  signal: AbortSignal,
  seen: (health: string) => void,
): Promise<Frame> {
  const { config, dataFolder, log } = await loadSettings(context);
  const agent = await composeAgent(config, { dataFolder }, { clock: context.clock, random: context.random, log });
  const camera = agent.cameras.find((candidate) => candidate.id === id);
  if (camera === undefined)
    throw new AgentError("USAGE_CAMERA", `the config has no camera ${id}`, { disposition: "fatal" });
  // The simulated camera draws with the vision process; the spool is left alone, so this works beside the daemon.
  return firstFrame(agent.parts.keeping.slice(1), camera, signal, seen, log);
}

async function firstFrame(
  before: readonly Part[],
  camera: Pick<SupervisedCamera, "id" | "start" | "stop" | "nextFrame" | "health">,
  signal: AbortSignal,
  seen: (health: string) => void,
  log: ConstructorParameters<typeof Lifecycle>[1],
): Promise<Frame> {
  const part = { name: camera.id, start: (s: AbortSignal) => camera.start(s), stop: () => camera.stop() };
  const lifecycle = new Lifecycle([...before, part], log);
  await lifecycle.start(signal);
  try {
    const frame = await camera.nextFrame(signal);
    if (frame !== undefined) return frame;
    throw new AgentError("CAMERA_ENDED", `${camera.id} has no picture`, { disposition: "reject" });
  } finally {
    const { lastError } = camera.health();
    seen(lastError === undefined ? "" : `: ${lastError.message} (${lastError.code})`);
    await lifecycle.stop();
  }
}
