import type {
  ClockHealth,
  DeliveryHealth,
  ModelsHealth,
  PipelineHealth,
  ShadowHealth,
  UploadHealth,
} from "../core/health.ts";
import { faultTexts, type ImageHealth, isTrouble } from "../core/picture.ts";
import type { CameraHealth, SpoolStats, TargetBacklog } from "../core/ports.ts";
import type { ModelInfo, VisionHealth } from "../core/vision-port.ts";

/** What every part says of itself, asked at one moment. Counters are read, never pushed. */
export interface HealthParts {
  readonly atMs: number;
  readonly uptimeMs: number;
  /** Of no part: of the config, and of what an operator had said. */
  readonly troubles?: readonly string[];
  readonly cameras: readonly CameraHealth[];
  readonly vision: VisionHealth;
  readonly model: ModelInfo | undefined;
  readonly models?: ModelsHealth;
  readonly pipeline: PipelineHealth;
  /** Undefined when the spool itself could not answer. */
  readonly spool: SpoolStats | "unasked" | undefined;
  readonly deliveries: readonly DeliveryHealth[];
  readonly upload?: UploadHealth;
  readonly clock?: ClockHealth;
  readonly memory: MemoryHealth;
}

export interface MemoryHealth {
  readonly rssBytes: number;
  readonly rssPeakBytes: number;
  readonly heapUsedBytes: number;
}

export interface TargetHealth extends DeliveryHealth, Pick<TargetBacklog, "pending" | "leased" | "quarantined"> {}

export interface SpoolHealth extends Pick<SpoolStats, "records" | "bytes" | "lastSequence" | "lost" | "oldestAgeMs"> {
  /** Records have to go for newer ones. */
  readonly evicting: boolean;
}

export interface CameraReport extends CameraHealth {
  /** How its picture is; absent until there is one, and where it is not watched. */
  readonly image?: ImageHealth;
}

export interface HealthReport {
  readonly atMs: number;
  readonly uptimeMs: number;
  /** `degraded`: some part is not at work; `troubles` says which. */
  readonly state: "ok" | "degraded";
  /** One phrase for each part that is not at work, for a person. */
  readonly troubles: readonly string[];
  readonly cameras: readonly CameraReport[];
  readonly vision: VisionHealth & { readonly model?: string };
  readonly models?: ModelsHealth;
  /** A second model that is only compared, where there is one. */
  readonly shadow?: ShadowHealth;
  readonly pipeline: Omit<PipelineHealth, "images" | "shadow">;
  readonly spool?: SpoolHealth;
  readonly targets: readonly TargetHealth[];
  readonly upload?: UploadHealth;
  readonly clock?: ClockHealth;
  readonly memory: MemoryHealth;
}

export function collectHealth(parts: HealthParts): HealthReport {
  const { images, shadow, ...pipeline } = parts.pipeline;
  const cameras = parts.cameras.map((camera) => cameraReport(camera, images[camera.id]));
  const troubles = troublesOf(parts, cameras);
  const { model } = parts;
  const spool = parts.spool === "unasked" ? undefined : parts.spool;
  return {
    atMs: parts.atMs,
    uptimeMs: parts.uptimeMs,
    state: troubles.length === 0 ? "ok" : "degraded",
    troubles,
    cameras,
    vision: { ...parts.vision, ...(model === undefined ? {} : { model: model.name }) },
    ...(parts.models === undefined ? {} : { models: parts.models }),
    ...(shadow === undefined ? {} : { shadow }),
    pipeline,
    ...(spool === undefined ? {} : { spool: spoolHealth(spool) }),
    targets: parts.deliveries.map((delivery) => ({ ...delivery, ...backlogOf(spool, delivery.targetId) })),
    ...(parts.upload === undefined ? {} : { upload: parts.upload }),
    ...(parts.clock === undefined ? {} : { clock: parts.clock }),
    memory: parts.memory,
  };
}

