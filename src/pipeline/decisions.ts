import type { Clock } from "../core/clock.ts";
import { shownDetections } from "../core/detections.ts";
import { pipelineLimits } from "../core/limits.ts";
import type { Detection } from "../core/types.ts";
import type { Processed, SeenFrame } from "./processed.ts";

/** What became of one frame, or of several in a row of which the same became. */
export interface Decision {
  readonly kind: Processed["kind"];
  /** Stable: the rule that kept it, the reason that it was not, or the code of what went wrong. */
  readonly why: string;
  /** Somebody asked for it. */
  readonly requested: boolean;
  /** Shown detections, of the last one of these frames. */
  readonly detections: number;
  /** What the detector was surest of in it, shown or not. */
  readonly best?: Pick<Detection, "label" | "score">;
  readonly record?: string;
  /** Of the last of these frames, wall clock. */
  readonly atMs: number;
  /** The same by the monotonic clock; absent where it may have been another process. */
  readonly madeMs?: number;
  readonly frames: number;
}

/** The latest decisions on the frames of one camera. */
export class Decisions {
  readonly #clock: Clock;
  readonly #latest: Decision[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(processed: Processed, requested: boolean): void {
    const decision = { ...factsOf(processed), requested, atMs: this.#clock.nowMs(), madeMs: this.#clock.monotonicMs() };
    const last = this.#latest.at(-1);
    const repeats = last !== undefined && isSame(last, decision);
    if (repeats) this.#latest.pop();
    this.#latest.push({ ...decision, frames: repeats ? last.frames + 1 : 1 });
    if (this.#latest.length > pipelineLimits.decisionsMax) this.#latest.shift();
  }

  /** Oldest first. */
  list(): readonly Decision[] {
    return [...this.#latest];
  }
}

function factsOf(processed: Processed): Pick<Decision, "kind" | "why" | "detections" | "best" | "record"> {
  const { kind } = processed;
  switch (kind) {
    case "still":
      return { kind, why: kind, detections: 0 };
    case "dropped":
      return { kind, why: processed.why, detections: 0 };
    case "not-kept":
      return { kind, why: processed.why, ...seenIn(processed.seen) };
    case "refused":
      return { kind, why: processed.error.code, ...seenIn(processed.seen) };
    case "stored":
      return { kind, why: processed.reason.rule, ...seenIn(processed.seen), record: processed.record.id };
    case "kept":
    case "not-owed":
      return { kind, why: processed.reason.rule, ...seenIn(processed.seen) };
  }
}

function seenIn(seen: SeenFrame): Pick<Decision, "detections" | "best"> {
  const [best] = seen.detections;
  return {
    detections: shownDetections(seen).length,
    ...(best === undefined ? {} : { best: { label: best.label, score: Math.round(best.score * 1_000) / 1_000 } }),
  };
}

/** Each record is a decision of its own. */
function isSame(one: Decision, other: Omit<Decision, "frames">): boolean {
  if (one.record !== undefined || other.record !== undefined) return false;
  return one.kind === other.kind && one.why === other.why && one.requested === other.requested;
}
