import type { CameraHealth } from "../src/core/ports.ts";
import type { CameraLook } from "../src/core/queue.ts";
import { isAway } from "../src/health/health.ts";

/** How a camera is, for commands beside the daemon that has it open. */
export function cameraLook(health: CameraHealth): CameraLook {
  const { id, state, lastError } = health;
  if (!isAway(health)) return { id, state };
  const { code, message } = lastError ?? { code: "CAMERA_LOST", message: `camera ${id} gives no pictures` };
  return { id, state, error: { code, message } };
}