/** The report as flat fields of one log line. */
export function healthFields(report: HealthReport): Readonly<Record<string, string | number>> {
  const { pipeline, spool, vision, shadow, upload, clock, memory } = report;
  return {
    state: report.state,
    uptimeMs: Math.round(report.uptimeMs),
    frames: pipeline.frames,
    still: pipeline.still,
    stored: pipeline.stored,
    unlabelled: pipeline.unlabelled,
    refused: pipeline.refused,
    detectMsP50: rounded(pipeline.stagesMs["round"]?.p50),
    appendMsP50: rounded(pipeline.stagesMs["append"]?.p50),
    vision: vision.state,
    ...(vision.model === undefined ? {} : { model: vision.model }),
    ...modelFields(report.models),
    ...(shadow === undefined ? {} : { shadow: shadowPhrase(shadow) }),
    records: spool?.records ?? 0,
    spoolBytes: spool?.bytes ?? 0,
    lost: spool?.lost.reduce((sum, { deliveries }) => sum + deliveries, 0) ?? 0,
    cameras: report.cameras.map(cameraPhrase).join(" "),
    targets: report.targets.map(targetPhrase).join(" "),
    ...uploadFields(upload),
    ...(clock === undefined ? {} : { clock: clock.quality }),
    rssBytes: memory.rssBytes,
    ...(report.troubles.length === 0 ? {} : { troubles: report.troubles.join("; ") }),
  };
}

function uploadFields({ limitBytesPerSecond, budget = {} }: UploadHealth = {}): Readonly<Record<string, number>> {
  const { dayBytesLeft, monthBytesLeft } = budget;
  return {
    ...(limitBytesPerSecond === undefined ? {} : { uploadLimit: limitBytesPerSecond }),
    ...(dayBytesLeft === undefined ? {} : { dayBytesLeft }),
    ...(monthBytesLeft === undefined ? {} : { monthBytesLeft }),
  };
}

function modelFields({ probation, updates }: ModelsHealth = {}): Readonly<Record<string, string>> {
  return {
    ...(probation === undefined
      ? {}
      : { probation: `${probation.model} for ${Math.ceil(probation.leftMs / 60_000)} min` }),
    ...(updates?.lastError === undefined ? {} : { updates: updates.lastError.code }),
  };
}

/** With what an operator would otherwise have to look for: a camera that comes and goes, damaged pictures among good ones. */
function cameraPhrase({ id, state, image, restarts, framesBad = 0, opensAtMs, resumesInMs }: CameraReport): string {
  return [
    `${id}:${state}`,
    ...(resumesInMs === undefined ? [] : [`for=${Math.ceil(resumesInMs / 60_000)}min`]),
    ...(opensAtMs === undefined ? [] : [`opens=${new Date(opensAtMs).toISOString()}`]),
    ...(image === undefined || image.state === "good" ? [] : [`image=${image.state}`]),
    ...(restarts === 0 ? [] : [`restarts=${restarts}`]),
    ...(framesBad === 0 ? [] : [`bad=${framesBad}`]),
  ].join(" ");
}

function targetPhrase(target: TargetHealth): string {
  const quarantined = target.quarantined === 0 ? "" : ` quarantined=${target.quarantined}`;
  const opens = target.opensInMs === undefined ? "" : ` for=${Math.ceil(target.opensInMs / 60_000)}min`;
  return `${target.targetId}:${target.state}${opens} accepted=${target.accepted} pending=${target.pending}${quarantined}`;
}

function shadowPhrase({ model, state, frames, disagreements, added, missing, failed }: ShadowHealth): string {
  const figures = `frames=${frames} disagreements=${disagreements} added=${added} missing=${missing}`;
  return `${model ?? "none"}:${state} ${figures}${failed === 0 ? "" : ` failed=${failed}`}`;
}

/** Frozen is one state, whether the bytes of two pictures are equal or the pixels of many. */
function cameraReport(camera: CameraHealth, image: ImageHealth | undefined): CameraReport {
  if (image === undefined) return camera;
  return { ...camera, image, frozen: camera.frozen === true || image.state === "frozen" };
}

/** Whether it gives no pictures although it should, or none that are of use. */
export function hasTrouble(camera: CameraReport): boolean {
  return isAway(camera) || imageTrouble(camera).length > 0;
}

