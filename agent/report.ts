import type { Clock } from "../src/core/clock.ts";
import { collectHealth, type HealthParts, type HealthReport } from "../src/health/health.ts";
import type { Agent } from "./compose.ts";

/** Asks every part of a running agent how it is. */
export async function healthReport(agent: Agent, clock: Clock): Promise<HealthReport> {
  return healthNow(agent, clock, await agent.spool.stats().catch(() => undefined));
}

/** The same without the spool: costs next to nothing. */
export function healthLook(agent: Agent, clock: Clock): HealthReport {
  return healthNow(agent, clock, "unasked");
}

function healthNow(agent: Agent, clock: Clock, spool: HealthParts["spool"]): HealthReport {
  const { rss, heapUsed } = process.memoryUsage();
  return collectHealth({
    atMs: clock.nowMs(),
    uptimeMs: process.uptime() * 1_000,
    troubles: [...agent.troubles, ...unknownPauses(agent)],
    cameras: agent.cameras.map((camera) => camera.health()),
    vision: agent.vision.health(),
    model: agent.vision.model(),
    models: agent.models.health(),
    pipeline: agent.pipeline.health(),
    spool,
    deliveries: agent.loops.map((loop) => loop.health()),
    upload: agent.upload.health(),
    clock: agent.bootClock.health(),
    // The kernel counts the peak in KiB.
    memory: { rssBytes: rss, rssPeakBytes: process.resourceUsage().maxRSS * 1_024, heapUsedBytes: heapUsed },
  });
}

function unknownPauses({ pauses, upload }: Agent): readonly string[] {
  const why = "what was kept of pauses could not be read: paused until somebody resumes them";
  const [cameras, targets] = [pauses.unknown().join(", "), upload.unknown().join(", ")];
  return [
    ...(cameras === "" ? [] : [`cameras, ${why} with capture.resume (${cameras})`]),
    ...(targets === "" ? [] : [`uploads, ${why} with upload.resume (${targets})`]),
  ];
}
