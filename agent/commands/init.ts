import { mkdir, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type CameraPrograms, discoverCameras, type LocalCamera } from "../../src/capture/discover/cameras.ts";
import { AgentError } from "../../src/core/errors.ts";
import { parseConfig } from "../../src/config/load.ts";
import { starterConfig, type StarterChoices } from "../../src/config/starter.ts";
import { sourceName } from "../camera-listing.ts";
import { configSchema } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { fileProblem, exists } from "../files.ts";
import { type Judge, Questions } from "../questions.ts";
import { packageFolder } from "../version.ts";

interface InitOptions {
  readonly yes?: true;
  readonly output: string;
  readonly force?: true;
}

/** Finds cameras, asks the few questions left, and writes a config that the checker accepts. */
export async function init(context: CommandContext, options: InitOptions): Promise<ExitCode> {
  const { terminal } = context;
  const output = resolve(options.output);
  if (options.force !== true && (await exists(output))) {
    throw new AgentError("USAGE_EXISTS", `${options.output} exists; --force replaces it`, { disposition: "fatal" });
  }
  if (options.yes !== true && !process.stdin.isTTY) {
    throw new AgentError("USAGE_TERMINAL", "init asks questions and this is no terminal; --yes asks none", {
      disposition: "fatal",
    });
  }
  const { cameras, programs } = await discoverCameras({ formats: false }, context.clock, context.signal);
  terminal.note(
    cameras.length === 0 ? "no camera found: the config gets a simulated one" : `found ${cameraNames(cameras)}`,
  );
  for (const note of missingPrograms(cameras, programs)) terminal.note(note);

  const known = {
    cameras: cameraAnswers(cameras, programs),
    schema: join(packageFolder, "config/framepost.schema.json"),
  };
  const answers =
    options.yes === true ? withTarget(known, dirname(output)) : await ask(context, known, dirname(output));
  const text = starterConfig(answers);
  // Our own checker has the last word, so that the next command finds no mistake of ours.
  await parseConfig(text, output, configSchema, { variables: context.environment });
  await writePrivate(output, text);
  const examples = join(packageFolder, "config/framepost.yaml");
  terminal.note(`LayerNext, OneStepAI, Custom Vision and remo: their entries for targets are in ${examples}`);
  terminal.note(`to steer this device over MQTT, add the section remote: ${join(packageFolder, "docs/commands.md")}`);
  if (context.json) terminal.data(JSON.stringify({ written: output, cameras: answers.cameras }));
  else terminal.data(`${options.output} written; next: framepost doctor -c ${options.output}`);
  return exitCodes.ok;
}

async function ask(
  { terminal, signal }: CommandContext,
  known: StarterChoices,
  folder: string,
): Promise<StarterChoices> {
  const questions = new Questions(process.stdin, process.stderr, signal);
  try {
    const device = await questions.text("Name of this device", deviceName(hostname()), (name) =>
      problemOf({ device: { name } }, "device"),
    );
    const iotownUrl = await questions.text(
      "Address of the IoT.own server, for example https://town.example:8888 (empty: none)",
      "",
      (url) => problemOf({ targets: [{ id: "iotown", kind: "iotown", url, token: "x" }] }, "targets.0.url"),
    );
    const iotown =
      iotownUrl === ""
        ? undefined
        : { url: iotownUrl, token: await secretFile(questions, "API token", folder, "iotown-token", tokenProblem) };
    const mqttUrl = await questions.text(
      "Address of an MQTT broker, for example mqtt://broker:1883 (empty: none)",
      "",
      (url) => problemOf({ targets: [{ id: "mqtt", kind: "mqtt", url }] }, "targets.0.url"),
    );
    const username = mqttUrl === "" ? "" : await questions.text("User name at the broker (empty: none)", "");
    const password = username === "" ? undefined : await secretFile(questions, "Password", folder, "mqtt-password");
    const login = password === undefined ? {} : { username, password };
    if (iotownUrl === "" && mqttUrl === "") terminal.note("no target given: records go to a data set on this disk");
    const targets = {
      ...(iotown === undefined ? {} : { iotown }),
      ...(mqttUrl === "" ? {} : { mqtt: { url: mqttUrl, ...login } }),
    };
    return withTarget({ ...known, device, ...targets }, folder);
  } finally {
    questions.close();
  }
}

/** The secret goes to a file that only its user may read; the config only names it. */
async function secretFile(
  questions: Questions,
  what: string,
  folder: string,
  name: string,
  problem?: Judge,
): Promise<string> {
  const secret = await questions.secret(what, problem);
  const secrets = join(folder, "framepost-secrets");
  await mkdir(secrets, { recursive: true, mode: 0o700 });
  const file = join(secrets, name);
  await writePrivate(file, secret);
  return `\${file:${file}}`;
}

/** A file that was there keeps its mode when it is written again, so an old one goes first. */
async function writePrivate(file: string, text: string): Promise<void> {
  try {
    await rm(file, { force: true });
    await writeFile(file, text, { mode: 0o600 });
  } catch (error) {
    throw new AgentError("OUTPUT_FAILED", `cannot write ${file}: ${fileProblem(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
}

function tokenProblem(token: string): string | undefined {
  return problemOf({ targets: [{ id: "iotown", kind: "iotown", url: "http://town", token }] }, "targets.0.token");
}

/** What the config's own checker says of one setting, so that a slip is mended while it is fresh. */
function problemOf(part: object, path: string): string | undefined {
  const checked = configSchema.safeParse({ cameras: [{ id: "camera", driver: "simulated" }], ...part });
  const issue = checked.error?.issues.find((found) => found.path.join(".").startsWith(path));
  return issue?.message;
}

/** What works without any account. Its path is whole, because the daemon may run in another folder. */
function withTarget(answers: StarterChoices, folder: string): StarterChoices {
  if (answers.iotown !== undefined || answers.mqtt !== undefined) return answers;
  return { ...answers, folder: { path: join(folder, "framepost-dataset") } };
}

function cameraAnswers(found: readonly LocalCamera[], { ffmpeg }: CameraPrograms): StarterChoices["cameras"] {
  if (found.length === 0) return [{ id: "simulated", driver: "simulated" }];
  return found.map((camera, index) => {
    const id = `camera-${index + 1}`;
    if (camera.kind === "rpicam") return { id, driver: "rpicam", camera: camera.camera };
    // ffmpeg keeps the camera open and copies the JPEGs that it makes itself; fswebcam encodes each anew.
    return ffmpeg === undefined
      ? { id, driver: "webcam", device: camera.device }
      : { id, driver: "ffmpeg", input: camera.device };
  });
}

function missingPrograms(found: readonly LocalCamera[], programs: CameraPrograms): readonly string[] {
  const hasUsb = found.some(({ kind }) => kind === "v4l2");
  if (!hasUsb || programs.ffmpeg !== undefined) return [];
  return programs.fswebcam === undefined
    ? ["ffmpeg is missing, without which they give no pictures: sudo apt install ffmpeg, then repeat this"]
    : ["ffmpeg is missing: fswebcam is used, for a frame every few seconds (sudo apt install ffmpeg)"];
}

function cameraNames(found: readonly LocalCamera[]): string {
  return found.map((camera) => `${camera.name} (${sourceName(camera)})`).join(", ");
}

/** A host name in the letters that device names may have. */
function deviceName(host: string): string {
  const name = host
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 32);
  return name === "" || name === "all" || name === "group" ? "gateway" : name;
}
