import { type HealthReport, isAway } from "../../src/health/health.ts";

/**
 * Why the device does not do its work. It does when cameras that should give pictures do, a model looks at them unless
 * there is none, and records can be kept; whether anybody can be reached does not count.
 */
export function unreadyReasons(report: HealthReport, hasModel: boolean): readonly string[] {
  const { cameras, vision, pipeline, spool } = report;
  const hasNone = vision.lastError === undefined || vision.lastError.code === "MODEL_NONE";
  return [
    ...(pipeline.state === "running" ? [] : ["capture has not begun"]),
    ...cameras
      .filter((camera) => isAway(camera) || isYetToShow(camera))
      .map(({ id, state }) => `camera ${id}: ${state}`),
    ...(vision.state === "ready" ? [] : [`detector: ${vision.state}`]),
    ...(vision.state === "ready" && !hasModel && !hasNone ? ["no model is loaded"] : []),
    ...(spool === undefined ? ["the spool does not answer"] : []),
    ...(pipeline.spoolFull ? ["the spool is full"] : []),
  ];
}

function isYetToShow({ state, lastFrameAtMs }: HealthReport["cameras"][number]): boolean {
  return state === "starting" && lastFrameAtMs === undefined;
}
