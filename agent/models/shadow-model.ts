import { asAgentError } from "../../src/core/errors.ts";
import type { Seams } from "../../src/core/ports.ts";
import type { ShadowParts } from "../../src/pipeline/shadow.ts";
import { VisionProcess } from "../../src/vision/client.ts";
import type { FramepostConfig } from "../config-schema.ts";
import { withDetectorRules } from "./detector-rules.ts";
import { findModel } from "./find-model.ts";
import type { Part } from "../lifecycle.ts";

/**
 * The second model, that is only compared. Nothing waits for its start, and one that cannot be found is an error in the
 * log. It has one thread: what the machine has more is the first one's.
 */
export async function shadowOf(
  { detector }: FramepostConfig,
  dataFolder: string,
  seams: Seams,
): Promise<{ readonly parts: ShadowParts; readonly part: Part } | undefined> {
  const { shadow, tiles } = detector;
  if (shadow === undefined) return undefined;
  const said = (error: unknown) => {
    const { code, message } = asAgentError(error, `using the shadow model ${shadow.model}`);
    seams.log.error("shadow.model-unusable", { code, message });
  };
  const found = await findModel(shadow.model, { dataFolder }).catch(said);
  if (found === undefined) return undefined;
  // Everything that holds for the first one but its thresholds: scores of two models do not compare.
  const model = withDetectorRules(found, { ...detector, threshold: undefined, thresholds: undefined });
  const vision = new VisionProcess({ model, threads: 1, ...(tiles === undefined ? {} : { tiles }) }, seams);
  const start = async (signal: AbortSignal) => void vision.start(signal).catch(said);
  const part = { name: "shadow", start, stop: () => vision.stop() };
  return { parts: { vision, every: shadow.every, minIou: shadow.minIou }, part };
}
