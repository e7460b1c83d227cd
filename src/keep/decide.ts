import { shadowLimits } from "../core/vision-limits.ts";
import type { Detection, KeepReason } from "../core/types.ts";
import {
  carryOn,
  follow,
  type Followed,
  lookAgainAtMs,
  markKept,
  newsIn,
  type Track,
  type TrackRules,
} from "./tracks.ts";

/**
 * Which frames become records, and why. Pure: the state goes in and comes back, and a caller that could not store the
 * record goes on with `stateIfRefused`, so that a refused append uses up no interval and no turn, and what was new on it
 * is still new.
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
  /** Only for objects that were not there before; absent: for any. */
  readonly newObjects?: TrackRules;
  /** While the detector is away. */
  readonly whenAway: "keep-unlabelled" | "drop";
}

/** Between frames of one camera. Values only: safe to keep, compare and hand in again. */
export interface KeepState {
  readonly keptAtMs?: number;
  /** Frames without a detection since the last negative. */
  readonly empty: number;
  /** Where objects are followed. */
  readonly tracks?: readonly Track[];
  /** When a frame was last kept because two models disagreed. */
  readonly disagreedAtMs?: number;
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
  /** Those below it that are more than noise. */
  readonly faint?: readonly Detection[];
  /** What a second model sees differently, for example `+person -car`. */
  readonly disagreement?: string;
}

export type KeepDecision =
  | {
      readonly keep: true;
      readonly reason: KeepReason;
      readonly state: KeepState;
      /** In its place when the record could not be stored. */
      readonly stateIfRefused: KeepState;
    }
  /** `why` is stable: it is counted and shown. */
  | { readonly keep: false; readonly why: KeepRefusal; readonly state: KeepState };

/** `known`: the frame shows only objects of which one was kept before. */
export type KeepRefusal = "empty" | "label" | "score" | "known" | "interval" | "vision-away";

/** What a person waits for goes first and is evicted last; then what a rule saw; then examples and the unseen. */
const keepPriorities = { requested: 2, disagreement: 2, detection: 1, negative: 0, unlabelled: 0 } as const;

export function decide(rules: KeepRules, before: KeepState, candidate: Candidate): KeepDecision {
  const followed = followedIn(rules, before, candidate);
  const state = followed === undefined ? before : { ...before, tracks: followed.tracks };
  // A request is beside the rules: it neither waits for an interval nor starts one.
  if (candidate.requested) return kept("requested", keepPriorities.requested, state, state);
  if (!candidate.labelled) return decideUnlabelled(rules, state, candidate);
  const decision = decideLabelled(rules, state, candidate, followed);
  const { disagreement, monotonicMs } = candidate;
  if (disagreement === undefined || !mayDisagree(state, candidate)) return decision;
  const after = { ...decision.state, disagreedAtMs: monotonicMs };
  return kept(`shadow:${disagreement}`, keepPriorities.disagreement, after, state);
}

function decideLabelled(
  rules: KeepRules,
  state: KeepState,
  candidate: Candidate,
  followed: Followed | undefined,
): KeepDecision {
  const { detections, monotonicMs } = candidate;
  if (detections.length === 0) return decideEmpty(rules, state);
  const wanted = detections.filter(({ label }) => isWanted(rules, label));
  if (wanted.length === 0) return refused("label", state);
  const best = wanted.find(({ score }) => score >= rules.minScore);
  if (best === undefined) return refused("score", state);
  const { newObjects } = rules;
  const news =
    followed === undefined || newObjects === undefined ? undefined : newsIn(followed, newObjects, monotonicMs);
  if (followed !== undefined && news === undefined) return refused("known", state);
  if (tooSoon(rules, state, candidate)) return refused("interval", state);
  const rule = news ?? (rules.labels.length === 0 ? "any-detection" : `label:${best.label}`);
  const tracks = followed === undefined ? {} : { tracks: markKept(followed, monotonicMs) };
  return kept(rule, keepPriorities.detection, { ...state, keptAtMs: monotonicMs, ...tracks }, state);
}

/** Undefined where objects are not followed, or nobody looked. */
function followedIn(rules: KeepRules, { tracks = [] }: KeepState, candidate: Candidate): Followed | undefined {
  const { labelled, detections, faint = [], monotonicMs } = candidate;
  if (rules.newObjects === undefined || !labelled) return undefined;
  const counts = ({ label, score }: Detection) => isWanted(rules, label) && score >= rules.minScore;
  const counting = detections.filter(counts);
  const weaker = [...detections.filter((detection) => !counts(detection)), ...faint];
  return follow(rules.newObjects, tracks, { monotonicMs, counting, faint: weaker });
}

/** After a frame on which nothing has changed since the last one that was decided on. */
export function afterStill(state: KeepState, monotonicMs: number): KeepState {
  return state.tracks === undefined ? state : { ...state, tracks: carryOn(state.tracks, monotonicMs) };
}

/**
 * From when on the model has to see the next frame, though nothing moves: something that stands before the camera could
 * not be kept at its time, or has to be looked for once more. Infinity: there is no need.
 */
export function lookAgainFromMs(
  rules: KeepRules,
  { keptAtMs, tracks }: KeepState,
  { why, monotonicMs }: { readonly why?: KeepRefusal; readonly monotonicMs: number },
): number {
  const mayKeepFromMs = keptAtMs === undefined ? monotonicMs : keptAtMs + rules.minIntervalMs;
  const afterIntervalMs = why === "interval" ? mayKeepFromMs : Infinity;
  if (rules.newObjects === undefined || tracks === undefined) return afterIntervalMs;
  return Math.min(afterIntervalMs, lookAgainAtMs(tracks, rules.newObjects, { monotonicMs, mayKeepFromMs }));
}

/** The interval counts here too: a detector that is away for a week must not fill the spool at the camera's rate. */
function decideUnlabelled(rules: KeepRules, state: KeepState, candidate: Candidate): KeepDecision {
  if (rules.whenAway === "drop") return refused("vision-away", state);
  if (tooSoon(rules, state, candidate)) return refused("interval", state);
  return kept("unlabelled", keepPriorities.unlabelled, { ...state, keptAtMs: candidate.monotonicMs }, state);
}

function decideEmpty(rules: KeepRules, state: KeepState): KeepDecision {
  if (rules.negativesEvery === 0) return refused("empty", state);
  const empty = state.empty + 1;
  if (empty < rules.negativesEvery) return refused("empty", { ...state, empty });
  return kept(`negative:every-${rules.negativesEvery}`, keepPriorities.negative, { ...state, empty: 0 }, state);
}

function tooSoon(rules: KeepRules, state: KeepState, candidate: Candidate): boolean {
  return state.keptAtMs !== undefined && candidate.monotonicMs - state.keptAtMs < rules.minIntervalMs;
}

/** A bad second model disagrees all the time. */
function mayDisagree({ disagreedAtMs }: KeepState, { monotonicMs }: Candidate): boolean {
  return disagreedAtMs === undefined || monotonicMs - disagreedAtMs >= shadowLimits.keepEveryMs;
}

function isWanted({ labels }: KeepRules, label: string): boolean {
  return labels.length === 0 || labels.includes(label);
}

function kept(rule: string, priority: number, state: KeepState, stateIfRefused: KeepState): KeepDecision {
  return { keep: true, reason: { rule, priority }, state, stateIfRefused };
}

function refused(why: KeepRefusal, state: KeepState): KeepDecision {
  return { keep: false, why, state };
}
