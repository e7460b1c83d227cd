import type { SummarySnapshot } from "../src/core/counters.ts";
import type { Agent } from "./compose.ts";
import type { TruthResult } from "./truth-score.ts";

export interface DemoSummary {
  readonly complete: boolean;
  readonly framesCaptured: number;
  readonly detectionsByLabel: Readonly<Record<string, number>>;
  readonly recordsKept: number;
  readonly accepted: Readonly<Record<string, number>>;
  readonly contractViolations: number;
  readonly truth: TruthResult;
  /** Milliseconds: median and 95th percentile. */
  readonly stagesMs: Readonly<Record<string, { readonly p50: number; readonly p95: number }>>;
  readonly peakMemoryBytes: { readonly main: number; readonly vision: number };
}

export function demoSummary(
  agent: Agent,
  ending: { readonly complete: boolean; readonly violations: number; readonly truth: TruthResult },
): DemoSummary {
  const pipeline = agent.pipeline.health();
  const deliveries = agent.loops.map((loop) => loop.health());
  const stages = Object.entries(pipeline.stagesMs);
  const sending = deliveries.map(({ targetId, deliverMs }) => [`deliver ${targetId}`, deliverMs] as const);
  return {
    complete: ending.complete,
    framesCaptured: agent.cameras.reduce((sum, camera) => sum + camera.health().framesCaptured, 0),
    detectionsByLabel: pipeline.detections,
    recordsKept: pipeline.stored,
    accepted: Object.fromEntries(deliveries.map(({ targetId, accepted }) => [targetId, accepted])),
    contractViolations: ending.violations,
    truth: ending.truth,
    stagesMs: Object.fromEntries(
      [...stages, ...sending].filter(([, { count }]) => count > 0).map(([name, stage]) => [name, shortened(stage)]),
    ),
    peakMemoryBytes: {
      // The kernel counts it in KiB.
      main: process.resourceUsage().maxRSS * 1_024,
      vision: agent.vision.health().rssPeakBytes,
    },
  };
}

function shortened({ p50, p95 }: SummarySnapshot): { readonly p50: number; readonly p95: number } {
  return { p50: Number(p50.toFixed(2)), p95: Number(p95.toFixed(2)) };
}

export function statusLine(agent: Agent): string {
  const { frames, detections, stored } = agent.pipeline.health();
  const labels = Object.entries(detections)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([label, count]) => `${label} ${count}`);
  const targets = agent.loops.map((loop) => {
    const { targetId, accepted, state } = loop.health();
    return `${targetId} ${accepted}${state === "up" ? "" : ` (${state})`}`;
  });
  return [`frames ${frames}`, ...labels, `kept ${stored}`, ...targets.map((text) => `→ ${text}`)].join("  ");
}

export function summaryLines(summary: DemoSummary): string[] {
  const { truth, peakMemoryBytes } = summary;
  const pairs = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ") || "none";
  return [
    `frames captured   ${summary.framesCaptured}`,
    `detections        ${pairs(summary.detectionsByLabel)}`,
    `records kept      ${summary.recordsKept}`,
    `accepted          ${pairs(summary.accepted)}`,
    `against the truth ${truth.found} of ${truth.objects} objects found, ${truth.extra} extra, worst edge ${truth.worstEdgePixels} px`,
    `contract          ${summary.contractViolations} violations`,
    `median ms         ${pairs(Object.fromEntries(Object.entries(summary.stagesMs).map(([name, { p50 }]) => [name, p50])))}`,
    `peak memory       main ${megabytes(peakMemoryBytes.main)}, vision ${megabytes(peakMemoryBytes.vision)}`,
  ];
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MB`;
}
