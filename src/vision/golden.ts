import { createHash } from "node:crypto";
import { iouOf } from "../core/detections.ts";
import { AgentError } from "../core/errors.ts";
import { proofLimits } from "../core/model-limits.ts";
import { visionLimits } from "../core/vision-limits.ts";
import type { Detection } from "../core/types.ts";
import { goldenSchema, type GoldenFacts } from "./config.ts";

/**
 * A golden picture is one photo with what a model is known to find on it. It is judged with exact resizing, which gives
 * the same tensor on every machine; what may still differ is the arithmetic of another processor.
 */

export interface Golden extends GoldenFacts {
  readonly picture: Buffer;
}

/** Of a picture on which something must be found, and nobody says what. */
export function goldenOfAnything(picture: Buffer): Golden {
  return { picture, expected: [], iouMin: proofLimits.iouMin, scoreTolerance: proofLimits.scoreTolerance };
}

export type GoldenDetection = GoldenFacts["expected"][number];

export interface MissingDetection {
  readonly expected: GoldenDetection;
  /** Of its label, the one that shares most with it. */
  readonly nearest?: { readonly iou: number; readonly score: number };
}

export type GoldenVerdict =
  | { readonly kind: "none" }
  | {
      readonly kind: "matched";
      /** 0 where anything would do. */
      readonly expected: number;
      readonly found: number;
      /** The worst of all that matched. */
      readonly iouMin: number;
      readonly scoreDifferenceMax: number;
    }
  | {
      readonly kind: "different";
      readonly expected: number;
      readonly missing: readonly MissingDetection[];
      readonly extra: readonly Detection[];
    }
  /** Nothing was found at all: quantisation can do that to a model that loads and runs. */
  | { readonly kind: "dead"; readonly expected: number; readonly scoreMax: number };

/** Of the content of a `golden.json` and a `golden.jpg`. Fails with `MODEL_GOLDEN`. */
export function parseGolden(content: unknown, picture: Buffer, file: string): Golden {
  const checked = goldenSchema.safeParse(content);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    throw goldenError(file, `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not a list of detections"}`);
  }
  const { sha256 } = checked.data;
  if (sha256 !== undefined && sha256 !== sha256Of(picture)) {
    throw goldenError(file, "the picture beside it is not the one that it was made from");
  }
  return { ...checked.data, picture };
}

/**
 * Each expected detection, best first, takes the free one of its label that shares most with it. What is left over counts
 * only where it is stronger than the threshold by the tolerance: a weaker one may have been just below when the picture
 * was taken in.
 */
export function judgeGolden(golden: Golden, found: readonly Detection[], modelThreshold: number): GoldenVerdict {
  const { iouMin, scoreTolerance, threshold = modelThreshold } = golden;
  const expected = golden.expected.length;
  const scoreMax = Math.max(0, ...found.map(({ score }) => score));
  const shown = found.filter(({ score }) => score >= threshold).length;
  if (expected === 0 && shown === 0) return { kind: "dead", expected, scoreMax };
  const free = new Set(found);
  const missing: MissingDetection[] = [];
  const worst = { iouMin: 1, scoreDifferenceMax: 0 };
  for (const wanted of golden.expected.toSorted((a, b) => b.score - a.score)) {
    const nearest = nearestOf(wanted, free);
    const difference = Math.abs((nearest?.detection.score ?? 0) - wanted.score);
    if (nearest === undefined || nearest.iou < iouMin || difference > scoreTolerance) {
      missing.push(missingOf(wanted, nearest));
      continue;
    }
    free.delete(nearest.detection);
    worst.iouMin = Math.min(worst.iouMin, nearest.iou);
    worst.scoreDifferenceMax = Math.max(worst.scoreDifferenceMax, difference);
  }
  const extra = expected === 0 ? [] : [...free].filter(({ score }) => score > threshold + scoreTolerance);
  if (missing.length === 0 && extra.length === 0) return { kind: "matched", expected, found: shown, ...worst };
  if (scoreMax < Math.max(visionLimits.scoreFloor, threshold - scoreTolerance)) {
    return { kind: "dead", expected, scoreMax };
  }
  return { kind: "different", expected, missing, extra };
}

/**
 * What a `golden.json` says of a picture on which the model found this. Fails with `MODEL_GOLDEN` where it would prove
 * nothing: no strong detection, or a crowd.
 */
export function goldenOf(picture: Buffer, found: readonly Detection[], threshold: number): Golden {
  // One weaker than this could fall below the floor, and then be missing, within the tolerance.
  const scoreMin = Math.max(threshold, visionLimits.scoreFloor + proofLimits.scoreTolerance);
  const shown = found.filter(({ score }) => score >= scoreMin);
  if (shown.length === 0) {
    throw goldenError("the picture", `the model finds nothing on it with a score of ${scoreMin} or more`);
  }
  if (shown.length > proofLimits.expectedMax) {
    throw goldenError(
      "the picture",
      `${shown.length} objects are on it; take one with ${proofLimits.expectedMax} at most`,
    );
  }
  const { iouMin, scoreTolerance } = proofLimits;
  const expected = shown.map(({ label, score, box }) => ({
    label,
    score: rounded(score, 4),
    box: {
      left: rounded(box.left, 2),
      top: rounded(box.top, 2),
      width: Math.max(0.01, rounded(box.width, 2)),
      height: Math.max(0.01, rounded(box.height, 2)),
    },
  }));
  return { sha256: sha256Of(picture), expected, threshold, iouMin, scoreTolerance, picture };
}

/** The text of its `golden.json`. */
export function goldenText({ sha256, threshold, iouMin, scoreTolerance, expected }: Golden): string {
  const facts: GoldenFacts = { sha256, threshold, iouMin, scoreTolerance, expected };
  return `${JSON.stringify(facts, null, 2)}\n`;
}

/** Fails every reading of a golden picture. */
export function goldenError(what: string, why: string, cause?: unknown): AgentError {
  return new AgentError("MODEL_GOLDEN", `cannot use ${what} as a model's golden picture: ${why}`, {
    disposition: "fatal",
    cause,
  });
}

interface Nearest {
  readonly detection: Detection;
  readonly iou: number;
}

function nearestOf({ label, box }: GoldenDetection, free: ReadonlySet<Detection>): Nearest | undefined {
  let nearest: Nearest | undefined;
  for (const detection of free) {
    if (detection.label !== label) continue;
    const iou = iouOf(detection.box, box);
    if (iou > (nearest?.iou ?? 0)) nearest = { detection, iou };
  }
  return nearest;
}

function missingOf(expected: GoldenDetection, nearest: Nearest | undefined): MissingDetection {
  if (nearest === undefined) return { expected };
  return { expected, nearest: { iou: nearest.iou, score: nearest.detection.score } };
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
