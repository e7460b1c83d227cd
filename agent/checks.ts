import { access, constants, mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { asAgentError } from "../src/core/errors.ts";
import type { Camera, Seams, Target } from "../src/core/ports.ts";
import { AnswerBook } from "./answer-book.ts";
import { type Agent, composeAgent } from "./compose.ts";
import type { CommandContext } from "./context.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Settings } from "./settings.ts";
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
const pictureTimeoutMs = 20_000;
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
  const { cameras, targets } = settings.config;
  yield {
    check: "config",
    result: "ok",
    found: `${settings.file}: ${cameras.length} cameras, ${targets.length} targets`,
  };
  yield await diskCheck(settings);
  const seams: Seams = { clock: context.clock, random: context.random, log: settings.log };
  let agent: Agent;
  try {
    agent = await composeAgent(settings.config, { dataFolder: settings.dataFolder }, seams);
  } catch (error) {
    yield failed("state", error, `look at ${settings.dataFolder}`);
    return;
  }
  const vision = new Lifecycle(agent.parts.keeping.slice(1), settings.log);
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
    return failed("disk", error, `make ${dataFolder} writable for this user, or set dataDir`);
  } finally {
    await rm(probe, { force: true });
  }
}

function modelCheck({ vision }: Agent): CheckResult {
  const model = vision.model();
  const { lastError } = vision.health();
  if (model === undefined) {
    const found = lastError === undefined ? "no model" : `${lastError.message} (${lastError.code})`;
    return {
      check: "model",
      result: "failed",
      found,
      mend: "set detector.model, try it with: framepost detect --model …",
    };
  }
  const found = `${model.name}: ${model.family}, ${model.inputWidth}×${model.inputHeight}, ${model.labels.length} labels, threshold ${model.threshold}`;
  return { check: "model", result: "ok", found };
}

async function cameraCheck({ signal }: CommandContext, camera: Camera): Promise<CheckResult> {
  const check = `camera ${camera.id}`;
  try {
    await camera.start(signal);
    const frame = await camera.nextFrame(AbortSignal.any([signal, AbortSignal.timeout(pictureTimeoutMs)]));
    if (frame === undefined)
      return { check, result: "warning", found: "it has no picture", mend: "put pictures there" };
    return { check, result: "ok", found: `a frame of ${frame.width}×${frame.height}, ${frame.jpeg.length} bytes` };
  } catch (error) {
    signal.throwIfAborted();
    const { lastError, driver } = camera.health();
    if (lastError === undefined && driver === "folder") {
      return {
        check,
        result: "warning",
        found: `no picture within ${pictureTimeoutMs / 1_000} s`,
        mend: "put a JPEG there",
      };
    }
    const why = lastError === undefined ? error : new Error(`${lastError.message} (${lastError.code})`);
    return failed(check, why, "framepost cameras; framepost cameras --shot DEVICE");
  } finally {
    await camera.stop();
  }
}

async function targetCheck({ signal }: CommandContext, target: Target): Promise<CheckResult> {
  const check = `target ${target.id}`;
  try {
    await target.probe(AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs)]));
    return { check, result: "ok", found: `${target.kind} is reachable and takes our credentials` };
  } catch (error) {
    signal.throwIfAborted();
    const { code } = asAgentError(error, "probe");
    const mend = /401|403|CREDENTIALS|AUTHORISED/.test(code)
      ? "check token, user and password of this target"
      : "check its url, the network and the firewall";
    return failed(check, error, mend);
  }
}

/** One picture to every target, through the spool: what arrives then arrives in service too. */
async function* liveChecks(context: CommandContext, settings: Settings): AsyncGenerator<CheckResult> {
  const answers = new AnswerBook();
  const seams: Seams = { clock: context.clock, random: context.random, log: settings.log };
  const wrapTarget = (target: Target) => answers.watch(target);
  const agent = await composeAgent(settings.config, { dataFolder: settings.dataFolder, wrapTarget }, seams);
  const lifecycle = new Lifecycle([...agent.parts.keeping, ...agent.parts.sending], settings.log);
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(liveTimeoutMs)]);
  const [camera] = agent.cameras;
  try {
    await lifecycle.start(signal);
    if (camera === undefined) return;
    await camera.start(signal);
    const processed = await agent.pipeline.captureOnce(camera.id, { dryRun: false }, signal);
    if (processed.kind !== "stored") {
      const mend = "framepost capture --dry-run says why";
      yield { check: "live", result: "failed", found: `the picture was ${processed.kind}, so nothing was sent`, mend };
      return;
    }
    for (const { targetId, outcome, remoteId, error } of await answers.forRecord(
      processed.record.id,
      processed.owedTo,
      signal,
    )) {
      const check = `live ${targetId}`;
      if (outcome === "accepted") yield { check, result: "ok", found: `accepted ${remoteId ?? processed.record.name}` };
      else yield { check, result: "failed", found: `${error?.message ?? outcome} (${error?.code ?? outcome})` };
    }
  } catch (error) {
    context.signal.throwIfAborted();
    yield failed("live", error, "stop the daemon first; it owns the spool while it runs");
  } finally {
    await camera?.stop();
    await lifecycle.stop();
  }
}

function failed(check: string, error: unknown, mend: string): CheckResult {
  const { code, message } = asAgentError(error, check);
  return { check, result: "failed", found: `${message} (${code})`, mend };
}
