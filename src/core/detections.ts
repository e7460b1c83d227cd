import type { Box, Detection, RecordDraft } from "./types.ts";

/** The detections a record shows: those at or above the model's threshold, or a stricter one of the target's. */
export function shownDetections(draft: RecordDraft, minScore = 0): readonly Detection[] {
  const threshold = Math.max(minScore, draft.model?.threshold ?? 0);
  return draft.detections.filter((detection) => detection.score >= threshold);
}

/** The part of `box` inside an image, or undefined when nothing is left of it. */
export function clipBox(box: Box, imageWidth: number, imageHeight: number): Box | undefined {
  const left = Math.max(0, box.left);
  const top = Math.max(0, box.top);
  const width = Math.min(imageWidth, box.left + box.width) - left;
  const height = Math.min(imageHeight, box.top + box.height) - top;
  return width > 0 && height > 0 ? { left, top, width, height } : undefined;
}

/** Intersection over union, 0 to 1. */
export function iouOf(a: Box, b: Box): number {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}
