import type { Clock } from "../../src/core/clock.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import type { Camera, CameraHealth } from "../../src/core/ports.ts";
import type { ImageHealth } from "../../src/core/picture.ts";
import type { CameraPort } from "../../src/remote/commands/camera.ts";
import type { Agent } from "../compose.ts";
import { type AgeOf, Ages } from "../../src/remote/ages.ts";
import { cameraAway, cameraNamed } from "./camera-away.ts";

export function cameraPort({ cameras, pipeline }: Pick<Agent, "cameras" | "pipeline">, clock: Clock): CameraPort {
  const ages = new Ages(clock);
  return {
    list() {
      const { images } = pipeline.health();
      const ageOf = ages.look();
      return { cameras: cameras.map((camera) => listed(camera.health(), images[camera.id], ageOf)) };
    },

    async reopen(cameraId, { dry, signal }) {
      const camera = cameraNamed(cameras, cameraId);
      const { state } = camera.health();
      const off =
        state === "stalled" || state === "backoff" || state === "blocked" ? undefined : cameraAway(camera.health());
      if (off !== undefined) throw off;
      if (dry) return { camera: camera.id, state };
      return reopened(camera, clock, signal);
    },
  };
}

/** Until it runs again; fails with why it does not. */
async function reopened(camera: Camera, clock: Clock, signal: AbortSignal): Promise<object> {
  const { restarts: before } = camera.health();
  const startedMs = clock.monotonicMs();
  camera.reopen();
  for (;;) {
    const health = camera.health();
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    if (health.restarts > before) {
      const away = cameraAway(health);
      if (away !== undefined) throw away;
      if (health.state === "running") return { camera: camera.id, state: health.state, tookMs };
    }
    if (tookMs > remoteLimits.reopenWaitMs) return { camera: camera.id, state: health.state, tookMs };
    await clock.sleep(remoteLimits.cameraLookMs, signal);
  }
}

function listed(health: CameraHealth, image: ImageHealth | undefined, ageOf: AgeOf): object {
  const { lastFrameAtMs, lastError, frozen = false, opensAtMs, ...rest } = health;
  const lastFrameAgeMs = ageOf(`${health.id} frame`, lastFrameAtMs);
  const errorAgeMs = ageOf(`${health.id} error`, lastError?.atMs);
  return {
    ...rest,
    ...(lastFrameAgeMs === undefined ? {} : { lastFrameAgeMs }),
    ...(opensAtMs === undefined ? {} : { opensAt: new Date(opensAtMs).toISOString() }),
    ...(image === undefined ? {} : { image: image.state }),
    frozen: frozen || image?.state === "frozen",
    ...(lastError === undefined
      ? {}
      : { lastError: { code: lastError.code, message: lastError.message, ageMs: errorAgeMs } }),
  };
}
