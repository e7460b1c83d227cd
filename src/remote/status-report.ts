import { z } from "zod";
import type { DeliveryHealth, LastError, ModelsHealth, PipelineHealth, UploadHealth } from "../core/health.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import { type ImageHealth, pictureFaults } from "../core/picture.ts";
import type { CameraHealth, Loss, TargetBacklog } from "../core/ports.ts";
import type { VisionHealth } from "../core/vision-port.ts";
import type { AgeOf } from "./ages.ts";

/**
 * What the topic `status` and the command say. Its shape is a promise to whoever reads it: keys may be added, none
 * changes its meaning. Times are ages in milliseconds, because the device's clock may be wrong; counters begin with the
 * process but for those of the queue, which the disk keeps.
 */

const count = z.int().min(0);
const ageMs = z.int().min(0);
const code = z.string().describe("Stable code of the last error");

const camera = z.strictObject({
  driver: z.string(),
  state: z.enum(["starting", "running", "stalled", "backoff", "blocked", "paused", "stopped", "ended"]),
  image: z
    .enum(["good", ...pictureFaults])
    .optional()
    .describe("How its picture is, where that is watched"),
  frames: count,
  framesBad: count,
  maskVersion: z.string().optional().describe("Of what is hidden in its pictures; absent where nothing is"),
  restarts: count,
  lastFrameAgeMs: ageMs.optional(),
  opensInMs: ageMs.optional().describe("Stopped by its schedule for this long"),
  resumesInMs: ageMs.optional().describe("Left of its pause; absent where it lasts until it is ended"),
  error: code.optional(),
});

const detector = z.strictObject({
  state: z.enum(["starting", "ready", "backoff", "stopped"]),
  model: z.string().optional(),
  msP50: z.number().optional().describe("Of a whole detection"),
  msP95: z.number().optional(),
  restarts: count,
  rssPeakBytes: count,
  silent: z.literal(true).optional().describe("The model has never given any score"),
  probation: z.strictObject({ model: z.string(), leftMs: ageMs }).optional(),
  lastRollback: z.string().optional().describe("Since the start: which model went back, and why"),
  lastCheckAgeMs: ageMs.optional().describe("Since a new release was looked for"),
  updateError: code.optional(),
  error: code.optional(),
});

const capture = z.strictObject({
  frames: count.describe("That the pipeline took"),
  stored: count,
  still: count.describe("In which nothing moved"),
  unlabelled: count,
  refused: count.describe("By a spool without room"),
  paused: z.array(z.string()).describe("Cameras that wait for room"),
  lastStoredAgeMs: ageMs.optional(),
});

const queue = z.strictObject({
  records: count,
  bytes: count,
  capBytes: count,
  oldestAgeMs: ageMs.optional().describe("Of the oldest record, in time that the spool was running"),
  quarantined: count.describe("Deliveries that are set aside"),
  full: z.boolean().describe("Nothing may be evicted: capture pauses"),
  evicting: z.boolean().describe("Records have to go for newer ones"),
  lost: z.record(z.string(), count).describe("Deliveries given up since the spool began, by reason"),
});

const target = z.strictObject({
  kind: z.string(),
  state: z
    .enum(["up", "away", "paused", "window", "budget", "disabled", "local-only", "stopped"])
    .describe(
      "paused, disabled: by an operator; window, budget: by the config's upload section; local-only: by privacy.localOnly",
    ),
  stateForMs: ageMs.optional().describe("While away or held back"),
  pausedForMs: ageMs.optional().describe("Of a pause that ends by itself: what is left"),
  opensInMs: ageMs.optional().describe("Until the window opens or the budget renews"),
  pending: count,
  inFlight: count,
  quarantined: count,
  accepted: count,
  rejected: count,
  retried: count,
  lastAcceptedAgeMs: ageMs.optional(),
  retryInMs: ageMs.optional().describe("While away: until the next try"),
  error: code.optional(),
});

const requests = z.strictObject({
  received: count,
  done: count,
  refused: count,
  failed: count,
  expired: count,
  unanswered: count.describe("Above the rate limit; the reply to another one speaks for them"),
  duplicates: count.describe("Came again; they are among the others by what they got"),
  underWay: count,
});

const link = z.strictObject({
  protocol: z.enum(["5", "3.1.1"]).optional(),
  waiting: count.describe("Replies and events that the broker has not taken yet"),
  dropped: count.describe("Those that it will never take"),
  missed: count.describe("Requests for which there was no room"),
  refusedFilters: z.array(z.string()).describe("Requests that the broker does not let this device read"),
  refusedTopics: z.array(z.string()).describe("Where it does not let this device write; 3.1.1 does not say"),
  refusedBytes: count.optional().describe("The smallest packet that it found too large"),
  error: code.optional(),
});

const host = z.strictObject({
  load1: z.number().describe("Runnable processes, mean of one minute"),
  cpus: count,
  memoryBytes: count,
  memoryFreeBytes: count,
  upMs: ageMs,
  temperatureC: z.number().optional().describe("The hottest that the kernel shows"),
});

