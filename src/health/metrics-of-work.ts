import type { HistogramSnapshot } from "../core/counters.ts";
import { type CameraReport, hasTrouble, isAway } from "./health.ts";
import { figure, figures, type Metric, type Sample } from "./metric.ts";

/** From the camera to the record: what was captured, seen and kept. */

const ofCamera = (name: string) => ({ name, labels: ["camera"] });

const capture: readonly Metric[] = [
  figures("gauge", ofCamera("camera_up"), "1 while the camera gives usable pictures, or rightly none", ({ report }) =>
    report.cameras.map((camera) => ({ labels: { camera: camera.id }, value: hasTrouble(camera) ? 0 : 1 })),
  ),
  figures("counter", ofCamera("frames_captured_total"), "Frames that a camera gave", ({ report }) =>
    report.cameras.map(({ id, framesCaptured }) => ({ labels: { camera: id }, value: framesCaptured })),
  ),
  figures(
    "counter",
    ofCamera("frames_skipped_total"),
    "Frames that a newer one replaced before anybody took them",
    ({ report }) => report.cameras.map(({ id, framesSkipped }) => ({ labels: { camera: id }, value: framesSkipped })),
  ),
  figures("counter", ofCamera("frames_bad_total"), "Pictures that were cut, damaged or of an impossible size", (from) =>
    from.report.cameras.map(({ id, framesBad = 0 }) => ({ labels: { camera: id }, value: framesBad })),
  ),
  figures("counter", ofCamera("camera_restarts_total"), "Times that a camera's source was started anew", ({ report }) =>
    report.cameras.map(({ id, restarts }) => ({ labels: { camera: id }, value: restarts })),
  ),
];

const privacy: readonly Metric[] = [
  figures(
    "gauge",
    ofCamera("camera_masked"),
    "1 while the privacy mask is painted, 0 while the camera is stopped because it does not fit or cannot be painted",
    ({ report, hidden }) =>
      hidden.flatMap(({ camera, mask }) => {
        const health = report.cameras.find(({ id }) => id === camera);
        return mask && health !== undefined ? [{ labels: { camera }, value: isUnmasked(health) ? 0 : 1 }] : [];
      }),
  ),
  figures(
    "gauge",
    ofCamera("camera_blurred"),
    "1 while chosen labels are blurred, 0 while nothing of the camera is kept because they cannot be",
    ({ report, hidden }) =>
      hidden.flatMap(({ camera, blur }) => {
        const isUnblurred = report.pipeline.unblurred?.includes(camera) === true;
        return blur ? [{ labels: { camera }, value: isUnblurred ? 0 : 1 }] : [];
      }),
  ),
];

const pipeline: readonly Metric[] = [
  figure("counter", "frames_processed_total", "Frames that were judged", ({ report }) => report.pipeline.frames),
  figure(
    "counter",
    "frames_still_total",
    "Frames that the model did not have to see, because nothing moved",
    ({ report }) => report.pipeline.still,
  ),
  figures(
    "counter",
    { name: "frames_dropped_total", labels: ["reason"] },
    "Frames that no rule keeps, and those that could not be kept",
    ({ report }) => byName("reason", report.pipeline.dropped),
  ),
  figure(
    "counter",
    "frames_refused_total",
    "Frames that the spool would not take",
    ({ report }) => report.pipeline.refused,
  ),
  {
    type: "histogram",
    name: "inference_seconds",
    help: "Time that the model took for a frame",
    labels: [],
    read: ({ report }) => inSeconds(report.pipeline.inferenceMs),
  },
  figures(
    "counter",
    { name: "detections_total", labels: ["label"] },
    "Detections at or above the threshold; labels beyond 256 are counted as other",
    ({ report }) => byName("label", report.pipeline.detections),
  ),
  figures(
    "counter",
    { name: "records_kept_total", labels: ["rule"] },
    "Frames that became records, by the rule that kept them",
    ({ report }) => byName("rule", report.pipeline.keptByRule),
  ),
  figure(
    "counter",
    "records_unlabelled_total",
    "Records that were stored without the detector having seen them",
    ({ report }) => report.pipeline.unlabelled,
  ),
];

const vision: readonly Metric[] = [
  figure("gauge", "vision_up", "1 while the vision process answers", ({ report }) =>
    report.vision.state === "ready" ? 1 : 0,
  ),
  figure(
    "counter",
    "vision_restarts_total",
    "Times that the vision process was started anew",
    ({ report }) => report.vision.restarts,
  ),
  figure("gauge", "vision_memory_bytes", "Resident memory of the vision process", (from) => from.visionMemoryBytes),
  figure(
    "gauge",
    "vision_memory_peak_bytes",
    "The most that a vision process had",
    ({ report }) => report.vision.rssPeakBytes,
  ),
  figures(
    "gauge",
    { name: "model_info", labels: ["name", "family", "sha256"] },
    "Always 1: the model that is loaded",
    ({ model }) =>
      model === undefined
        ? []
        : [{ labels: { name: model.name, family: model.family, sha256: model.sha256 }, value: 1 }],
  ),
];

export const metricsOfWork: readonly Metric[] = [...capture, ...privacy, ...pipeline, ...vision];

function isUnmasked(camera: CameraReport): boolean {
  return isAway(camera) && camera.lastError?.code.startsWith("CAMERA_MASK_") === true;
}

function byName(label: string, counts: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function inSeconds(histogram: HistogramSnapshot | undefined): HistogramSnapshot | undefined {
  if (histogram === undefined) return undefined;
  const { buckets, count, sum } = histogram;
  return {
    buckets: buckets.map(({ atMost, count: n }) => ({ atMost: atMost / 1_000, count: n })),
    count,
    sum: sum / 1_000,
  };
}
