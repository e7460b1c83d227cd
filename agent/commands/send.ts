import { readFile } from "node:fs/promises";
import { AgentError, asAgentError, messageOf } from "../../src/core/errors.ts";
import type { Seams } from "../../src/core/ports.ts";
import type { Detection } from "../../src/core/types.ts";
import { AnswerBook } from "../answer-book.ts";
import { composeAgent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { readLabels } from "../labels-file.ts";
import { Lifecycle } from "../lifecycle.ts";
import { answerLines, processedFacts, processedLines } from "../processed-text.ts";
import { loadSettings } from "../settings.ts";

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
  const labels = options.labels === undefined ? undefined : await readLabels(options.labels);
  const seams: Seams = { clock: context.clock, random: context.random, log };
  const answers = new AnswerBook();
  const agent = await composeAgent(config, { dataFolder, wrapTarget: (target) => answers.watch(target) }, seams);
  const lifecycle = new Lifecycle([...agent.parts.keeping, ...agent.parts.sending], log);
  let failed = 0;
  try {
    await lifecycle.start(signal);
    for (const [index, file] of files.entries()) {
      signal.throwIfAborted();
      if (files.length > 1) terminal.status(`sending ${index + 1}/${files.length}  ${file}`);
      const good = await sendOne(context, agent, answers, file, options.target, labels?.(file));
      if (!good) failed += 1;
    }
  } finally {
    await lifecycle.stop();
  }
  if (context.json) terminal.data(JSON.stringify({ sent: files.length - failed, failed }));
  else if (failed > 0) terminal.note(`${failed} of ${files.length} images were not accepted`);
  return failed === 0 ? exitCodes.ok : exitCodes.failed;
}

async function sendOne(
  { terminal, signal, json }: CommandContext,
  agent: Awaited<ReturnType<typeof composeAgent>>,
  answers: AnswerBook,
  file: string,
  targetId: string,
  detections: readonly Detection[] | undefined,
): Promise<boolean> {
  try {
    const submission = { cameraId: "file", targetIds: [targetId], ...(detections === undefined ? {} : { detections }) };
    const processed = await agent.pipeline.submit(await readPicture(file), submission, signal);
    const got =
      processed.kind === "stored" ? await answers.forRecord(processed.record.id, processed.owedTo, signal) : [];
    if (json) terminal.data(JSON.stringify({ file, ...processedFacts(processed), answers: got }));
    else for (const line of [file, ...processedLines(processed), ...answerLines(got)]) terminal.data(line);
    return got.length > 0 && got.every(({ outcome }) => outcome === "accepted");
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = asAgentError(error, `sending ${file}`);
    terminal.note(`${file}: ${message} (${code})`);
    return false;
  }
}

async function readPicture(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new AgentError("USAGE_PATH", `cannot read ${file}: ${messageOf(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
}
