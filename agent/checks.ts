import { access, constants, mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, asAgentError, errnoOf } from "../src/core/errors.ts";
import type { Camera, Seams, Target } from "../src/core/ports.ts";
import type { Processed } from "../src/pipeline/processed.ts";
import { type Answer, AnswerBook } from "./answer-book.ts";
import { orCameraError } from "./camera-wait.ts";
import { type Agent, composeAgent } from "./compose.ts";
import type { CommandContext } from "./context.ts";
import { fileProblem } from "./files.ts";
import { hintFor } from "./hints.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Settings } from "./settings.ts";
import { counted } from "./terminal.ts";
import { within } from "./time-limit.ts";
import { agentVersion } from "./version.ts";

export interface CheckResult {
  readonly check: string;
  readonly result: "ok" | "warning" | "failed";
  /** What was found, or what went wrong. */
  readonly found: string;
  /** What a person should do or run. */
  readonly mend?: string;
}

const probeTimeoutMs = 15_000;
/** A watched folder may rightly stay empty for days. */
const folderTimeoutMs = 3_000;
const liveTimeoutMs = 60_000;
/** Before this year the clock was never set: no agent existed. */
const firstPlausibleYear = 2025;

/** One result after another, so that a person sees progress. None of them throws. */
export async function* runChecks(
  context: CommandContext,
  settings: Settings | undefined,
  live: boolean,
): AsyncGenerator<CheckResult> {
  yield nodeCheck();
  yield clockCheck(context.clock.nowMs());
  if (settings === undefined) return;
  yield* configChecks(settings);
  const disk = await diskCheck(settings);
  yield disk;
  const seams: Seams = { clock: context.clock, random: context.random, log: settings.log };
  let agent: Agent;
  try {
    agent = await composeAgent(settings.config, { dataFolder: settings.dataFolder }, seams);
  } catch (error) {
    // The disk's own line says it already.
    if (disk.result !== "failed") yield failed("state", error);
    return;
  }
  const vision = new Lifecycle([agent.parts.vision], settings.log);
  const targetParts = agent.targets.map((target) => ({
    name: target.id,
    start: () => target.start(),
    stop: () => target.close(),
  }));
  const sending = new Lifecycle(targetParts, settings.log);
  try {
    await vision.start(context.signal);
    yield modelCheck(agent);
    for (const camera of agent.cameras) yield await cameraCheck(context, camera);
    await sending.start(context.signal);
    for (const target of agent.targets) yield await targetCheck(context, target);
  } finally {
    await sending.stop();
    await vision.stop();
  }
  if (live) yield* liveChecks(context, settings);
}

function* configChecks({ file, config, warnings }: Settings): Generator<CheckResult> {
  const { cameras, targets } = config;
  const parts = `${file}: ${counted(cameras.length, "camera")}, ${counted(targets.length, "target")}`;
  if (targets.length === 0) {
    const mend = "name a platform under targets: in the config";
    yield { check: "config", result: "warning", found: `${parts}, so nothing is kept or sent`, mend };
  } else yield { check: "config", result: "ok", found: parts };
  for (const warning of warnings) {
    // Warnings are written `what is so; what to do`.
    const cut = warning.lastIndexOf("; ");
    const [found, mend] =
      cut === -1 ? [warning, `change it in ${file}`] : [warning.slice(0, cut), warning.slice(cut + 2)];
    yield { check: "config", result: "warning", found, mend };
  }
}

