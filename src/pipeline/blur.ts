import { AgentError } from "../core/errors.ts";
import { visionLimits } from "../core/vision-limits.ts";
import { blurredBoxes, type BlurRules } from "../core/privacy.ts";
import type { Vision } from "../core/vision-port.ts";
import type { SeenFrame } from "./processed.ts";

/** What of a frame of one camera has to be hidden, and how its records say so. */
export interface HiddenParts {
  readonly maskVersion: string;
  readonly blur?: BlurRules | undefined;
}

/**
 * The frame with all that the rules name made unrecognisable. Fails with `BLUR_…` where it cannot be known what that is, and
 * as the vision process does: then nobody may have the frame.
 */
export async function withBlur(
  seen: SeenFrame,
  rules: BlurRules,
  vision: Pick<Vision, "pixelate">,
  signal: AbortSignal,
): Promise<SeenFrame> {
  const { model, labelled, image, detections, cameraId } = seen;
  if (!labelled || model === undefined) throw unknown("BLUR_UNLABELLED", cameraId, "the detector has not seen it");
  const missing = rules.labels.filter((label) => !model.labels.includes(label));
  if (missing.length > 0) {
    throw unknown("BLUR_LABEL_UNKNOWN", cameraId, `the model ${model.name} does not find ${missing.join(", ")}`);
  }
  // Of a larger crowd the rest was cut off.
  const isCut = detections.length >= visionLimits.detectionsMax;
  if (isCut && (detections.at(-1)?.score ?? 1) >= rules.minScore) {
    throw unknown("BLUR_TOO_MANY", cameraId, `there are ${detections.length} detections in it, or more`);
  }
  const boxes = blurredBoxes(detections, rules, image);
  return boxes.length === 0 ? seen : { ...seen, image: await vision.pixelate(image.jpeg, boxes, signal) };
}

function unknown(code: string, cameraId: string, why: string): AgentError {
  const message = `blurring a frame of ${cameraId}: ${why}`;
  return new AgentError(code, message, { disposition: "retry" });
}
