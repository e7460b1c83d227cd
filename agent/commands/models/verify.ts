import { basename, dirname, extname, join } from "node:path";
import { AgentError, asAgentError, messageOf } from "../../../src/core/errors.ts";
import { proofLimits } from "../../../src/core/model-limits.ts";
import { modelFileName } from "../../../src/models/store.ts";
import type { VisionProcess } from "../../../src/vision/client.ts";
import { type Golden, goldenOf, goldenOfAnything, parseGolden } from "../../../src/vision/golden.ts";
import type { ModelSpec } from "../../../src/vision/model.ts";
import { proveModel, readGolden, writeGolden } from "../../../src/vision/proof.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { exists, readPicture } from "../../files.ts";
import { hintFor } from "../../hints.ts";
import { proofJson, proofLines } from "../../models/model-report.ts";
import { actAsOwnerOf } from "../../owner.ts";
import { type ChosenModel, type Choice, chooseModels, visionFor } from "../../models/choose-models.ts";

export interface ModelsVerifyOptions {
  readonly golden?: string;
  readonly record?: string;
}

/** One model after another, each in a vision process of its own; the exit code says whether all are fit for use. */
export async function modelsVerify(
  context: CommandContext,
  references: readonly string[],
  options: ModelsVerifyOptions,
): Promise<ExitCode> {
  if (options.record !== undefined && (options.golden !== undefined || references.length > 1)) {
    throw new AgentError("USAGE_RECORD", "--record takes a picture in for one model, and no --golden beside it", {
      disposition: "fatal",
    });
  }
  const choice = await chooseModels(context, references);
  let unfit = 0;
  for (const chosen of choice.models) {
    context.signal.throwIfAborted();
    if (!(await verifyOne(context, choice, chosen, options))) unfit += 1;
  }
  return unfit > 0 ? exitCodes.failed : exitCodes.ok;
}

/** Whether it is fit for use. What cannot even be loaded is reported like any other, so that the next gets its turn. */
async function verifyOne(
  context: CommandContext,
  choice: Choice,
  { reference, find }: ChosenModel,
  options: ModelsVerifyOptions,
): Promise<boolean> {
  const { terminal, json, signal } = context;
  let vision: VisionProcess | undefined;
  try {
    terminal.status(`verifying ${reference}`);
    const spec = await find();
    if (options.record !== undefined) checkInstalled(spec, choice);
    vision = visionFor(context, { model: spec });
    await vision.start(signal);
    const golden = await goldenFor(vision, spec, choice, options, signal);
    const proof = await proveModel(vision, golden, {}, signal);
    if (json) terminal.data(JSON.stringify(proofJson(reference, spec, proof)));
    else for (const line of proofLines(reference, spec, proof)) terminal.data(line);
    return proof.problems.length === 0;
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = asAgentError(error, `verifying ${reference}`);
    if (code.startsWith("USAGE_")) throw error;
    const hint = hintFor(code);
    if (json) terminal.data(JSON.stringify({ reference, verdict: "unusable", error: { code, message } }));
    else terminal.data(`${reference}\n  verdict     UNUSABLE: ${message} (${code})`);
    if (!json && hint !== undefined) terminal.note(`  mend: ${hint}`);
    return false;
  } finally {
    await vision?.stop();
  }
}

function checkInstalled({ file }: ModelSpec, { dataFolder }: Choice): void {
  if (dataFolder !== undefined && basename(file) === modelFileName) return;
  const message = `--record is for an installed model, which ${file} is not: framepost models add installs it`;
  throw new AgentError("USAGE_RECORD", message, { disposition: "fatal" });
}

async function goldenFor(
  vision: VisionProcess,
  spec: ModelSpec,
  { dataFolder }: Choice,
  { golden, record }: ModelsVerifyOptions,
  signal: AbortSignal,
): Promise<Golden | undefined> {
  if (golden !== undefined) return goldenAt(golden);
  if (record !== undefined) return recordGolden(vision, spec, record, dataFolder, signal);
  // A loose file may lie among others, whose golden picture it would be.
  return basename(spec.file) === modelFileName ? readGolden(dirname(spec.file)) : undefined;
}

async function goldenAt(photo: string): Promise<Golden> {
  const picture = await readPhoto(photo);
  const facts = join(dirname(photo), `${basename(photo, extname(photo))}.json`);
  if (!(await exists(facts))) return goldenOfAnything(picture);
  let content: unknown;
  try {
    content = JSON.parse((await readPicture(facts)).toString("utf8"));
  } catch (error) {
    throw new AgentError("USAGE_GOLDEN", `cannot read ${facts}: ${messageOf(error)}`, { disposition: "fatal" });
  }
  return parseGolden(content, picture, facts);
}

/** Upright and without what cameras write beside the picture, such as where it was taken. */
async function recordGolden(
  vision: VisionProcess,
  spec: ModelSpec,
  photo: string,
  dataFolder: string | undefined,
  signal: AbortSignal,
): Promise<Golden> {
  const { jpeg } = await vision.reencode(await readPhoto(photo), { quality: 95 }, signal);
  const { detections, model } = await vision.detect(jpeg, { exact: true }, signal);
  const golden = goldenOf(jpeg, detections, model.threshold);
  if (dataFolder !== undefined) await actAsOwnerOf(dataFolder);
  await writeGolden(dirname(spec.file), golden);
  return golden;
}

async function readPhoto(photo: string): Promise<Buffer> {
  const picture = await readPicture(photo);
  if (picture.length <= proofLimits.pictureBytesMax) return picture;
  throw new AgentError("USAGE_PATH", `${photo} is too large for a golden picture: ${picture.length} bytes`, {
    disposition: "fatal",
  });
}