function nodeCheck(): CheckResult {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const fits = major > 20 || (major === 20 && minor >= 19);
  const found = `Framepost ${agentVersion()} on Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  return { check: "program", result: fits ? "ok" : "failed", found, mend: "install Node 20.19 or newer" };
}

function clockCheck(nowMs: number): CheckResult {
  const now = new Date(nowMs);
  return now.getUTCFullYear() >= firstPlausibleYear
    ? { check: "clock", result: "ok", found: now.toISOString() }
    : { check: "clock", result: "warning", found: `it is ${now.toISOString()}?`, mend: "timedatectl set-ntp true" };
}

/** A write that reaches the disk, because a card that has gone read-only still opens files. */
async function diskCheck({ dataFolder, config }: Settings): Promise<CheckResult> {
  const probe = join(dataFolder, `.doctor-${process.pid}`);
  try {
    await mkdir(dataFolder, { recursive: true, mode: 0o700 });
    await access(dataFolder, constants.W_OK);
    const file = await open(probe, "w");
    const startedMs = performance.now();
    try {
      await file.write(Buffer.alloc(100 * 1_024));
      await file.sync();
    } finally {
      await file.close();
    }
    const flushMs = performance.now() - startedMs;
    const { bavail, bsize } = await statfs(dataFolder);
    const free = bavail * bsize;
    const found = `${dataFolder}: ${Math.round(free / 1024 ** 2)} MB free, 100 KB written and flushed in ${flushMs.toFixed(0)} ms`;
    const enough = free > config.spool.minFreeBytes;
    return { check: "disk", result: enough ? "ok" : "failed", found, mend: "free space, or lower spool.minFreeBytes" };
  } catch (error) {
    const found = `cannot write to ${dataFolder}: ${fileProblem(error)} (${errnoOf(error) ?? "DATA_FOLDER"})`;
    return { check: "disk", result: "failed", found, mend: hintFor("DATA_FOLDER") ?? "" };
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

function modelCheck({ vision, modelProblem }: Agent): CheckResult {
  const model = vision.model();
  if (model === undefined) {
    const { code, message } = modelProblem ?? vision.health().lastError ?? { code: "MODEL_NONE", message: "no model" };
    const found = `${message} (${code})`;
    return { check: "model", result: "failed", found, mend: hintFor(code) ?? "set detector.model" };
  }
  const found = `${model.name}: ${model.family}, ${model.inputWidth}×${model.inputHeight}, ${model.labels.length} labels, threshold ${model.threshold}`;
  return { check: "model", result: "ok", found };
}

async function cameraCheck({ signal, clock }: CommandContext, camera: Camera): Promise<CheckResult> {
  const check = `camera ${camera.id}`;
  const isFolder = camera.health().driver === "folder";
  const empty = { check, result: "warning", found: "there is no picture just now", mend: "put a JPEG there" } as const;
  try {
    await camera.start(signal);
    const next = (limited: AbortSignal) => camera.nextFrame(limited);
    const frame = await orCameraError(camera, clock, next, signal, isFolder ? folderTimeoutMs : undefined);
    if (frame === undefined) return empty;
    return { check, result: "ok", found: `a frame of ${frame.width}×${frame.height}, ${frame.jpeg.length} bytes` };
  } catch (error) {
    signal.throwIfAborted();
    const waitedInVain = error instanceof AgentError && error.code === "CAMERA_NO_PICTURE";
    return isFolder && waitedInVain && camera.health().lastError === undefined ? empty : failed(check, error);
  } finally {
    await camera.stop();
  }
}

async function targetCheck({ signal }: CommandContext, target: Target): Promise<CheckResult> {
  const check = `target ${target.id}`;
  try {
    await within(probeTimeoutMs, signal, (limited) => target.probe(limited));
    const found = target.kind === "folder" ? "its folder takes files" : `${target.kind} is reachable and lets us in`;
    return { check, result: "ok", found };
  } catch (error) {
    signal.throwIfAborted();
    const { code } = asAgentError(error, "probe");
    if (code !== "ABORTED") return failed(check, error);
    const found = `no answer within ${probeTimeoutMs / 1_000} s (NET_TIMEOUT)`;
    return { check, result: "failed", found, mend: hintFor("NET_TIMEOUT") ?? "" };
  }
}

/** One picture to every target, through the spool: what arrives then arrives in service too. */
async function* liveChecks(context: CommandContext, settings: Settings): AsyncGenerator<CheckResult> {
  const answers = new AnswerBook();
  const seams: Seams = { clock: context.clock, random: context.random, log: settings.log };
  const wrapTarget = (target: Target) => answers.watch(target);
  const agent = await composeAgent(settings.config, { dataFolder: settings.dataFolder, wrapTarget }, seams);
  const lifecycle = new Lifecycle([agent.parts.spool, agent.parts.vision, ...agent.parts.sending], settings.log);
  const [camera] = agent.cameras;
  if (camera === undefined) return;
  try {
    yield* await within(liveTimeoutMs, context.signal, async (signal) => {
      await lifecycle.start(signal);
      await camera.start(signal);
      const once = (limited: AbortSignal) => agent.pipeline.captureOnce(camera.id, { dryRun: false }, limited);
      const processed = await orCameraError(camera, context.clock, once, signal);
      if (processed.kind !== "stored") return [notSent(processed)];
      const { id, name } = processed.record;
      return (await answers.forRecord(id, processed.owedTo, signal)).map((answer) => liveAnswer(answer, name));
    });
  } catch (error) {
    context.signal.throwIfAborted();
    yield failed("live", error);
  } finally {
    await camera.stop();
    await lifecycle.stop();
  }
}

function liveAnswer({ targetId, outcome, remoteId, error }: Answer, name: string): CheckResult {
  const check = `live ${targetId}`;
  if (outcome === "accepted") return { check, result: "ok", found: `accepted ${remoteId ?? name}` };
  return failed(check, new AgentError(error?.code ?? "", error?.message ?? outcome, { disposition: "retry" }));
}

/** An empty scene is no fault: a target that wants only pictures with detections is right to get none of it. */
function notSent(processed: Exclude<Processed, { kind: "stored" }>): CheckResult {
  if (processed.kind === "not-owed") {
    const found = "no target wants the picture (nothing detected on it?), so nothing was sent";
    const mend = "hold something before the camera that the model knows, or set includeEmpty of a target";
    return { check: "live", result: "warning", found, mend };
  }
  if (processed.kind === "dropped" || processed.kind === "refused") return failed("live", processed.error);
  const found = `the picture was ${processed.kind}, so nothing was sent`;
  return { check: "live", result: "failed", found, mend: "framepost capture --dry-run says why" };
}

function failed(check: string, error: unknown): CheckResult {
  const { code, message } = asAgentError(error, check);
  const mend = hintFor(code) ?? "look at the log of: framepost run --log-level debug";
  return { check, result: "failed", found: `${message} (${code})`, mend };
}
