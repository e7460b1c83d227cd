import type { CameraHealth } from "../core/ports.ts";
import type { DeliveryHealth } from "../core/health.ts";
import type { DeviceEvent } from "./event.ts";

/** What can be seen of the agent at any moment without asking the spool. */
export interface HealthLook {
  readonly state: "ok" | "degraded";
  readonly troubles: readonly string[];
  readonly cameras: readonly Pick<CameraHealth, "id" | "state" | "frozen" | "lastFrameAtMs" | "lastError">[];
  readonly targets: readonly Pick<DeliveryHealth, "targetId" | "state" | "rejected" | "lastError">[];
  readonly detector: { readonly state: string; readonly model?: string };
  readonly lastRollback?: string;
  readonly spoolFull: boolean;
  /** Cameras that wait for room. */
  readonly paused: readonly string[];
  readonly keptByRule: Readonly<Record<string, number>>;
  readonly revision: number;
}

/** The same for as long as nothing has changed that an operator would want to know at once. */
export function stateKey({ cameras, targets, ...look }: HealthLook): string {
  return JSON.stringify([
    ...[look.state, look.troubles, look.detector, look.lastRollback, look.spoolFull, look.revision],
    // One that is tried again and again is lost all the time.
    cameras.map((camera) => [camera.id, isLost(camera) ? "lost" : camera.state, camera.frozen]),
    targets.map(({ targetId, state }) => [targetId, state]),
  ]);
}

/** What has happened between two looks. What came and went in between is not told. */
export function healthEvents(before: HealthLook, after: HealthLook): readonly DeviceEvent[] {
  return [
    ...after.cameras.flatMap((camera) => cameraEvents(before, camera)),
    ...after.targets.flatMap((target) => targetEvents(before, target)),
    ...spoolEvents(before, after),
    ...modelEvents(before, after),
  ];
}

/** Records kept between two looks, which may lie far apart; undefined: none. */
export function keptEvent(before: HealthLook, after: HealthLook): DeviceEvent | undefined {
  const byRule: Record<string, number> = {};
  let records = 0;
  for (const [rule, count] of Object.entries(after.keptByRule)) {
    const more = count - (before.keptByRule[rule] ?? 0);
    if (more <= 0) continue;
    byRule[rule] = more;
    records += more;
  }
  return records === 0 ? undefined : { kind: "kept", data: { records, byRule } };
}

type CameraLook = HealthLook["cameras"][number];

/** A camera that is stopped by its schedule, or whose folder is used up, is not lost. */
function cameraEvents(before: HealthLook, camera: CameraLook): readonly DeviceEvent[] {
  const was = before.cameras.find(({ id }) => id === camera.id);
  const wasLost = was !== undefined && isLost(was);
  if (isLost(camera) && !wasLost) {
    const error = camera.lastError === undefined ? {} : { error: camera.lastError.code };
    return [{ kind: "camera-lost", data: { camera: camera.id, state: camera.state, ...error } }];
  }
  return wasLost && camera.state === "running" ? [{ kind: "camera-back", data: { camera: camera.id } }] : [];
}

/** While it is tried again it is as lost as before. */
function isLost({ state, lastError, lastFrameAtMs = -Infinity }: CameraLook): boolean {
  if (state === "starting") return lastError !== undefined && lastError.atMs >= lastFrameAtMs;
  return state === "stalled" || state === "backoff" || state === "blocked";
}

function targetEvents(before: HealthLook, now: HealthLook["targets"][number]): readonly DeviceEvent[] {
  const { targetId: target, state, lastError } = now;
  const was = before.targets.find(({ targetId }) => targetId === target);
  const error = lastError === undefined ? {} : { error: lastError.code };
  const events: DeviceEvent[] = [];
  if (state === "away" && was?.state !== "away") events.push({ kind: "target-away", data: { target, ...error } });
  if (state === "up" && was?.state === "away") events.push({ kind: "target-back", data: { target } });
  const deliveries = now.rejected - (was?.rejected ?? 0);
  if (deliveries > 0) events.push({ kind: "quarantined", data: { target, deliveries, ...error } });
  return events;
}

function spoolEvents(before: HealthLook, after: HealthLook): readonly DeviceEvent[] {
  if (after.spoolFull === before.spoolFull) return [];
  return after.spoolFull
    ? [{ kind: "spool-full", data: { paused: [...after.paused] } }]
    : [{ kind: "spool-free", data: {} }];
}

function modelEvents(before: HealthLook, after: HealthLook): readonly DeviceEvent[] {
  const events: DeviceEvent[] = [];
  const [from, to] = [before.detector.model, after.detector.model];
  if (from !== undefined && to !== undefined && from !== to)
    events.push({ kind: "model-switched", data: { from, to } });
  const { lastRollback } = after;
  if (lastRollback !== undefined && lastRollback !== before.lastRollback) {
    events.push({ kind: "model-rolled-back", data: { what: lastRollback } });
  }
  return events;
}
