import { asAgentError } from "../src/core/errors.ts";
import type { Seams, Vision } from "../src/core/ports.ts";
import type { ShadowParts } from "../src/pipeline/shadow.ts";
import { VisionProcess } from "../src/vision/client.ts";
import type { FramepostConfig } from "./config-schema.ts";
import { withDetectorRules } from "./detector-rules.ts";
import { findModel } from "./find-model.ts";
import type { Part } from "./lifecycle.ts";

/** A model that cannot be loaded leaves the agent running without a detector; the client keeps trying after a crash. */
export function visionPart(name: string, vision: Pick<Vision, "start" | "stop">, seams: Seams): Part {
  return {
    name,
    async start(signal) {
      try {
        await vision.start(signal);
      } catch (error) {
        signal.throwIfAborted();
        const { code, message } = asAgentError(error, "starting the vision process");
        if (code !== "MODEL_NONE") seams.log.error("model-unusable", { part: name, code, message });
      }
    },
    stop: () => vision.stop(),
  };
}

/**
 * The second model, that is only compared. Nothing waits for its start, and one that cannot be found is an error in the
 * log. It has one thread: what the machine has more is the first one's.
 */
export async function shadowOf(
  { detector }: FramepostConfig,
  dataFolder: string,
  seams: Seams,
): Promise<{ readonly parts: ShadowParts; readonly part: Part } | undefined> {
  const { shadow, tiles, rename, allow, deny, minBox } = detector;
  if (shadow === undefined) return undefined;
  const found = await findModel(shadow.model, { dataFolder }).catch((error: unknown) => {
    const { code, message } = asAgentError(error, `finding the shadow model ${shadow.model}`);
    seams.log.error("shadow.model-unusable", { code, message });
  });
  if (found === undefined) return undefined;
  // Under the same names as the first one's, but at a threshold of its own.
  const model = withDetectorRules(found, { rename, allow, deny, minBox });
  const vision = new VisionProcess({ model, threads: 1, ...(tiles === undefined ? {} : { tiles }) }, seams);
  const started = (signal: AbortSignal) =>
    void visionPart("shadow", vision, seams)
      .start(signal)
      .catch(() => undefined);
  const part = { name: "shadow", start: async (signal: AbortSignal) => started(signal), stop: () => vision.stop() };
  return { parts: { vision, every: shadow.every, minIou: shadow.minIou }, part };
}
