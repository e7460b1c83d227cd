import { realpath } from "node:fs/promises";
import { findCameraPrograms } from "../../src/capture/discover/cameras.ts";
import { findV4lCameras } from "../../src/capture/discover/v4l.ts";
import type { Camera } from "../../src/core/ports.ts";
import type { CameraLook } from "../../src/core/queue.ts";
import type { Agent } from "../compose.ts";
import type { CameraConfig } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { checkCamera } from "./camera.ts";
import { sourceOf } from "./camera-source.ts";
import type { CheckResult } from "./result.ts";

/** Each camera may hold a picture and a process; more at a time gain little on a gateway's few cores. */
const camerasAtOnce = 4;

/**
 * A real frame of every camera, judged. Cameras are asked side by side, those of one device one after the other; what
 * was found comes in the order of the config.
 */
export async function* cameraChecks(
  context: CommandContext,
  configs: readonly CameraConfig[],
  { cameras, vision }: Pick<Agent, "cameras" | "vision">,
  daemonsLooks?: readonly CameraLook[],
): AsyncGenerator<CheckResult> {
  const attached = await findV4lCameras();
  const programs = await findCameraPrograms();
  const lanes = new Lanes(camerasAtOnce);
  const answers: Promise<readonly CheckResult[]>[] = [];
  for (const [index, camera] of cameras.entries()) {
    const config = configs[index];
    if (config === undefined) continue;
    const lane = await laneOf(camera, config);
    const answer = lanes.run(lane, () =>
      checkCamera(context, { camera, config, attached, programs, vision, daemonsLooks }),
    );
    // Awaited in its turn below; until then a failure of it must not end the process.
    answer.catch(() => undefined);
    answers.push(answer);
  }
  try {
    for (const answer of answers) yield* await answer;
  } finally {
    await Promise.allSettled(answers);
  }
}

/** What cameras must not use at the same time; the camera itself where nothing is shared. */
async function laneOf({ id }: Camera, config: CameraConfig): Promise<string> {
  const source = sourceOf(config);
  if (source?.kind === "rpicam") return `rpicam ${source.camera}`;
  if (source?.kind !== "v4l2") return `camera ${id}`;
  return realpath(source.device).catch(() => source.device);
}

/** Work side by side, at most so much at a time; in one lane one after the other, in the order of the calls. */
class Lanes {
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  run<T>(lane: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(lane) ?? Promise.resolve();
    const result = before.then(
      () => this.#whenFree(work),
      () => this.#whenFree(work),
    );
    this.#last.set(lane, result);
    return result;
  }

  async #whenFree<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
