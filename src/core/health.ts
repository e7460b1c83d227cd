import type { HistogramSnapshot, SummarySnapshot } from "./counters.ts";
import type { ImageHealth } from "./picture.ts";
import type { ClockQuality } from "./types.ts";
import type { VisionHealth } from "./vision-port.ts";

/** What delivery to one target and the pipeline tell of themselves; counted since the process started. */

export interface LastError {
  readonly code: string;
  readonly message: string;
  readonly atMs: number;
}

export interface DeliveryHealth {
  readonly targetId: string;
  readonly kind: string;
  /**
   * `away`: the breaker is open, or has not seen a success since it was. `disabled` and `paused`: on an operator's word,
   * whatever else is. `window`: outside of the hours in which it may send. `budget`: that of the day or the month is used
   * up. `local-only`: the config lets nothing leave the machine.
   */
  readonly state: "up" | "away" | "paused" | "window" | "budget" | "disabled" | "local-only" | "stopped";
  /** How long it has been away or held back, since the start at the most. */
  readonly forMs?: number;
  /** While away: until the next try. */
  readonly retryInMs?: number;
  /** While it does not get through, also beside a pause: why, and whether only a person can mend it. Redacted. */
  readonly awayBecause?: { readonly code: string; readonly message: string; readonly needsPerson: boolean };
  /** Of a pause that ends by itself. */
  readonly pausedForMs?: number;
  /** Until the window opens, or the budget renews, by the clock as it is now. */
  readonly opensInMs?: number;
  /** Redacted. */
  readonly lastError?: LastError;
  readonly inFlight: number;
  readonly accepted: number;
  /** Set aside for good: refused by the target, or given up after too many tries. */
  readonly rejected: number;
  readonly retried: number;
  /** What came of each try, by `accepted`, `rejected CODE` and `retry CODE`. */
  readonly outcomes?: Readonly<Record<string, number>>;
  /** Outcomes that the spool would not take in time. */
  readonly unsettled: number;
  /** JPEG bytes of accepted records. */
  readonly acceptedBytes: number;
  readonly lastAcceptedAtMs?: number;
  readonly deliverMs: SummarySnapshot;
}

/** What holds for uploads to all targets together. */
export interface UploadHealth {
  /** Bytes of pictures; absent where there is no limit. */
  readonly limitBytesPerSecond?: number;
  /** Until the limit lets the next call begin. */
  readonly limitWaitMs?: number;
  /** Absent where the config sets no budget. */
  readonly budget?: UploadBudgetHealth;
}

/** Bytes on the line, over all targets together; each key is absent where there is no such budget. */
export interface UploadBudgetHealth {
  readonly dayBytesMax?: number;
  readonly dayBytesLeft?: number;
  readonly dayRenewsInMs?: number;
  readonly monthBytesMax?: number;
  readonly monthBytesLeft?: number;
  readonly monthRenewsInMs?: number;
}

/** How a second model compares with the first one, on the frames that both saw. */
export interface ShadowHealth extends Omit<VisionHealth, "pid"> {
  /** Absent until it has loaded. */
  readonly model?: string;
  readonly frames: number;
  /** Frames on which the two differ. */
  readonly disagreements: number;
  /** Objects that only the second model saw, and those that only the first one did. */
  readonly added: number;
  readonly missing: number;
  /** Frames that it was to see and could not: away, late, or in trouble. */
  readonly failed: number;
  /** What the frames waited for it. */
  readonly ms: SummarySnapshot;
}

/** The machine's wall clock. */
export interface ClockHealth {
  readonly quality: ClockQuality;
  /** False while it shows a year in which no agent existed. */
  readonly plausible: boolean;
  /** Since this process started: how far somebody set it, forward above 0, and how long ago. */
  readonly lastJump?: { readonly byMs: number; readonly agoMs: number };
}

export interface ProbationHealth {
  /** `NAME@VERSION`. */
  readonly model: string;
  readonly leftMs: number;
}

/** The choice of a model, and where new ones come from. */
export interface ModelsHealth {
  /** A model that goes back by itself when it fails. */
  readonly probation?: ProbationHealth;
  /** Since the start: which model went back, and why. */
  readonly lastRollback?: string;
  /** Absent where no updates are configured. */
  readonly updates?: UpdatesHealth;
}

export interface UpdatesHealth {
  readonly lastCheckAtMs?: number;
  /** Of the last check; absent after a good one. Redacted. */
  readonly lastError?: LastError;
}

export interface PipelineHealth {
  readonly state: "running" | "stopped";
  readonly frames: number;
  /** Shown detections (at or above the model's threshold), by label. */
  readonly detections: Readonly<Record<string, number>>;
  readonly stored: number;
  /** Stored records, by the rule that kept them. */
  readonly keptByRule: Readonly<Record<string, number>>;
  /** Frames that no rule keeps, and those that could not be kept, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Frames that the model did not have to see, because nothing moved. */
  readonly still: number;
  readonly notOwed: number;
  /** Frames that the spool would not take; `spoolFull` while that lasts. */
  readonly refused: number;
  readonly spoolFull: boolean;
  /** Cameras whose next frame waits a while, because the spool would not take the last one. */
  readonly paused: readonly string[];
  /** Cameras of which nothing is kept, because what has to be blurred cannot be; absent where there are none. */
  readonly unblurred?: readonly string[];
  /** How the picture of each camera is, by its id; of those that are watched and have shown one. */
  readonly images: Readonly<Record<string, ImageHealth>>;
  /** Where a second model is compared. */
  readonly shadow?: ShadowHealth;
  /** Stored without the detector having seen them. */
  readonly unlabelled: number;
  /** Encoded once more to bake in their EXIF orientation. */
  readonly turnedUpright: number;
  readonly lastStoredAtMs?: number;
  readonly lastError?: LastError;
  /** Milliseconds per stage: upright, decode, measure, fill, run, post, round, append. */
  readonly stagesMs: Readonly<Record<string, SummarySnapshot>>;
  /** Of the stage `run`, in milliseconds. */
  readonly inferenceMs?: HistogramSnapshot;
}
