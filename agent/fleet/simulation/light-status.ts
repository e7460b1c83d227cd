import type { Clock } from "../../../src/core/clock.ts";
import type { HealthLook } from "../../../src/remote/health-events.ts";
import type { InfoReport } from "../../../src/remote/info-report.ts";
import type { StatusReport } from "../../../src/remote/status-report.ts";
import { agentVersion } from "../../version.ts";
import type { LightSpool } from "./light-spool.ts";

/** What a simulated device says of itself: in the form and about of the length of a real one. */

export interface LightFacts {
  readonly device: string;
  readonly instance: string;
  readonly groups: readonly string[];
  readonly spool: LightSpool;
  readonly startedMs: number;
}

const versions = { agent: `${agentVersion()}-simulated`, node: process.version };

export function lightInfo({ device, instance, groups }: LightFacts): InfoReport {
  return {
    ...{ v: 1, device, instance, version: versions.agent, node: versions.node, platform: "simulated" },
    cameras: [{ id: "camera", driver: "simulated" }],
    targets: [{ id: "records", kind: "mqtt" }],
    ...{ model: "simulated", groups: [...groups], commands: ["ping", "info", "status"], revision: 0 },
  };
}

export function lightStatus(facts: LightFacts & { readonly captured: number }, clock: Clock): StatusReport {
  const { spool, captured, startedMs } = facts;
  const upMs = Math.round(clock.monotonicMs() - startedMs);
  const { pending, accepted, givenUp: rejected } = spool;
  return {
    ...{ v: 1, state: "ok", stateForMs: upMs, troubles: [], upMs },
    cameras: { camera: { driver: "simulated", state: "running", frames: captured, framesBad: 0, restarts: 0 } },
    detector: { state: "ready", model: "simulated", restarts: 0, rssPeakBytes: 0 },
    capture: { frames: captured, stored: captured, still: 0, unlabelled: 0, refused: 0, paused: [] },
    queue: { records: pending, bytes: 0, capBytes: 0, quarantined: 0, full: false, evicting: false, lost: {} },
    targets: {
      records: { kind: "mqtt", state: "up", pending, inFlight: 0, quarantined: 0, accepted, rejected, retried: 0 },
    },
    clock: { quality: "unknown", atMs: Math.round(clock.nowMs()) },
    memory: { rssBytes: 0, rssPeakBytes: 0, heapUsedBytes: 0 },
    host: { load1: 0, cpus: 1, memoryBytes: 0, memoryFreeBytes: 0, upMs },
    ...{ versions, revision: 0 },
  };
}

/** Nothing ever happens to it. */
export function lightLook(): HealthLook {
  return {
    ...{ state: "ok", troubles: [], spoolFull: false, paused: [], keptByRule: {}, revision: 0 },
    cameras: [{ id: "camera", state: "running" }],
    targets: [{ targetId: "records", state: "up", rejected: 0 }],
    detector: { state: "ready", model: "simulated" },
  };
}
