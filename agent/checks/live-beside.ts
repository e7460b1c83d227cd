import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AgentError, asAgentError } from "../../src/core/errors.ts";
import type { DeliveryHealth } from "../../src/core/health.ts";
import type { Seams } from "../../src/core/ports.ts";
import type { Processed } from "../../src/pipeline/processed.ts";
import { proofSceneSvg } from "../../src/vision/proof-scene.ts";
import { orCameraError } from "../camera-wait.ts";
import { type Agent, composeAgent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import { Lifecycle } from "../lifecycle.ts";
import { openData } from "../open-spool.ts";
import type { Settings } from "../settings.ts";
import { within } from "../time-limit.ts";
import type { RunningDaemon } from "./daemon.ts";
import { notSent } from "./live.ts";
import { type CheckResult, failed } from "./result.ts";

const liveTimeoutMs = 60_000;
const lookEveryMs = 250;

/**
 * One picture to every target by the running daemon, whose spool nobody else can open: it is taken here, kept in a spool of
 * its own, and moved into the daemon's, as a record from another gateway would be.
 */
export async function* liveBesideChecks(
  context: CommandContext,
  settings: Settings,
  daemon: RunningDaemon,
): AsyncGenerator<CheckResult> {
  const folder = await mkdtemp(join(tmpdir(), "framepost-doctor-"));
  try {
    yield* await within(liveTimeoutMs, context.signal, async (signal) => {
      const processed = await movedPicture(context, settings, { daemon, folder }, signal);
      if (processed.kind !== "stored") return [notSent(processed)];
      const { record, owedTo } = processed;
      const answers = owedTo.map((targetId) => answerOf(context, daemon, { targetId, id: record.id }, signal));
      return await Promise.all(answers);
    });
  } catch (error) {
    context.signal.throwIfAborted();
    yield failed("live", error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function movedPicture(
  { clock, random }: CommandContext,
  { config, dataFolder, log }: Settings,
  { daemon, folder }: { readonly daemon: RunningDaemon; readonly folder: string },
  signal: AbortSignal,
): Promise<Processed> {
  const seams: Seams = { clock, random, log };
  const name = await openData(config, dataFolder, seams, true);
  await symlink(join(dataFolder, "models"), join(folder, "models"));
  const alone = { ...config, device: { ...config.device, name } };
  const agent = await composeAgent(alone, { dataFolder: folder, ignoreSchedules: true }, seams);
  const lifecycle = new Lifecycle([agent.parts.spool, agent.parts.vision], log);
  try {
    await lifecycle.start(signal);
    const processed = await picture(agent, seams, signal);
    const { queue } = agent.spool;
    for (const { sequence } of await queue.hold({ exportId: "doctor", folder, recordsMax: 1 })) {
      await daemon.queue.takeIn(await queue.held(sequence));
    }
    return processed;
  } finally {
    await lifecycle.stop();
  }
}

/** Of the first camera; a drawn one where the daemon has it open. */
async function picture(
  { cameras, pipeline, vision }: Agent,
  { clock }: Seams,
  signal: AbortSignal,
): Promise<Processed> {
  const [camera] = cameras;
  if (camera === undefined) throw new AgentError("CAMERA_NONE", "there is no camera", { disposition: "fatal" });
  try {
    await camera.start(signal);
    const once = (limited: AbortSignal) => pipeline.captureOnce(camera.id, { dryRun: false }, limited);
    return await orCameraError(camera, clock, once, signal);
  } catch (error) {
    if (asAgentError(error, "taking a picture").code !== "CAMERA_BUSY") throw error;
    const { jpeg } = await vision.render(proofSceneSvg, { quality: 90 }, signal);
    return await pipeline.submit(jpeg, { cameraId: camera.id }, signal);
  } finally {
    await camera.stop();
  }
}

/** Waits for it as long as the target is up. What is not sent now is sent when the target is back. */
async function answerOf(
  { clock }: CommandContext,
  { queue }: RunningDaemon,
  { targetId, id }: { readonly targetId: string; readonly id: string },
  signal: AbortSignal,
): Promise<CheckResult> {
  const check = `live ${targetId}`;
  for (;;) {
    const [sent] = await queue.sent({ record: id, targetId, entriesMax: 1 });
    if (sent !== undefined) return { check, result: "ok", found: `accepted ${sent.remoteId ?? sent.name}` };
    const owed = (await queue.find(id))?.deliveries.find((each) => each.targetId === targetId);
    if (owed?.state === "quarantined") return failed(check, refusal(owed.error));
    const { deliveries = [] } = await queue.stats();
    const held = deliveries.find((each) => each.targetId === targetId);
    if (held !== undefined && held.state !== "up") return heldBack(check, held);
    await clock.sleep(lookEveryMs, signal);
  }
}

function refusal(error = "DELIVERY_REFUSED: it was set aside"): AgentError {
  const [, code = "DELIVERY_REFUSED", message = error] = /^([A-Z0-9_]+): (.*)$/s.exec(error) ?? [];
  return new AgentError(code, message, { disposition: "reject" });
}

function heldBack(check: string, { state, targetId, awayBecause, lastError }: DeliveryHealth): CheckResult {
  if (state === "away") {
    const { code, message } = awayBecause ?? lastError ?? { code: "NET_UNREACHABLE", message: `${targetId} is away` };
    return failed(check, new AgentError(code, message, { disposition: "retry" }));
  }
  const found = `the target is ${state}; the picture waits for it`;
  return {
    check,
    result: "warning",
    found,
    mend: "framepost queue stats says since when; resume it the way it was held",
  };
}
