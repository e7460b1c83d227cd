import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { configLimits, proofLimits } from "../core/limits.ts";
import type { DetectResult, ModelInfo } from "../core/ports.ts";
import type { VisionProcess } from "./client.ts";
import { type Golden, goldenError, type GoldenVerdict, judgeGolden, parseGolden } from "./golden.ts";
import type { Inspection } from "./inspection.ts";
import { proofSceneSvg } from "./proof-scene.ts";

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
  const runMs = quantile(runsMs, 0.5);
  const problems = [...goldenProblems(verdict), ...outputProblems(inspection)];
  if (runMsMax !== undefined && runMs > runMsMax) {
    problems.push(`a run takes ${runMs.toFixed(1)} ms, and may take ${runMsMax.toFixed(1)} ms`);
  }
  return {
    model,
    golden: verdict,
    runMs,
    runMsP95: quantile(runsMs, 0.95),
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

function goldenProblems(verdict: GoldenVerdict): readonly string[] {
  switch (verdict.kind) {
    case "none":
    case "matched":
      return [];
    case "dead":
      return ["it finds nothing on its golden picture"];
    case "different": {
      const { expected, missing, extra } = verdict;
      const first = missing[0];
      return [
        ...(first === undefined
          ? []
          : [`${missing.length} of ${expected} are missing on its golden picture, such as ${missingText(first)}`]),
        ...(extra.length === 0
          ? []
          : [`${extra.length} on its golden picture are not expected, such as ${textOf(extra[0])}`]),
      ];
    }
  }
}

/** `person 0.91 (the nearest shares 0.42 of its box, score 0.88)`. */
export function missingText({
  expected,
  nearest,
}: Extract<GoldenVerdict, { kind: "different" }>["missing"][number]): string {
  const { label, score } = expected;
  const beside =
    nearest === undefined
      ? "none of that label is near"
      : `the nearest shares ${nearest.iou.toFixed(2)} of its box, score ${nearest.score.toFixed(2)}`;
  return `${label} ${score.toFixed(2)} (${beside})`;
}

function textOf(detection: { readonly label: string; readonly score: number } | undefined): string {
  return detection === undefined ? "" : `${detection.label} ${detection.score.toFixed(2)}`;
}

function outputProblems({ outputs, scoreMax }: Inspection): readonly string[] {
  const broken = outputs.filter(({ notFinite }) => notFinite > 0);
  return [
    ...broken.map(({ name, notFinite }) => `${notFinite} values of its output ${name} are no numbers`),
    // Rounding may put a sure one a hair above 1.
    ...(scoreMax > 1.01 ? [`it gives scores up to ${scoreMax.toFixed(1)}: its outputs are read in a wrong way`] : []),
  ];
}

/** A model with its own suppression may rightly say nothing of a drawn scene. */
function outputWarnings(verdict: GoldenVerdict, { scoreMax }: Inspection): readonly string[] {
  if (verdict.kind !== "none" || scoreMax > 0) return [];
  return ["no score at all on a drawn scene: it may be dead; try it with a photo of what it should find"];
}

/** Of at least one value. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