/** For as long as the camera gives pictures at all. */
function imageTrouble({ id, state, frozen, image }: CameraReport): readonly string[] {
  if (state !== "running") return [];
  if (frozen === true) return [`camera ${id}: ${faultTexts.frozen}`];
  return image !== undefined && isTrouble(image.state) ? [`camera ${id}: ${faultTexts[image.state]}`] : [];
}

function troublesOf(parts: HealthParts, reports: readonly CameraReport[]): readonly string[] {
  const cameras = reports
    .filter(isAway)
    .map(({ id, state, lastError }) => phrase(`camera ${id} is ${state}`, lastError));
  const { vision, pipeline } = parts;
  const spool = parts.spool === "unasked" ? undefined : parts.spool;
  const targets = parts.deliveries
    .filter(({ state }) => state === "away")
    .map(({ targetId, lastError }) => phrase(`target ${targetId} is away`, lastError));
  return [
    ...(parts.troubles ?? []),
    ...cameras,
    ...reports.flatMap(imageTrouble),
    ...(pipeline.unblurred ?? []).map((id) => `camera ${id}: nothing of it is kept, as it cannot be blurred`),
    ...(vision.state === "backoff" ? [phrase("the detector is away", vision.lastError)] : []),
    ...(vision.state === "ready" && parts.model === undefined ? [phrase("no model is loaded", vision.lastError)] : []),
    ...modelTroubles(parts.models),
    ...(vision.silent === true ? ["the model has never given any score: try it with framepost models verify"] : []),
    ...(pipeline.shadow?.state === "backoff" ? [phrase("the shadow model is away", pipeline.shadow.lastError)] : []),
    ...(parts.spool === undefined ? ["the spool does not answer"] : []),
    ...(pipeline.spoolFull ? [fullPhrase(pipeline)] : []),
    ...(spool?.evicting === true ? [`records are given up for want of room (${lossPhrase(spool)})`] : []),
    ...targets,
    ...(parts.clock?.plausible === false ? ["the clock was never set"] : []),
  ];
}

/** A server that is away is none: the model in use stays. A release that nobody should have published is. */
function modelTroubles({ lastRollback, updates }: ModelsHealth = {}): readonly string[] {
  const code = updates?.lastError?.code;
  return [
    ...(lastRollback === undefined ? [] : [`the model ${lastRollback}`]),
    ...(code !== undefined && /^(RELEASE_(?!UNAVAILABLE)|MODEL_)/.test(code)
      ? [`a model's update fails (${code})`]
      : []),
  ];
}

/** Also while it is tried again, as long as the try has shown nothing. */
export function isAway({ state, failing = false }: CameraHealth): boolean {
  if (state === "starting") return failing;
  return state === "stalled" || state === "backoff" || state === "blocked";
}

function fullPhrase({ paused }: PipelineHealth): string {
  return paused.length === 0 ? "the spool is full" : `the spool is full, capture pauses (${paused.join(", ")})`;
}

/** Deliveries by target, since the spool began. */
function lossPhrase({ lost }: SpoolStats): string {
  const sums = new Map<string, number>();
  for (const { targetId, deliveries, reason } of lost) {
    if (reason === "room") sums.set(targetId, (sums.get(targetId) ?? 0) + deliveries);
  }
  return [...sums].map(([targetId, deliveries]) => `${targetId}: ${deliveries}`).join(", ");
}

function phrase(what: string, error: { readonly code: string } | undefined): string {
  return error === undefined ? what : `${what} (${error.code})`;
}

function spoolHealth(stats: SpoolStats): SpoolHealth {
  const { records, bytes, lastSequence, lost, evicting = false, oldestAgeMs } = stats;
  return { records, bytes, lastSequence, lost, evicting, ...(oldestAgeMs === undefined ? {} : { oldestAgeMs }) };
}

function backlogOf(spool: SpoolStats | undefined, targetId: string) {
  const backlog = spool?.targets.find((target) => target.targetId === targetId);
  return {
    pending: backlog?.pending ?? 0,
    leased: backlog?.leased ?? 0,
    quarantined: backlog?.quarantined ?? 0,
  };
}

function rounded(ms = 0): number {
  return Math.round(ms * 10) / 10;
}
