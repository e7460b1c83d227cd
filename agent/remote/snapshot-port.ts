import { shownDetections } from "../../src/core/detections.ts";
import type { SnapshotPort } from "../../src/remote/commands/snapshot.ts";
import { cameraOf, type Agent } from "../compose.ts";
import { processedFacts } from "../processed-text.ts";

/** A picture now, through the running pipeline. */
export function snapshotPort(agent: Agent): SnapshotPort {
  return {
    async snapshot(camera, { dry }, signal) {
      const cameraId = camera ?? agent.cameras[0]?.id ?? "";
      cameraOf(agent, cameraId);
      const processed = await agent.pipeline.captureOnce(cameraId, { dryRun: dry }, signal);
      if (processed.kind === "refused" || processed.kind === "dropped") throw processed.error;
      if (processed.kind !== "stored") return processedFacts(processed);
      const { id, name, sequence } = processed.record;
      return { record: id, name, sequence, camera: cameraId, detections: shownDetections(processed.seen) };
    },
  };
}
