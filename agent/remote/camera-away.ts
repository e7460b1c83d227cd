import { AgentError } from "../../src/core/errors.ts";
import type { Camera, CameraHealth } from "../../src/core/ports.ts";

/** A camera of the config by its id, the first one without. Fails with `CAMERA_UNKNOWN`. */
export function cameraNamed(cameras: readonly Camera[], id: string | undefined): Camera {
  const camera = id === undefined ? cameras[0] : cameras.find((candidate) => candidate.id === id);
  if (camera !== undefined) return camera;
  const message = `there is no camera ${id ?? ""}; there are ${cameras.map((known) => known.id).join(", ")}`;
  throw new AgentError("CAMERA_UNKNOWN", message, { disposition: "reject" });
}

/** Why a camera gives no picture just now, and waiting for one is in vain; undefined when it does or may. */
export function cameraAway(health: CameraHealth): AgentError | undefined {
  const { id, state, opensAtMs, resumesInMs, lastError } = health;
  switch (state) {
    case "starting":
    case "running":
      return undefined;
    case "paused": {
      const left = resumesInMs === undefined ? "until it is resumed" : `for another ${seconds(resumesInMs)} s`;
      return away("CAMERA_PAUSED", `camera ${id} is paused ${left}`);
    }
    case "stopped": {
      if (opensAtMs === undefined) return away("CAMERA_CLOSED", `camera ${id} is off`);
      const opens = new Date(opensAtMs).toISOString();
      return away("CAMERA_CLOSED", `camera ${id} is off by its schedule until ${opens}`);
    }
    case "ended":
      return away("CAMERA_ENDED", `camera ${id} has no more pictures`);
    case "stalled":
    case "backoff":
    case "blocked":
      return lastError === undefined
        ? away("CAMERA_AWAY", `camera ${id} is away`)
        : away(lastError.code, `camera ${id} is away: ${lastError.message}`);
  }
}

function away(code: string, message: string): AgentError {
  return new AgentError(code.startsWith("CAMERA_") ? code : "CAMERA_AWAY", message, { disposition: "retry" });
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}
