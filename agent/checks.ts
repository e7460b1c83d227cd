import { randomBytes } from "node:crypto";
import type { Seams } from "../src/core/ports.ts";
import type { CameraLook } from "../src/core/queue.ts";
import { cameraChecks } from "./checks/cameras.ts";
import { clockCheck } from "./checks/clock.ts";
import { findDaemon, type RunningDaemon } from "./checks/daemon.ts";
import { diskCheck } from "./checks/disk.ts";
import { liveChecks } from "./checks/live.ts";
import { liveBesideChecks } from "./checks/live-beside.ts";
import { modelChecks } from "./checks/model.ts";
import { nativeChecks } from "./checks/native.ts";
import { networkChecks } from "./checks/network.ts";
import { remoteCheck } from "./checks/remote.ts";
import { type CheckResult, failed } from "./checks/result.ts";
import { secretFileChecks } from "./checks/secret-files.ts";
import { spoolCheck } from "./checks/spool.ts";
import { targetCheck } from "./checks/target.ts";
import { awayCheck, unitCheck } from "./checks/unit.ts";
import { updatesCheck } from "./checks/updates.ts";
import { webCheck } from "./checks/web.ts";
import { wearCheck } from "./checks/wear.ts";
import { type Agent, composeAgent } from "./compose.ts";
import type { FramepostConfig } from "./config-schema.ts";
import type { CommandContext } from "./context.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Settings } from "./settings.ts";
import { counted } from "./terminal.ts";
import { agentVersion } from "./version.ts";

/** One result after another, so that a person sees progress. None of them throws. */
export async function* runChecks(
  context: CommandContext,
  settings: Settings | undefined,
  live: boolean,
): AsyncGenerator<CheckResult> {
  yield nodeCheck();
  yield* await nativeChecks(context);
  yield await clockCheck(context);
  if (settings === undefined) return;
  yield* configChecks(settings);
  yield* await secretFileChecks(settings);
  yield await unitCheck(settings.file);
  const disk = await diskCheck(settings);
  yield disk;
  const { daemon, line } = await findDaemon(context, settings.dataFolder);
  const said = line ?? (daemon === undefined ? await awayCheck(settings.file) : undefined);
  if (said !== undefined) yield said;
  const wear = await wearCheck(settings.dataFolder, daemon?.pid);
  if (wear !== undefined) yield wear;
  // The disk's own line says it already.
  if (disk.result !== "failed") yield await spoolCheck(context, settings, daemon);
  yield* await networkChecks(context, settings.config);
  const web = await webCheck(context, settings.config.web);
  if (web !== undefined) yield web;
  yield* partChecks(context, settings, { daemon, diskFailed: disk.result === "failed" });
  if (live) yield* daemon === undefined ? liveChecks(context, settings) : liveBesideChecks(context, settings, daemon);
}

/** What takes the parts of an agent: model, cameras, targets, the broker of remote commands. */
async function* partChecks(
  context: CommandContext,
  settings: Settings,
  { daemon, diskFailed }: { readonly daemon: RunningDaemon | undefined; readonly diskFailed: boolean },
): AsyncGenerator<CheckResult> {
  const seams: Seams = { clock: context.clock, random: context.random, log: settings.log };
  const config = daemon === undefined ? settings.config : besideDaemon(settings.config);
  let agent: Agent;
  try {
    const { dataFolder, lacking } = settings;
    agent = await composeAgent(config, { dataFolder, lacking, ignoreSchedules: true }, seams);
  } catch (error) {
    if (!diskFailed) yield failed("state", error);
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
    yield* modelChecks(context, settings, agent);
    const updates = await updatesCheck(context, config.detector);
    if (updates !== undefined) yield updates;
    yield* cameraChecks(context, config.cameras, agent, await looksOf(daemon));
    await sending.start(context.signal);
    // Side by side: one that is away takes its whole time.
    yield* await Promise.all(agent.targets.map(async (target) => targetCheck(context, target)));
    const remote = await remoteCheck(context, { remote: config.remote, device: agent.device }, seams);
    if (remote !== undefined) yield remote;
  } finally {
    await sending.stop();
    await vision.stop();
  }
}

/** Undefined where no daemon runs; none where it does not answer. */
async function looksOf(daemon: RunningDaemon | undefined): Promise<readonly CameraLook[] | undefined> {
  if (daemon === undefined) return undefined;
  const stats = await daemon.queue.stats().catch(() => undefined);
  return stats?.cameras ?? [];
}

/** With other names at the brokers: under its own the running daemon would be thrown out. */
function besideDaemon(config: FramepostConfig): FramepostConfig {
  const clientId = `framepost-doctor-${randomBytes(8).toString("hex")}`;
  const targets = config.targets.map((target) => (target.kind === "mqtt" ? { ...target, clientId } : target));
  return { ...config, targets };
}

function* configChecks({ file, config, warnings, standIn }: Settings): Generator<CheckResult> {
  const { cameras, targets } = config;
  const source = standIn === undefined ? file : `the last good one, of version ${standIn.agentVersion}, is in force`;
  const parts = `${source}: ${counted(cameras.length, "camera")}, ${counted(targets.length, "target")}`;
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
