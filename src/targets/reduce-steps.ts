import { reduceLimits } from "../core/deliver-limits.ts";

/** How far a picture may be reduced; as in the config. */
export interface ReduceRules {
  /** JPEG quality, 1 to 100. */
  readonly minQuality: number;
  /** Share of width and height, above 0 to 1. */
  readonly minScale: number;
}

/** One way to reduce a picture. */
export interface ReduceStep {
  readonly quality: number;
  /** Of width and height, in whole thousandths, so that it can be written down and repeated. */
  readonly scale: number;
}

export interface MadeCopy extends ReduceStep {
  readonly bytes: number;
}

/**
 * The next copy to make of a picture, after those made so far: first of lower quality in its full size, then smaller at
 * the lowest quality. Towards `aimBytes`, where it is known, it goes at once, by what JPEGs usually take; a step lies
 * always below the one before. Undefined at the floor, and when enough copies were made.
 */
export function nextStep(
  rules: ReduceRules,
  originalBytes: number,
  made: readonly MadeCopy[],
  aimBytes?: number,
): ReduceStep | undefined {
  if (made.length >= reduceLimits.copiesMax) return undefined;
  const before = made.at(-1) ?? { quality: reduceLimits.originalQuality, scale: 1, bytes: originalBytes };
  const below = walk(rules).filter((step) => made.length === 0 || isBelow(step, before));
  const [next] = below;
  if (next === undefined || aimBytes === undefined) return next;
  const aimed = stepTowards(rules, before, aimBytes * reduceLimits.aimShare);
  // The prediction may ask for no change at all, where the picture did not shrink as it should have.
  return made.length === 0 || isBelow(aimed, before) ? aimed : next;
}

function walk({ minQuality, minScale }: ReduceRules): readonly ReduceStep[] {
  const { firstQuality } = reduceLimits;
  const span = Math.max(0, firstQuality - minQuality);
  const qualities = new Set([1, 0.5, 0].map((share) => Math.round(minQuality + span * share)));
  const scales = new Set([1 / 3, 2 / 3, 1].map((share) => thousandths(minScale ** share, minScale)));
  scales.delete(1);
  return [
    ...[...qualities].map((quality) => ({ quality, scale: 1 })),
    ...[...scales].map((scale) => ({ quality: minQuality, scale })),
  ];
}

function stepTowards({ minQuality, minScale }: ReduceRules, before: MadeCopy, aimBytes: number): ReduceStep {
  const wantedSteps = quantiserOf(before.quality) * (before.bytes / aimBytes) ** (1 / bytesExponent);
  const quality = Math.floor(qualityOf(wantedSteps));
  if (before.scale === 1 && quality >= minQuality) {
    return { quality: Math.max(minQuality, Math.min(quality, reduceLimits.firstQuality)), scale: 1 };
  }
  const atLowest = before.bytes * (quantiserOf(before.quality) / quantiserOf(minQuality)) ** bytesExponent;
  const scale = before.scale * Math.min(1, Math.sqrt(aimBytes / atLowest));
  return { quality: minQuality, scale: thousandths(scale, minScale) };
}

function isBelow(step: ReduceStep, other: ReduceStep): boolean {
  return step.scale < other.scale || (step.scale === other.scale && step.quality < other.quality);
}

/** How coarsely a quality quantises, in percent of the standard's tables: libjpeg's scale, which all encoders keep. */
function quantiserOf(quality: number): number {
  return quality < 50 ? 5_000 / quality : Math.max(2, 200 - 2 * quality);
}

function qualityOf(quantiser: number): number {
  return quantiser > 100 ? 5_000 / quantiser : (200 - quantiser) / 2;
}

/** A JPEG of a camera takes about as many bytes as this power of the quantiser; between 0.5 and 0.7 on most pictures. */
const bytesExponent = 0.6;

/** Never below the floor by rounding. */
function thousandths(scale: number, minScale: number): number {
  return Math.max(Math.round(scale * 1_000), Math.ceil(minScale * 1_000)) / 1_000;
}
