import type { HealthReport } from "../../src/health/health.ts";
import { counted } from "../terminal.ts";

/**
 * The whole agent in one line, for `systemctl status`: `3 cameras, 12 queued, broker up`. What is not at work is named.
 * `broker`: of remote control, where there is one.
 */
export function statusText({ cameras, spool, targets, vision }: HealthReport, broker?: "up" | "away"): string {
  const lost = cameras.filter(({ state }) => state === "backoff" || state === "stalled").map(({ id }) => `${id} away`);
  const away = targets.filter(({ state }) => state !== "up").map(({ targetId, state }) => `${targetId} ${state}`);
  return [
    counted(cameras.length, "camera"),
    ...lost,
    ...(vision.state === "ready" ? [] : ["no detector"]),
    ...(spool === undefined ? ["the disk does not answer"] : [`${spool.records} queued`]),
    ...(broker === undefined ? [] : [`broker ${broker}`]),
    ...away,
  ].join(", ");
}
