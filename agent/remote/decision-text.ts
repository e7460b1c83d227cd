import type { Decision } from "../../src/pipeline/decisions.ts";

/** Why a frame was kept or not, for a person. */
export function decisionText({ kind, why, requested }: Decision): string {
  switch (kind) {
    case "stored":
      return `kept as a record: ${ruleText(why, requested)}`;
    case "kept":
      return `would be kept: ${ruleText(why, requested)}`;
    case "not-kept":
      return `not kept: ${refusalTexts[why] ?? why}`;
    case "still":
      return "not looked at: nothing moved since the last frame that the detector saw";
    case "not-owed":
      return `not stored, although ${ruleText(why, requested)}: no target wants it (includeEmpty, labels, minScore of each)`;
    case "refused":
      return `not stored, although a rule keeps it: ${faultTexts[why] ?? `the spool would not take it (${why})`}`;
    case "dropped":
      return `lost: ${faultTexts[why] ?? `it could not be worked on (${why})`}`;
  }
}

function ruleText(rule: string, requested: boolean): string {
  if (requested) return "somebody asked for it";
  if (rule === "any-detection") return "something was detected in it";
  if (rule === "unlabelled") return "the detector was away, and detector.whenAway keeps such frames";
  if (rule.startsWith("label:")) return `it shows ${rule.slice("label:".length)}, which keep.labels names`;
  if (rule.startsWith("new:")) return `a ${rule.slice("new:".length)} is in it that was not there before`;
  if (rule.startsWith("again:"))
    return `it is time for another frame of the ${rule.slice("again:".length)} that is there`;
  if (rule.startsWith("negative:"))
    return "it is the example of a frame without detections that keep.negativesEvery asks for";
  if (rule.startsWith("shadow:")) return `two models see it differently (${rule.slice("shadow:".length)})`;
  return `the rule ${rule} keeps it`;
}

const refusalTexts: Readonly<Record<string, string>> = {
  empty: "nothing was detected in it",
  label: "it shows none of keep.labels",
  score: "no detection in it reaches keep.minScore",
  known: "it shows only objects of which a frame was kept before (keep.newObjects)",
  interval: "the last frame was kept less than keep.minInterval before it",
  "vision-away": "the detector was away, and detector.whenAway drops such frames",
};

const faultTexts: Readonly<Record<string, string>> = {
  SPOOL_FULL: "the spool is full",
  DISK_FULL: "the disk is full",
  "image-corrupt": "its picture cannot be decoded",
  "not-blurred":
    "what privacy.blur hides could not be blurred (detector away, or a label that the model does not know)",
  "orientation-unapplied": "it has to be turned upright, and the vision process was away",
};
