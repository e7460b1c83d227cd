import type { Detection, KeepReason } from "../core/types.ts";

/**
 * Which frames become records, and why. Pure: the state goes in and comes back, and a caller that could not store the
 * record hands the old state in again, so that a refused append uses up no interval and no turn.
 */

export interface KeepRules {
  /** Any of these keeps a frame; empty: any label does. */
  readonly labels: readonly string[];
  /** 0 to 1, on top of the model's own threshold. */
  readonly minScore: number;
  /** Least time between two frames kept for their detections; 0: none. */
  readonly minIntervalMs: number;
  /** Every so many frames without a detection one is kept as a negative example; 0: never. */
  readonly negativesEvery: number;
  /** While the detector is away. */
  readonly whenAway: "keep-unlabelled" | "drop";
}

/** Between frames of one camera. Values only: safe to keep, compare and hand in again. */
export interface KeepState {
  readonly keptAtMs?: number;
  /** Frames without a detection since the last negative. */
  readonly empty: number;
}

export const initialKeepState: KeepState = { empty: 0 };

export interface Candidate {
  readonly monotonicMs: number;
  /** Somebody asked for this very frame. */
  readonly requested: boolean;
  /** False when the detector was away: then the absence of detections means nothing. */
  readonly labelled: boolean;
  /** Those shown: at or above the model's threshold, best first. */
  readonly detections: readonly Detection[];
}

export type KeepDecision =
  | { readonly keep: true; readonly reason: KeepReason; readonly state: KeepState }
  /** `why` is stable: it is counted and shown. */
  | { readonly keep: false; readonly why: KeepRefusal; readonly state: KeepState };

export type KeepRefusal = "empty" | "label" | "score" | "interval" | "vision-away";

/** What a person waits for goes first and is evicted last; then what a rule saw; then examples and the unseen. */
const keepPriorities = { requested: 2, detection: 1, negative: 0, unlabelled: 0 } as const;

export function decide(rules: KeepRules, state: KeepState, candidate: Candidate): KeepDecision {
  // A request is beside the rules: it neither waits for an interval nor starts one.
  if (candidate.requested) return kept("requested", keepPriorities.requested, state);
  if (!candidate.labelled) return decideUnlabelled(rules, state, candidate);
  if (candidate.detections.length === 0) return decideEmpty(rules, state);

  const wanted = candidate.detections.filter(({ label }) => rules.labels.length === 0 || rules.labels.includes(label));
  if (wanted.length === 0) return refused("label", state);
  const best = wanted.find(({ score }) => score >= rules.minScore);
  if (best === undefined) return refused("score", state);
  if (tooSoon(rules, state, candidate)) return refused("interval", state);
  const rule = rules.labels.length === 0 ? "any-detection" : `label:${best.label}`;
  return kept(rule, keepPriorities.detection, { ...state, keptAtMs: candidate.monotonicMs });
}

/** The interval counts here too: a detector that is away for a week must not fill the spool at the camera's rate. */
function decideUnlabelled(rules: KeepRules, state: KeepState, candidate: Candidate): KeepDecision {
  if (rules.whenAway === "drop") return refused("vision-away", state);
  if (tooSoon(rules, state, candidate)) return refused("interval", state);
  return kept("unlabelled", keepPriorities.unlabelled, { ...state, keptAtMs: candidate.monotonicMs });
}

function decideEmpty(rules: KeepRules, state: KeepState): KeepDecision {
  if (rules.negativesEvery === 0) return refused("empty", state);
  const empty = state.empty + 1;
  if (empty < rules.negativesEvery) return refused("empty", { ...state, empty });
  return kept(`negative:every-${rules.negativesEvery}`, keepPriorities.negative, { ...state, empty: 0 });
}

function tooSoon(rules: KeepRules, state: KeepState, candidate: Candidate): boolean {
  return state.keptAtMs !== undefined && candidate.monotonicMs - state.keptAtMs < rules.minIntervalMs;
}

function kept(rule: string, priority: number, state: KeepState): KeepDecision {
  return { keep: true, reason: { rule, priority }, state };
}

function refused(why: KeepRefusal, state: KeepState): KeepDecision {
  return { keep: false, why, state };
}
