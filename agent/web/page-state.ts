import type { LastError } from "../../src/core/health.ts";
import type { HealthReport, TargetHealth } from "../../src/health/health.ts";
import type { Section } from "../../src/web/page/ports.ts";
import { explainUpload } from "../../src/remote/commands/explain-upload.ts";
import type { FramepostConfig } from "../config-schema.ts";
import { uploadFacts } from "../remote/upload-port.ts";

export interface DeviceFacts {
  readonly name: string;
  readonly version: string;
  /** Of the config: what is shown of it may be old after a change. */
  readonly revision: number;
  readonly startedAtMs: number;
}

/** What the health report tells the page, part by part, so that only what has changed is sent. */
export function reportSections(
  report: HealthReport,
  device: DeviceFacts,
  config: Pick<FramepostConfig, "spool">,
  spool: Parameters<typeof uploadFacts>[2],
): readonly Section[] {
  return [
    section("device", { ...device, state: report.state, troubles: report.troubles }),
    section("cameras", { cameras: report.cameras.map((camera) => cameraFacts(camera, report.atMs)) }),
    section("counters", counters(report)),
    section("targets", {
      targets: report.targets.map((target) => ({
        ...targetFacts(target, report.atMs),
        ...heldFacts(target, report, spool),
      })),
    }),
    section("upload", limits(report)),
    section("queue", { ...queueFacts(report), capBytes: config.spool.maxBytes }),
    section("model", modelFacts(report)),
  ];
}

export function section(event: string, value: object): Section {
  return { key: event, event, value };
}

function cameraFacts(camera: HealthReport["cameras"][number], nowMs: number): object {
  const { id, driver, state, framesCaptured, restarts, image, lastFrameAtMs, lastError, opensAtMs } = camera;
  const { resumesInMs } = camera;
  return {
    ...{ id, driver, state, framesCaptured, restarts },
    ...(image === undefined ? {} : { image: image.state }),
    ...(lastFrameAtMs === undefined ? {} : { lastFrameAtMs }),
    ...(opensAtMs === undefined ? {} : { opensAtMs }),
    ...(resumesInMs === undefined ? {} : { resumesAtMs: inSeconds(nowMs + resumesInMs) }),
    ...errorOf(lastError),
  };
}

function counters({ pipeline, memory }: HealthReport): object {
  const { frames, still, stored, detections } = pipeline;
  return { ...{ frames, still, stored, detections }, rssBytes: roundedTo(memory.rssBytes, 1024 ** 2) };
}

function targetFacts(target: TargetHealth, nowMs: number): object {
  const { targetId: id, kind, state, pending, leased, quarantined, accepted, awayBecause, retryInMs } = target;
  const { pausedForMs, forMs, lastAcceptedAtMs, lastError } = target;
  return {
    ...{ id, kind, state, pending: pending + leased, quarantined, accepted },
    ...(forMs === undefined ? {} : { sinceMs: inSeconds(nowMs - forMs) }),
    ...(retryInMs === undefined ? {} : { retryAtMs: inSeconds(nowMs + retryInMs) }),
    ...(pausedForMs === undefined ? {} : { resumesAtMs: inSeconds(nowMs + pausedForMs) }),
    ...(lastAcceptedAtMs === undefined ? {} : { lastAcceptedAtMs }),
    ...(awayBecause === undefined ? {} : { needsPerson: awayBecause.needsPerson }),
    ...errorOf(lastError),
  };
}

function queueFacts({ spool }: HealthReport): object {
  if (spool === undefined) return { answers: false };
  const { records, bytes, oldestAgeMs, evicting, lost } = spool;
  return {
    ...{ answers: true, records, bytes, evicting, lost: lost.reduce((sum, { deliveries }) => sum + deliveries, 0) },
    ...(oldestAgeMs === undefined ? {} : { oldestAgeMs: inSeconds(oldestAgeMs) }),
  };
}

/** Why nothing goes to it; nothing where records go, or none is owed. */
function heldFacts(
  target: TargetHealth,
  { upload = {}, atMs }: HealthReport,
  spool: Parameters<typeof uploadFacts>[2],
): object {
  const waiting = { ...target, pending: target.pending + target.leased };
  const { reason, message, nextTryInMs } = explainUpload(uploadFacts(waiting, upload, spool));
  if (reason === "empty" || reason === "sending") return {};
  return {
    held: reason,
    heldBecause: message,
    ...(nextTryInMs === undefined ? {} : { heldUntilMs: inSeconds(atMs + nextTryInMs) }),
  };
}

/** What holds for uploads to all targets together. */
function limits({ upload = {}, atMs }: HealthReport): object {
  const { limitBytesPerSecond, budget = {} } = upload;
  const budgets = (["day", "month"] as const).flatMap((period) => {
    const [max, left] = [budget[`${period}BytesMax`], budget[`${period}BytesLeft`]];
    if (max === undefined || left === undefined) return [];
    return { period, max, left, renewsAtMs: inSeconds(atMs + (budget[`${period}RenewsInMs`] ?? 0)) };
  });
  return { ...(limitBytesPerSecond === undefined ? {} : { limitBytesPerSecond }), budgets };
}

function modelFacts({ vision, models, pipeline }: HealthReport): object {
  const round = pipeline.stagesMs["round"];
  return {
    state: vision.state,
    ...(vision.model === undefined ? {} : { inUse: vision.model }),
    ...(models?.probation === undefined ? {} : { probation: models.probation.model }),
    ...(models?.lastRollback === undefined ? {} : { lastRollback: models.lastRollback }),
    ...(round === undefined || round.count === 0 ? {} : { detectMs: Math.round(round.p50) }),
    ...(vision.lastError === undefined ? {} : { error: vision.lastError.code, message: vision.lastError.message }),
  };
}

function errorOf(error: LastError | undefined): object {
  return error === undefined ? {} : { error: error.code, message: error.message, errorAtMs: error.atMs };
}

/** Of what is counted down: the same moment is the same second. */
function inSeconds(ms: number): number {
  return roundedTo(ms, 1_000);
}

function roundedTo(value: number, step: number): number {
  return Math.round(value / step) * step;
}
