import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { quantiles } from "../core/counters.ts";
import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { configLimits } from "../core/limits.ts";
import { proofLimits } from "../core/model-limits.ts";
import type { DetectResult, ModelInfo } from "../core/vision-port.ts";
import type { VisionProcess } from "./client.ts";
import { type Golden, goldenError, goldenText, type GoldenVerdict, judgeGolden, parseGolden } from "./golden.ts";
import type { Inspection } from "./inspection.ts";
import { proofSceneSvg } from "./proof-scene.ts";
import { goldenProblems, outputProblems, outputWarnings } from "./proof-texts.ts";

/** Whether a model that loads can be trusted: that it finds on its golden picture what it should, in time. */

export const goldenPictureName = "golden.jpg";
export const goldenFactsName = "golden.json";

export interface ProofLimits {
  /** The longest that a run may take in the median; without it nothing is too slow. */
  readonly runMsMax?: number;
}

export interface Proof {
  readonly model: ModelInfo;
  readonly golden: GoldenVerdict;
  /** Of `session.run` alone. */
  readonly runMs: number;
  readonly runMsP95: number;
  readonly loadMs: number;
  readonly rssBytes: number;
  readonly rssPeakBytes: number;
  readonly inspection: Inspection;
  /** Each is a reason not to use the model; for a person. */
  readonly problems: readonly string[];
  /** What is worth knowing, but can be right. */
  readonly warnings: readonly string[];
}

/**
 * Runs a model on its golden picture, else on a drawn scene, a few times. `vision` is started with the model as its
 * manifest has it: with the config's renames or lists above it, golden labels are no longer the model's.
 *
 * What is wrong with the model is in `problems`. Fails with what `detect` fails with: a model that does not run, a picture
 * that cannot be decoded, a process that ends.
 */
export async function proveModel(
  vision: VisionProcess,
  golden: Golden | undefined,
  { runMsMax }: ProofLimits,
  signal: AbortSignal,
): Promise<Proof> {
  const picture = golden?.picture ?? (await vision.render(proofSceneSvg, { quality: 90 }, signal)).jpeg;
  const inspection = await vision.inspect(picture, signal);
  const found = await vision.detect(picture, { exact: true }, signal);
  const { model } = found;
  const verdict: GoldenVerdict =
    golden === undefined ? { kind: "none" } : judgeGolden(golden, found.detections, model.threshold);
  const runsMs = await timedRuns(vision, picture, found, signal);
  const { rssBytes, rssPeakBytes } = await vision.usage(signal);
  const [runMs = 0, runMsP95 = 0] = quantiles(runsMs, [0.5, 0.95]);
  const problems = [...goldenProblems(verdict), ...outputProblems(inspection)];
  if (runMsMax !== undefined && runMs > runMsMax) {
    problems.push(`a run takes ${runMs.toFixed(1)} ms, and may take ${runMsMax.toFixed(1)} ms`);
  }
  return {
    model,
    golden: verdict,
    runMs,
    runMsP95,
    loadMs: inspection.loadMs,
    rssBytes,
    rssPeakBytes,
    inspection,
    problems,
    warnings: outputWarnings(verdict, inspection),
  };
}

/** `MODEL_DEAD`, `MODEL_DIFFERENT` or `MODEL_UNPROVEN`; undefined for a model without a problem. */
export function proofError({ model, golden, problems }: Proof): AgentError | undefined {
  if (problems.length === 0) return undefined;
  const code =
    golden.kind === "dead" ? "MODEL_DEAD" : golden.kind === "different" ? "MODEL_DIFFERENT" : "MODEL_UNPROVEN";
  return new AgentError(code, `the model ${model.name} is not fit for use: ${problems.join("; ")}`, {
    disposition: "fatal",
  });
}

/** Of a model's folder; undefined where it holds none. Fails with `MODEL_GOLDEN`. */
export async function readGolden(folder: string): Promise<Golden | undefined> {
  const factsFile = join(folder, goldenFactsName);
  const facts = await readBounded(factsFile, configLimits.fileBytesMax);
  const picture = await readBounded(join(folder, goldenPictureName), proofLimits.pictureBytesMax);
  if (facts === undefined && picture === undefined) return undefined;
  if (facts === undefined || picture === undefined) {
    const [there, absent] =
      facts === undefined ? [goldenPictureName, goldenFactsName] : [goldenFactsName, goldenPictureName];
    throw goldenError(join(folder, there), `${absent} is not beside it`);
  }
  let content: unknown;
  try {
    content = JSON.parse(facts.toString("utf8"));
  } catch (error) {
    throw goldenError(factsFile, messageOf(error), error);
  }
  return parseGolden(content, picture, factsFile);
}

/**
 * Into a model's folder, instead of what was there. The two files belong together: cut off in between, the folder holds
 * one alone, or two that do not fit, and reading says so. Fails with `MODEL_GOLDEN`.
 */
export async function writeGolden(folder: string, golden: Golden): Promise<void> {
  const factsFile = join(folder, goldenFactsName);
  try {
    await rm(factsFile, { force: true });
    await writeFlushed(join(folder, goldenPictureName), golden.picture);
    await writeFlushed(factsFile, Buffer.from(goldenText(golden)));
  } catch (error) {
    throw goldenError(factsFile, messageOf(error), error);
  }
}

async function writeFlushed(file: string, content: Buffer): Promise<void> {
  const temporary = `${file}.part`;
  const handle = await open(temporary, "w", 0o640);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}

async function readBounded(file: string, bytesMax: number): Promise<Buffer | undefined> {
  try {
    const { size } = await stat(file);
    if (size > bytesMax) throw goldenError(file, `it has ${size} bytes`);
    return await readFile(file);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error instanceof AgentError ? error : goldenError(file, messageOf(error), error);
  }
}

/** One run at least, and no more than fit into the time. */
async function timedRuns(
  vision: VisionProcess,
  picture: Buffer,
  first: DetectResult,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const runsMs = [first.timings.runMs];
  let spentMs = first.timings.roundMs;
  while (runsMs.length < proofLimits.runs && spentMs < proofLimits.runsTimeMaxMs) {
    const { timings } = await vision.detect(picture, { exact: false }, signal);
    runsMs.push(timings.runMs);
    spentMs += timings.roundMs;
  }
  return runsMs;
}