const config = z.strictObject({
  file: z
    .enum(["refused", "last-good"])
    .optional()
    .describe("The config file cannot be used: what was in force before it goes on, or the last that worked is used"),
  problem: z.string().optional().describe("What is wrong with the config file"),
  overlay: z
    .enum(["none", "in-force", "set-aside"])
    .describe("What commands changed; set aside at this start, it did not fit the config file any more"),
  lastChange: z
    .strictObject({
      revision: count,
      state: z.enum(["trial", "kept", "reverted"]),
      paths: z.array(z.string()).describe("JSON pointers of what it changed"),
      reason: z.string().optional().describe("Why it was reverted"),
    })
    .optional(),
});

export const statusSchema = z.strictObject({
  v: z.literal(1),
  state: z.enum(["ok", "degraded"]),
  stateForMs: ageMs,
  leftOut: z
    .literal(true)
    .optional()
    .describe("This broker takes no packet for all of it: cameras and targets are missing"),
  troubles: z.array(z.string()).describe("One phrase for each part that is not at work"),
  troublesLeftOut: count.optional(),
  upMs: ageMs,
  cameras: z.record(z.string(), camera).describe("By id"),
  detector,
  capture,
  queue: queue.optional().describe("Absent while the spool does not answer"),
  targets: z.record(z.string(), target).describe("By id"),
  upload: z
    .strictObject({
      limitBytesPerSecond: z.number().optional().describe("Of pictures; absent without a limit"),
      budget: z
        .strictObject({
          ...{ dayBytesMax: count.optional(), dayBytesLeft: count.optional(), dayRenewsInMs: ageMs.optional() },
          ...{ monthBytesMax: count.optional(), monthBytesLeft: count.optional(), monthRenewsInMs: ageMs.optional() },
        })
        .optional()
        .describe("Bytes on the line that the config allows; of a day and of a month, where it does"),
    })
    .optional()
    .describe("What holds for all targets together"),
  requests: requests.optional().describe("Commands that this device was asked for"),
  link: link.optional().describe("The connection to the broker that carries this"),
  disk: z.strictObject({ freeBytes: count, reserveBytes: count }).optional(),
  clock: z.strictObject({
    quality: z.enum(["synchronised", "unsynchronised", "unknown"]),
    atMs: z.int().describe("The device's time of day when it said this: a kept message does not tell how old it is"),
    jumpedByMs: z.int().optional().describe("How far it was set last, forward above 0; absent where it was not"),
    jumpedAgoMs: ageMs.optional(),
  }),
  memory: z.strictObject({ rssBytes: count, rssPeakBytes: count, heapUsedBytes: count }),
  host,
  versions: z.strictObject({ agent: z.string(), node: z.string() }),
  revision: count.describe("Of the config"),
  config: config.optional(),
});

/** Where a broker does not take all of it, what tells most. */
export function statusWithin(status: StatusReport, bytesMax: number): StatusReport {
  if (Buffer.byteLength(JSON.stringify(status)) <= bytesMax) return status;
  const { troubles, troublesLeftOut = 0 } = status;
  const told = troubles.slice(0, 3);
  return {
    ...status,
    ...{ leftOut: true, cameras: {}, targets: {}, capture: { ...status.capture, paused: [] } },
    ...{ troubles: told, troublesLeftOut: troublesLeftOut + troubles.length - told.length },
  };
}

export type StatusReport = z.output<typeof statusSchema>;

/** What the health report of the agent has, as far as it is told. */
export interface HealthFacts {
  readonly uptimeMs: number;
  readonly atMs: number;
  readonly state: "ok" | "degraded";
  readonly troubles: readonly string[];
  readonly cameras: readonly (CameraHealth & { readonly image?: ImageHealth })[];
  readonly vision: VisionHealth & { readonly model?: string };
  readonly models?: ModelsHealth;
  readonly pipeline: Omit<PipelineHealth, "images" | "shadow">;
  readonly spool?: {
    readonly records: number;
    readonly bytes: number;
    readonly oldestAgeMs?: number;
    readonly lost: readonly Loss[];
    readonly evicting: boolean;
  };
  readonly targets: readonly (DeliveryHealth & Pick<TargetBacklog, "pending" | "quarantined">)[];
  readonly upload?: UploadHealth;
  readonly memory: StatusReport["memory"];
}

/** What is around the agent. */
export interface Surroundings extends Pick<
  StatusReport,
  "requests" | "link" | "disk" | "clock" | "host" | "versions" | "revision" | "config" | "stateForMs"
> {
  /** Most that records may take. */
  readonly capBytes: number;
}

