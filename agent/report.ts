import type { Clock } from "../src/core/clock.ts";
import { collectHealth, type HealthReport } from "../src/health/health.ts";
import type { Agent } from "./compose.ts";

/** Asks every part of a running agent how it is. */
export async function healthReport(agent: Agent, clock: Clock): Promise<HealthReport> {
  const { rss, heapUsed } = process.memoryUsage();
  return collectHealth({
    atMs: clock.nowMs(),
    uptimeMs: process.uptime() * 1_000,
    cameras: agent.cameras.map((camera) => camera.health()),
    vision: agent.vision.health(),
    model: agent.vision.model(),
    models: agent.models(),
    pipeline: agent.pipeline.health(),
    spool: await agent.spool.stats().catch(() => undefined),
    deliveries: agent.loops.map((loop) => loop.health()),
    upload: agent.upload.health(),
    // The kernel counts the peak in KiB.
    memory: { rssBytes: rss, rssPeakBytes: process.resourceUsage().maxRSS * 1_024, heapUsedBytes: heapUsed },
  });
}
