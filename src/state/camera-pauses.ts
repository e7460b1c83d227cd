import { join } from "node:path";
import type { AgentError } from "../core/errors.ts";
import { stateLimits } from "../core/limits.ts";
import { StateFile } from "./state-file.ts";

/** A camera that an operator has paused, which holds over a restart. */
export interface KeptPause {
  readonly camera: string;
  /** Of running time; until it is resumed when absent. */
  readonly leftMs?: number;
}

export interface KeptPauses {
  readonly pauses: readonly KeptPause[];
}

/**
 * `pauses.json` in the state folder. Where it cannot be read it is set aside, which is told, and every camera in
 * `cameraIds` is paused until somebody resumes it: one of them was, maybe. Fails with `STATE_…`.
 */
export async function openPauses(
  stateFolder: string,
  cameraIds: readonly string[] = [],
  onSetAside: (error: AgentError) => void = () => undefined,
): Promise<StateFile<KeptPauses>> {
  return StateFile.open<KeptPauses>({
    path: join(stateFolder, "pauses.json"),
    version: 1,
    bytesMax: stateLimits.pausesBytesMax,
    parse: parsePauses,
    initial: (isSetAside) => ({ pauses: isSetAside ? cameraIds.map((camera) => ({ camera })) : [] }),
    onSetAside,
  });
}

function parsePauses(value: unknown): KeptPauses {
  if (typeof value !== "object" || value === null || !("pauses" in value) || !Array.isArray(value.pauses)) {
    throw new Error("it is no list of pauses");
  }
  return { pauses: value.pauses.map(parsePause) };
}

function parsePause(value: unknown): KeptPause {
  if (typeof value !== "object" || value === null) throw new Error("a pause is no object");
  const { camera, leftMs } = value as Readonly<Record<string, unknown>>;
  if (typeof camera !== "string") throw new Error("a pause names no camera");
  if (leftMs === undefined) return { camera };
  if (typeof leftMs !== "number" || leftMs < 0) throw new Error(`the pause of ${camera} has no time left`);
  return { camera, leftMs };
}
