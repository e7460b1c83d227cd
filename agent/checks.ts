import type { Seams } from "../src/core/ports.ts";
import { cameraChecks } from "./checks/cameras.ts";
import { diskCheck } from "./checks/disk.ts";
import { liveChecks } from "./checks/live.ts";
import { modelChecks } from "./checks/model.ts";
import { remoteCheck } from "./checks/remote.ts";
import { type CheckResult, failed } from "./checks/result.ts";
import { targetCheck } from "./checks/target.ts";
import { updatesCheck } from "./checks/updates.ts";
import { type Agent, composeAgent } from "./compose.ts";
import type { CommandContext } from "./context.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Settings } from "./settings.ts";
import { counted } from "./terminal.ts";
import { agentVersion } from "./version.ts";

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
    agent = await composeAgent(settings.config, { dataFolder: settings.dataFolder, ignoreSchedules: true }, seams);
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
    yield* modelChecks(context, settings, agent);
    const updates = await updatesCheck(context, settings.config.detector);
    if (updates !== undefined) yield updates;
    yield* cameraChecks(context, settings.config.cameras, agent);
    await sending.start(context.signal);
    for (const target of agent.targets) yield await targetCheck(context, target);
    const remote = await remoteCheck(context, { remote: settings.config.remote, device: agent.device }, seams);
    if (remote !== undefined) yield remote;
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
