import { AgentError } from "../../src/core/errors.ts";
import type { Seams, Target } from "../../src/core/ports.ts";
import type { Processed } from "../../src/pipeline/processed.ts";
import { type Answer, AnswerBook } from "../answer-book.ts";
import { orCameraError } from "../camera-wait.ts";
import { composeAgent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import { Lifecycle } from "../lifecycle.ts";
import type { Settings } from "../settings.ts";
import { within } from "../time-limit.ts";
import { type CheckResult, failed } from "./result.ts";

const liveTimeoutMs = 60_000;

/** One picture to every target, through the spool: what arrives then arrives in service too. */
export async function* liveChecks(context: CommandContext, settings: Settings): AsyncGenerator<CheckResult> {
  const answers = new AnswerBook();
  const seams: Seams = { clock: context.clock, random: context.random, log: settings.log };
  const wrapTarget = (target: Target) => answers.watch(target);
  const { config, dataFolder, lacking } = settings;
  const agent = await composeAgent(config, { dataFolder, lacking, wrapTarget, ignoreSchedules: true }, seams);
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
export function notSent(processed: Exclude<Processed, { kind: "stored" }>): CheckResult {
  if (processed.kind === "not-owed") {
    const found = "no target wants the picture (nothing detected on it?), so nothing was sent";
    const mend = "hold something before the camera that the model knows, or set includeEmpty of a target";
    return { check: "live", result: "warning", found, mend };
  }
  if (processed.kind === "dropped" || processed.kind === "refused") return failed("live", processed.error);
  const found = `the picture was ${processed.kind}, so nothing was sent`;
  return { check: "live", result: "failed", found, mend: "framepost capture --dry-run says why" };
}
