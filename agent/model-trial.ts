import { AgentError } from "../src/core/errors.ts";
import type { ModelInfo } from "../src/core/ports.ts";
import { createLogger } from "../src/log/logger.ts";
import { VisionProcess } from "../src/vision/client.ts";
import type { ModelSpec } from "../src/vision/model.ts";
import type { CommandContext } from "./context.ts";

/** Loads a model once, in a process of its own, and runs it on an empty picture. Fails with what is wrong with it. */
export async function tryModel(
  { clock, random, logLevel, signal }: CommandContext,
  model: ModelSpec,
): Promise<ModelInfo> {
  const log = createLogger({ level: logLevel ?? "silent", secrets: [], journald: false });
  const vision = new VisionProcess({ model }, { clock, random, log });
  try {
    await vision.start(signal);
    const info = vision.model();
    if (info !== undefined) return info;
    throw new AgentError("VISION_CRASHED", `the vision process ended while it ran ${model.name}`, {
      disposition: "retry",
    });
  } finally {
    await vision.stop();
  }
}

const labelsShown = 5;

/** `yolo8, 640×640, 80 labels: person, bicycle, …` */
export function modelLine({ family, inputWidth, inputHeight, labels }: ModelInfo): string {
  const shown = labels.slice(0, labelsShown).join(", ");
  const more = labels.length > labelsShown ? ", …" : "";
  return `${family}, ${inputWidth}×${inputHeight}, ${labels.length} label${labels.length === 1 ? "" : "s"}: ${shown}${more}`;
}
