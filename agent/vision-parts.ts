import { asAgentError } from "../src/core/errors.ts";
import type { Seams, Vision } from "../src/core/ports.ts";
import type { ShadowParts } from "../src/pipeline/shadow.ts";
import { VisionProcess } from "../src/vision/client.ts";
import type { ModelSpec } from "../src/vision/model.ts";
import type { FramepostConfig } from "./config-schema.ts";
import { findModel } from "./find-model.ts";
import type { Part } from "./lifecycle.ts";

interface Startable extends Pick<Vision, "stop"> {
  start(signal: AbortSignal, model?: ModelSpec): Promise<void>;
}

/** A model that cannot be loaded leaves the agent running without a detector; the client keeps trying after a crash. */
export function visionPart(
  name: string,
  vision: Startable,
  seams: Seams,
  startWith: () => ModelSpec | undefined = () => undefined,
): Part {
  return {
    name,
    async start(signal) {
      try {
        await vision.start(signal, startWith());
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
  { detector: { shadow, tiles } }: FramepostConfig,
  dataFolder: string,
  seams: Seams,
): Promise<{ readonly parts: ShadowParts; readonly part: Part } | undefined> {
  if (shadow === undefined) return undefined;
  const model = await findModel(shadow.model, { dataFolder }).catch((error: unknown) => {
    const { code, message } = asAgentError(error, `finding the shadow model ${shadow.model}`);
    seams.log.error("shadow.model-unusable", { code, message });
  });
  if (model === undefined) return undefined;
  const vision = new VisionProcess({ model, threads: 1, ...(tiles === undefined ? {} : { tiles }) }, seams);
  const started = (signal: AbortSignal) =>
    void visionPart("shadow", vision, seams)
      .start(signal)
      .catch(() => undefined);
  const part = { name: "shadow", start: async (signal: AbortSignal) => started(signal), stop: () => vision.stop() };
  return { parts: { vision, every: shadow.every, minIou: shadow.minIou }, part };
}
