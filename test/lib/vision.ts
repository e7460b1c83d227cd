import { join } from "node:path";
import { SystemClock } from "../../src/core/clock.ts";
import type { Logger } from "../../src/core/ports.ts";
import type { Detection } from "../../src/core/types.ts";
import { VisionProcess, type VisionOptions } from "../../src/vision/client.ts";
import { resolveModel, type ModelSpec } from "../../src/vision/model.ts";
import { worstEdge } from "./boxes.ts";
import type { SceneObject } from "./scenes.ts";
import { RecordingLogger } from "./seams.ts";
import { repositoryFolder } from "./shared.ts";

/** The real vision process for tests, and how its answers compare with the truth. */

export const tinyModelsFolder = join(repositoryFolder, "models", "tiny");

export const never = new AbortController().signal;

export async function tinyModel(name = "tiny-end-to-end"): Promise<ModelSpec> {
  return resolveModel(name, { modelsFolders: [tinyModelsFolder] });
}

/** Not started; gone with `await using`. */
export function visionProcess(
  options: VisionOptions,
  log: Logger = new RecordingLogger(),
): VisionProcess & AsyncDisposable {
  const vision = new VisionProcess(options, {
    clock: new SystemClock(),
    random: Math.random,
    log,
  });
  return Object.assign(vision, { [Symbol.asyncDispose]: async () => vision.stop() });
}

interface SceneVerdict {
  readonly missed: number;
  readonly extra: number;
  /** Pixels; of the edges of everything that was found. */
  readonly edgeErrorMax: number;
}

/** Each object takes the detection of its label whose edges are nearest. */
export function judgeScene(objects: readonly SceneObject[], detections: readonly Detection[]): SceneVerdict {
  const left = new Set(detections);
  let missed = 0;
  let edgeErrorMax = 0;
  for (const { label, box } of objects) {
    const candidates = [...left].filter((detection) => detection.label === label);
    const errors = candidates.map((detection) => ({ detection, error: worstEdge(detection.box, box) }));
    const [nearest] = errors.toSorted((a, b) => a.error - b.error);
    if (nearest === undefined || nearest.error > box.width / 2) {
      missed += 1;
      continue;
    }
    left.delete(nearest.detection);
    edgeErrorMax = Math.max(edgeErrorMax, nearest.error);
  }
  return { missed, extra: left.size, edgeErrorMax };
}
