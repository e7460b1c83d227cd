import { AgentError, asAgentError } from "../../src/core/errors.ts";
import type { Seams } from "../../src/core/ports.ts";
import type { Detection } from "../../src/core/types.ts";
import { type Answer, AnswerBook, answersExitCode } from "../answer-book.ts";
import { composeAgent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { aboutFile, readPicture } from "../files.ts";
import { readLabels } from "../labels-file.ts";
import { Lifecycle } from "../lifecycle.ts";
import { answerLines, processedFacts, processedLines } from "../processed-text.ts";
import { loadSettings } from "../settings.ts";
import { counted } from "../terminal.ts";

interface SendOptions {
  readonly target: string;
  readonly labels?: string;
}

/** The user's own images through spool and target; each is waited for. A file that fails does not stop the rest. */
export async function send(context: CommandContext, files: readonly string[], options: SendOptions): Promise<ExitCode> {
  const { terminal, signal } = context;
  const { config, dataFolder, log } = await loadSettings(context);
  if (!config.targets.some(({ id }) => id === options.target)) {
    const known = config.targets.map(({ id }) => id).join(", ") || "none";
    throw new AgentError("USAGE_TARGET", `no target ${options.target}; the config has ${known}`, {
      disposition: "fatal",
    });
  }
  if (config.targets.some(({ id, enabled }) => id === options.target && !enabled)) {
    throw new AgentError("USAGE_TARGET", `target ${options.target} is disabled in the config`, {
      disposition: "fatal",
    });
  }
  const labelsOf = options.labels === undefined ? undefined : await readLabels(options.labels);
  // All of them before anything is sent: half a data set under way is hard to take back.
  const labels = labelsOf === undefined ? [] : files.map((file) => labelsOf(file));
  const seams: Seams = { clock: context.clock, random: context.random, log };
  const answers = new AnswerBook();
  const agent = await composeAgent(config, { dataFolder, wrapTarget: (target) => answers.watch(target) }, seams);
  const lifecycle = new Lifecycle([agent.parts.spool, agent.parts.vision, ...agent.parts.sending], log);
  const outcomes: (readonly Answer[] | undefined)[] = [];
  try {
    await lifecycle.start(signal);
    for (const [index, file] of files.entries()) {
      signal.throwIfAborted();
      if (files.length > 1) terminal.status(`sending ${index + 1}/${files.length}  ${file}`);
      outcomes.push(await sendOne(context, agent, answers, file, options.target, labels[index]));
    }
  } finally {
    await lifecycle.stop();
  }
  const sent = outcomes.filter((got) => got !== undefined && answersExitCode(got) === exitCodes.ok).length;
  const failed = files.length - sent;
  if (context.json) terminal.data(JSON.stringify({ sent, failed }));
  else if (failed > 0) terminal.note(`${failed} of ${counted(files.length, "image")} not accepted`);
  return outcomes.includes(undefined) ? exitCodes.failed : answersExitCode(outcomes.flatMap((got) => got ?? []));
}

/** What the target answered; undefined when the picture did not get as far as that. */
async function sendOne(
  { terminal, signal, json }: CommandContext,
  agent: Awaited<ReturnType<typeof composeAgent>>,
  answers: AnswerBook,
  file: string,
  targetId: string,
  detections: readonly Detection[] | undefined,
): Promise<readonly Answer[] | undefined> {
  try {
    const submission = { cameraId: "file", targetIds: [targetId], ...(detections === undefined ? {} : { detections }) };
    const processed = await agent.pipeline.submit(await readPicture(file), submission, signal);
    const got =
      processed.kind === "stored" ? await answers.forRecord(processed.record.id, processed.owedTo, signal) : [];
    if (json) terminal.data(JSON.stringify({ file, ...processedFacts(processed), answers: got }));
    else for (const line of [file, ...processedLines(processed), ...answerLines(got)]) terminal.data(line);
    return got.length === 0 ? undefined : got;
  } catch (error) {
    signal.throwIfAborted();
    terminal.note(aboutFile(file, asAgentError(error, `sending ${file}`)));
    return undefined;
  }
}
