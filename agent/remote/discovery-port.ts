import type { Clock } from "../../src/core/clock.ts";
import { shownDetections } from "../../src/core/detections.ts";
import { discoveryLimits, remoteLimits } from "../../src/core/remote-limits.ts";
import { intervalMsOf } from "../../src/capture/config.ts";
import { type CameraReport, hasTrouble, type HealthReport, type TargetHealth } from "../../src/health/health.ts";
import type { DiscoverySource } from "../../src/remote/discovery/discovery.ts";
import type { CameraReading, DeviceReading, TargetReading } from "../../src/remote/discovery/reading.ts";
import type { StatusReport } from "../../src/remote/status-report.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import { healthLook } from "../report.ts";

export interface DiscoveryPortParts {
  readonly agent: Agent;
  readonly clock: Clock;
  readonly status: () => Promise<StatusReport>;
  /** Kept frames are held for Home Assistant: one of each camera. */
  readonly pictures: boolean;
}

/** What Home Assistant is shown of a running agent. */
export function discoveryPort(
  config: Pick<FramepostConfig, "cameras">,
  { agent, clock, status, pictures }: DiscoveryPortParts,
): DiscoverySource {
  const objects = new Map<string, number>();
  const newest = new Map<string, Buffer>();
  agent.pipeline.onProcessed((cameraId, processed) => {
    if ("seen" in processed && processed.seen.labelled) {
      objects.set(cameraId, shownDetections(processed.seen).length);
    }
    if (pictures && processed.kind === "stored") newest.set(cameraId, processed.seen.image.jpeg);
  });
  const intervals = new Map(config.cameras.map((camera) => [camera.id, intervalMsOf(camera)]));
  let last: { readonly device: DeviceReading; readonly key: string; readonly atMs: number } | undefined;

  /** The whole status asks the spool, and models lie on disk: not at every look. */
  const deviceNow = async ({ state }: HealthReport): Promise<DeviceReading> => {
    const { sha256 = "" } = agent.vision.model() ?? {};
    const key = `${state} ${sha256}`;
    const atMs = clock.monotonicMs();
    if (last === undefined || last.key !== key || atMs - last.atMs >= discoveryLimits.driftEveryMs) {
      last = { device: { ...deviceReading(await status()), ...(await modelReading(agent)) }, key, atMs };
    }
    return last.device;
  };

  const cameraReading = (camera: CameraReport): CameraReading => {
    const { id, state, lastFrameAtMs } = camera;
    const intervalMs = intervals.get(id);
    return {
      id,
      connected: state === "running",
      problem: hasTrouble(camera),
      lastFrameAtMs: lastFrameAtMs ?? null,
      objects: objects.get(id) ?? null,
      capturing: state !== "paused",
      ...(intervalMs === undefined ? {} : { intervalMs }),
    };
  };

  return {
    async read() {
      const health = healthLook(agent, clock);
      return {
        device: { ...(await deviceNow(health)), threshold: agent.vision.model()?.threshold ?? null },
        cameras: health.cameras.map(cameraReading),
        targets: health.targets.map(targetReading),
      };
    },
    pictures: {
      next(cameraId) {
        const jpeg = newest.get(cameraId);
        newest.delete(cameraId);
        return jpeg;
      },
      thumbnail: (jpeg, options, signal) => agent.vision.thumbnail(jpeg, options, signal),
    },
  };
}

function targetReading({ targetId, state }: TargetHealth): TargetReading {
  const isOff = state === "disabled" || state === "local-only";
  const isHeld = state !== "up" && state !== "away" && state !== "stopped";
  return {
    id: targetId,
    connected: isHeld ? null : state === "up",
    ...(isOff ? {} : { uploading: state !== "paused" }),
  };
}

function deviceReading(status: StatusReport): DeviceReading {
  const { state, queue, targets, detector, disk, host, memory } = status;
  const { dayBytesLeft, monthBytesLeft } = status.upload?.budget ?? {};
  return {
    problem: state !== "ok",
    queued: queue?.records ?? null,
    oldestAgeMs: queue?.oldestAgeMs ?? null,
    sent: Object.values(targets).reduce((sum, { accepted }) => sum + accepted, 0),
    quarantined: queue?.quarantined ?? null,
    inferenceMs: detector.msP50 ?? null,
    memoryBytes: memory.rssBytes,
    ...(dayBytesLeft === undefined ? {} : { dayBytesLeft }),
    ...(monthBytesLeft === undefined ? {} : { monthBytesLeft }),
    ...(disk === undefined ? {} : { diskFreeBytes: disk.freeBytes }),
    ...(host.temperatureC === undefined ? {} : { temperatureCelsius: host.temperatureC }),
  };
}

/** Nothing to choose where the config names the model, or none is installed. */
async function modelReading({ models }: Agent): Promise<Pick<DeviceReading, "model" | "models" | "updates">> {
  if (models.pinnedTo !== undefined) return {};
  const updates = models.updater !== undefined;
  const [current, installed] = [await models.store.current(), await models.store.list()];
  if (installed.length === 0) return { updates };
  return {
    updates,
    models: installed.slice(0, remoteLimits.modelsListedMax).map(modelLabel),
    model: current === undefined ? null : modelLabel(current),
  };
}

function modelLabel({ name, version }: { readonly name: string; readonly version: string }): string {
  return `${name}@${version}`;
}