export function statusReport(health: HealthFacts, around: Surroundings, ageOf: AgeOf): StatusReport {
  const { capBytes, disk, ...rest } = around;
  const { troubles, memory, pipeline } = health;
  const leftOut = Math.max(0, troubles.length - remoteLimits.troublesMax);
  const queueNow = queueStatus(health, capBytes);
  return {
    v: 1,
    state: health.state,
    troubles: troubles.slice(0, remoteLimits.troublesMax).map(shortened),
    ...(leftOut === 0 ? {} : { troublesLeftOut: leftOut }),
    upMs: Math.round(health.uptimeMs),
    cameras: Object.fromEntries(health.cameras.map((each) => [each.id, cameraStatus(each, health.atMs, ageOf)])),
    detector: detectorStatus(health, ageOf),
    capture: {
      ...known({ lastStoredAgeMs: ageOf("stored", pipeline.lastStoredAtMs) }),
      ...{ frames: pipeline.frames, stored: pipeline.stored, still: pipeline.still, unlabelled: pipeline.unlabelled },
      ...{ refused: pipeline.refused, paused: [...pipeline.paused] },
    },
    ...(queueNow === undefined ? {} : { queue: queueNow }),
    targets: Object.fromEntries(health.targets.map((each) => [each.targetId, targetStatus(each, ageOf)])),
    ...(health.upload === undefined ? {} : { upload: limitOf(health.upload) }),
    ...(disk === undefined ? {} : { disk }),
    memory,
    ...rest,
  };
}

type CameraFacts = HealthFacts["cameras"][number];

function cameraStatus(from: CameraFacts, nowMs: number, ageOf: AgeOf): z.output<typeof camera> {
  const { driver, state, framesCaptured, framesBad = 0, restarts, opensAtMs } = from;
  return {
    ...{ driver, state, frames: framesCaptured, framesBad, restarts },
    ...known({
      // Frozen is one state, whether bytes or pixels told it.
      image: from.frozen === true ? ("frozen" as const) : from.image?.state,
      lastFrameAgeMs: ageOf(`camera ${from.id}`, from.lastFrameAtMs),
      opensInMs: opensAtMs === undefined ? undefined : Math.round(Math.max(0, opensAtMs - nowMs)),
      resumesInMs: from.resumesInMs,
      maskVersion: from.maskVersion,
      error: state === "running" || state === "paused" ? undefined : from.lastError?.code,
    }),
  };
}

function detectorStatus({ vision, models, pipeline }: HealthFacts, ageOf: AgeOf): z.output<typeof detector> {
  const { state, restarts, rssPeakBytes, model, silent, lastError } = vision;
  const { round } = pipeline.stagesMs;
  const isMeasured = round !== undefined && round.count > 0;
  const probation = models?.probation;
  return {
    ...{ state, restarts, rssPeakBytes },
    ...known({ model, silent, error: state === "ready" ? undefined : lastError?.code }),
    ...(isMeasured ? { msP50: tenths(round.p50), msP95: tenths(round.p95) } : {}),
    ...known({
      probation: probation && { model: probation.model, leftMs: Math.round(probation.leftMs) },
      lastRollback: models?.lastRollback === undefined ? undefined : shortened(models.lastRollback),
      lastCheckAgeMs: ageOf("update", models?.updates?.lastCheckAtMs),
      updateError: models?.updates?.lastError?.code,
    }),
  };
}

function queueStatus({ spool, pipeline, targets }: HealthFacts, capBytes: number): StatusReport["queue"] {
  if (spool === undefined) return undefined;
  const { records, bytes, oldestAgeMs, evicting } = spool;
  const lost: Record<string, number> = {};
  for (const { reason, deliveries } of spool.lost) lost[reason] = (lost[reason] ?? 0) + deliveries;
  return {
    ...{ records, bytes, capBytes, evicting, lost },
    ...known({ oldestAgeMs: oldestAgeMs === undefined ? undefined : Math.round(oldestAgeMs) }),
    quarantined: targets.reduce((sum, { quarantined }) => sum + quarantined, 0),
    full: pipeline.spoolFull,
  };
}

function targetStatus(from: HealthFacts["targets"][number], ageOf: AgeOf): z.output<typeof target> {
  const { kind, state, pending, inFlight, quarantined, accepted, rejected, retried } = from;
  return {
    ...{ kind, state, pending, inFlight, quarantined, accepted, rejected, retried },
    ...known({
      lastAcceptedAgeMs: ageOf(`target ${from.targetId}`, from.lastAcceptedAtMs),
      stateForMs: wholeMs(from.forMs),
      pausedForMs: wholeMs(from.pausedForMs),
      opensInMs: wholeMs(from.opensInMs),
      retryInMs: wholeMs(from.retryInMs),
      error: state === "away" ? codeOf(from.lastError) : undefined,
    }),
  };
}

type Known<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Without the keys that have no value: in JSON there is none for that. */
function known<T extends object>(values: T): Known<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Known<T>;
}

function limitOf({ limitBytesPerSecond, budget }: UploadHealth): NonNullable<StatusReport["upload"]> {
  return known({ limitBytesPerSecond, budget });
}

function wholeMs(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(Math.max(0, ms));
}

function codeOf(error: LastError | undefined): string | undefined {
  return error?.code;
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function shortened(text: string): string {
  return text.length > remoteLimits.messageCharsMax ? `${text.slice(0, remoteLimits.messageCharsMax - 1)}…` : text;
}
