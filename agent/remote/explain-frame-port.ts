import { AgentError } from "../../src/core/errors.ts";
import { shownDetections } from "../../src/core/detections.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { Camera, CameraHealth } from "../../src/core/ports.ts";
import type { Decision } from "../../src/pipeline/decisions.ts";
import type { ExplainFramePort } from "../../src/remote/commands/explain-frame.ts";
import type { Agent } from "../compose.ts";
import { cameraAway, cameraNamed } from "./camera-away.ts";
import { decisionText } from "./decision-text.ts";

type ExplainedAgent = Pick<Agent, "cameras" | "pipeline" | "spool">;

/** From what the pipeline remembers of each camera; of an older record from the record itself. */
export function explainFramePort(agent: ExplainedAgent, clock: Clock): ExplainFramePort {
  const { cameras, pipeline, spool } = agent;
  const decisionsOf = ({ id }: Camera) => [...(pipeline.decisions().get(id) ?? [])].reverse();
  const cameraFacts = (camera: Camera, latest: readonly Decision[]) => ({
    camera: camera.id,
    state: camera.health().state,
    text: cameraText(camera.health(), latest.length > 0),
    decisions: latest.map((decision) => shown(decision, clock)),
  });
  return {
    async explain({ camera: cameraId, record }) {
      if (cameraId !== undefined) {
        const camera = cameraNamed(cameras, cameraId);
        return { cameras: [cameraFacts(camera, decisionsOf(camera))] };
      }
      if (record === undefined) {
        return { cameras: cameras.map((camera) => cameraFacts(camera, decisionsOf(camera).slice(0, 1))) };
      }
      for (const camera of cameras) {
        const decision = decisionsOf(camera).find((candidate) => candidate.record === record);
        if (decision !== undefined) return { camera: camera.id, decision: shown(decision, clock) };
      }
      return storedRecord(spool, record, clock);
    },
  };
}

function cameraText(health: CameraHealth, hasFrames: boolean): string {
  const away = cameraAway(health);
  if (away !== undefined) return away.message;
  if (health.state === "starting") return `camera ${health.id} is being started`;
  return hasFrames ? "frames come" : "no frame has come yet";
}

async function storedRecord(spool: Agent["spool"], reference: string, clock: Clock): Promise<object> {
  const found = await spool.queue.find(reference);
  if (found === undefined) {
    const message = `record ${reference.slice(0, 64)} is not in the spool, and none of the latest decisions is about it`;
    throw new AgentError("RECORD_UNKNOWN", message, { disposition: "reject" });
  }
  const { id, cameraId, reason, capturedAtMs } = found.record;
  const decision: Decision = {
    ...{ kind: "stored", why: reason.rule, record: id, requested: reason.rule === "requested" },
    ...{ detections: shownDetections(found.record).length, atMs: capturedAtMs, frames: 1 },
  };
  return { camera: cameraId, decision: shown(decision, clock) };
}

function shown(decision: Decision, clock: Clock): object {
  const { atMs, madeMs, kind, why, frames, detections, best, requested, record } = decision;
  return {
    ...{ kind, why, text: decisionText(decision), detections, frames },
    ...(best === undefined ? {} : { best }),
    ...(requested ? { requested } : {}),
    ...(record === undefined ? {} : { record }),
    // What this process has seen has an age whatever the wall clock was set to since.
    ageMs: Math.round(madeMs === undefined ? Math.max(0, clock.nowMs() - atMs) : clock.monotonicMs() - madeMs),
    at: new Date(atMs).toISOString(),
  };
}
