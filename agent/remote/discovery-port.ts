import type { Clock } from "../../src/core/clock.ts";
import { shownDetections } from "../../src/core/detections.ts";
import { type CameraReport, hasTrouble, type HealthReport } from "../../src/health/health.ts";
import type { Processed } from "../../src/pipeline/processed.ts";
import type { DiscoverySource } from "../../src/remote/discovery/discovery.ts";
import type { CameraReading, DeviceReading } from "../../src/remote/discovery/reading.ts";
import { intervalMsOf } from "../../src/capture/config.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import { healthReport } from "../report.ts";

/** What Home Assistant is shown of a running agent. */
export function discoveryPort(
  config: Pick<FramepostConfig, "cameras">,
  { agent, clock, pictures }: { readonly agent: Agent; readonly clock: Clock; readonly pictures: boolean },
): DiscoverySource {
  const objects = new Map<string, number>();
  const newest = new Map<string, Buffer>();
  agent.pipeline.onProcessed((cameraId, processed) => {
    const seen = seenOf(processed);
    if (seen?.labelled === true) objects.set(cameraId, shownDetections(seen).length);
    if (pictures && processed.kind === "stored") newest.set(cameraId, processed.seen.image.jpeg);
  });
  const intervals = new Map(config.cameras.map((camera) => [camera.id, intervalMsOf(camera)]));

  const cameraReading = (camera: CameraReport): CameraReading => {
    const { id, state, lastFrameAtMs } = camera;
    const intervalMs = intervals.get(id);
    return {
      id,
      connected: state === "running",
      problem: hasTrouble(camera),
      lastFrameAtMs: lastFrameAtMs ?? null,
      objects: objects.get(id) ?? null,
      ...(intervalMs === undefined ? {} : { intervalMs }),
    };
  };

  const deviceReading = (health: HealthReport): DeviceReading => ({
    problem: health.state !== "ok",
    queued: health.spool?.records ?? null,
    sent: health.targets.reduce((sum, { accepted }) => sum + accepted, 0),
    quarantined: health.targets.reduce((sum, { quarantined }) => sum + quarantined, 0),
    inferenceMs: inferenceMs(health),
    memoryBytes: health.memory.rssBytes,
    threshold: agent.vision.model()?.threshold ?? null,
  });

  return {
    async read() {
      const health = await healthReport(agent, clock);
      return {
        device: deviceReading(health),
        cameras: health.cameras.map(cameraReading),
        targets: health.targets.map(({ targetId, state }) => ({ id: targetId, connected: state === "up" })),
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

/** Before the first frame there is no median. */
function inferenceMs({ pipeline }: HealthReport): number | null {
  const { round } = pipeline.stagesMs;
  return round === undefined || round.count === 0 ? null : round.p50;
}

function seenOf(processed: Processed) {
  return "seen" in processed ? processed.seen : undefined;
}
