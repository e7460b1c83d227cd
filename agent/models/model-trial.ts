import { dirname } from "node:path";
import type { ModelInfo } from "../../src/core/vision-port.ts";
import type { ModelSpec } from "../../src/vision/model.ts";
import { proofError, proveModel, readGolden } from "../../src/vision/proof.ts";
import type { CommandContext } from "../context.ts";
import { visionFor } from "./choose-models.ts";

/**
 * Loads an installed model in a process of its own and proves it on its golden picture, else on a drawn scene. Fails with
 * what is wrong with it.
 */
export async function tryModel(context: CommandContext, model: ModelSpec): Promise<ModelInfo> {
  const { signal } = context;
  const vision = visionFor(context, { model });
  try {
    await vision.start(signal);
    const proof = await proveModel(vision, await readGolden(dirname(model.file)), {}, signal);
    const error = proofError(proof);
    if (error !== undefined) throw error;
    return proof.model;
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

/** Neither the file nor a manifest says what it finds. */
export function isUnnamed({ labels }: ModelInfo): boolean {
  return labels.length > 0 && labels.every((label, index) => label === `class${index}`);
}

export const unnamedLabels =
  'its file does not name what it finds: list the labels in a manifest, {"labels": ["person", …]}, and give it with --manifest';
