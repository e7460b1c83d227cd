import { join } from "node:path";
import { AgentError } from "../../src/core/errors.ts";
import type { Seams } from "../../src/core/ports.ts";
import type { Processed } from "../../src/pipeline/processed.ts";
import { AnswerBook, answersExitCode } from "../answer-book.ts";
import { orCameraError } from "../camera-wait.ts";
import { cameraOf, composeAgent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { makeOutputFolder, writeOutput } from "../files.ts";
import { Lifecycle } from "../lifecycle.ts";
import { answerLines, processedFacts, processedLines } from "../processed-text.ts";
import { loadSettings } from "../settings.ts";

interface CaptureOptions {
  readonly camera?: string;
  readonly dryRun?: true;
  readonly save?: string;
  readonly wait?: true;
}

/** One frame through the whole chain, kept whatever the rules say. */
export async function capture(context: CommandContext, options: CaptureOptions): Promise<ExitCode> {
  const { terminal, signal } = context;
  const { config, dataFolder, log } = await loadSettings(context);
  const cameraId = options.camera ?? config.cameras[0]?.id;
  if (cameraId === undefined)
    throw new AgentError("CONFIG_NO_CAMERA", "the config has no camera", { disposition: "fatal" });
  const seams: Seams = { clock: context.clock, random: context.random, log };
  const answers = new AnswerBook();
  const agent = await composeAgent(
    config,
    { dataFolder, wrapTarget: (target) => answers.watch(target), ignoreSchedules: true },
    seams,
  );
  const camera = cameraOf(agent, cameraId);
  const mayAnswer = (targetId: string) => agent.upload.gateOf(targetId)?.hold() === undefined;

  // A dry run stores nothing, so it needs no spool and works beside the daemon.
  const { spool, vision, sending } = agent.parts;
  const storing = options.dryRun === true ? [] : [spool];
  const waitedFor = options.wait === true && options.dryRun !== true ? sending : [];
  const cameraPart = { name: camera.id, start: (s: AbortSignal) => camera.start(s), stop: () => camera.stop() };
  const lifecycle = new Lifecycle([...storing, vision, ...waitedFor, cameraPart], log);
  if (options.save !== undefined) await makeOutputFolder(options.save);
  try {
    await lifecycle.start(signal);
    const once = (limited: AbortSignal) =>
      agent.pipeline.captureOnce(cameraId, { dryRun: options.dryRun === true }, limited);
    const processed = await orCameraError(camera, context.clock, once, signal);
    if (options.save !== undefined) await save(processed, options.save, cameraId);
    const outcomes =
      options.wait === true && processed.kind === "stored"
        ? await answers.forRecord(processed.record.id, processed.owedTo.filter(mayAnswer), signal)
        : [];
    if (context.json) terminal.data(JSON.stringify({ ...processedFacts(processed), answers: outcomes }));
    else for (const line of [...processedLines(processed), ...answerLines(outcomes)]) terminal.data(line);
    const good = processed.kind === "stored" || processed.kind === "kept" || processed.kind === "not-owed";
    return good ? answersExitCode(outcomes) : exitCodes.failed;
  } finally {
    await lifecycle.stop();
  }
}

async function save(processed: Processed, folder: string, cameraId: string): Promise<void> {
  if (processed.kind === "dropped" || processed.kind === "still") return;
  const { seen } = processed;
  const stem = `${cameraId}-${new Date(seen.capturedAtMs).toISOString().replaceAll(/[:.]/g, "")}`;
  await writeOutput(join(folder, `${stem}.jpg`), seen.image.jpeg);
  await writeOutput(join(folder, `${stem}.json`), `${JSON.stringify(processedFacts(processed), undefined, 2)}\n`);
}
