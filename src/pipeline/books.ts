import type { Clock } from "../core/clock.ts";
import { shownDetections } from "../core/detections.ts";
import { Histogram, Summary, type SummarySnapshot, Tally } from "../core/counters.ts";
import type { AgentError } from "../core/errors.ts";
import type { LastError, PipelineHealth } from "../core/health.ts";
import { healthLimits } from "../core/limits.ts";
import { LogGate } from "../core/log-gate.ts";
import type { Logger, Random, Seams } from "../core/ports.ts";
import type { Frame } from "../core/types.ts";
import type { Processed, SeenFrame, StillFrame } from "./processed.ts";

const stages = ["upright", "decode", "measure", "fill", "run", "post", "round", "append"] as const;
type Stage = (typeof stages)[number];

/** Counts what became of the frames, and says changes of state once and repeated trouble seldom. */
export class Books {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gate: LogGate;
  readonly #stages: Readonly<Record<Stage, Summary>>;
  readonly #inference = new Histogram(healthLimits.inferenceBucketsMs);
  readonly #detections = new Tally();
  readonly #keptByRule = new Tally();
  readonly #dropped = new Tally();
  #frames = 0;
  #stored = 0;
  #still = 0;
  #notOwed = 0;
  #refused = 0;
  #unlabelled = 0;
  #turnedUpright = 0;
  #spoolFull = false;
  #fullSaid = false;
  #visionAway = false;
  readonly #unblurred = new Set<string>();
  #lastStoredAtMs: number | undefined;
  #lastError: LastError | undefined;

  constructor(seams: Seams) {
    this.#clock = seams.clock;
    this.#log = seams.log;
    this.#gate = new LogGate(seams.clock);
    this.#stages = summaries(seams.random);
  }

  /** Records so far. */
  stored(): number {
    return this.#stored;
  }

  stage(stage: Stage, ms: number): void {
    this.#stages[stage].add(ms);
  }

  seen(seen: SeenFrame, turned: boolean): void {
    const { timings } = seen;
    if (turned) this.#turnedUpright += 1;
    for (const { label } of shownDetections(seen)) this.#detections.add(label);
    if (timings === undefined) return;
    this.stage("decode", timings.decodeMs);
    if (timings.measureMs !== undefined) this.stage("measure", timings.measureMs);
    this.stage("fill", timings.fillMs);
    this.stage("run", timings.runMs);
    this.#inference.add(timings.runMs);
    this.stage("post", timings.postMs);
    this.stage("round", timings.roundMs);
  }

  /** `undefined`: the detector answered. */
  vision(error: AgentError | undefined, cameraId: string): void {
    const away = error !== undefined;
    if (error !== undefined) this.#remember(error);
    if (away === this.#visionAway) return;
    this.#visionAway = away;
    if (error === undefined) this.#log.info("vision.back");
    else this.#log.warn("vision.away", { camera: cameraId, code: error.code, message: error.message });
  }

  became(processed: Processed, { cameraId, fileName }: Pick<Frame, "cameraId" | "fileName">): void {
    this.#frames += 1;
    if (processed.kind === "dropped" && processed.why === "not-blurred") this.#unblurred.add(cameraId);
    else if ("seen" in processed) this.#unblurred.delete(cameraId);
    switch (processed.kind) {
      case "stored":
        this.#wasStored(processed.record.id, processed.reason.rule, processed.seen);
        break;
      case "kept":
        break;
      case "not-kept":
        this.#dropped.add(processed.why);
        break;
      case "still":
        this.#wasStill(processed.still);
        break;
      case "not-owed":
        this.#notOwed += 1;
        break;
      case "refused":
        this.#wasRefused(processed.error, cameraId);
        break;
      case "dropped":
        this.#dropped.add(processed.why);
        this.#trouble("frame.dropped", processed.error, { camera: cameraId, file: fileName, why: processed.why });
        break;
    }
  }

  cameraFailed(cameraId: string, error: AgentError): void {
    this.#trouble("pipeline.camera-failed", error, { camera: cameraId });
  }

  health(
    state: PipelineHealth["state"],
    { paused, images, shadow }: Pick<PipelineHealth, "paused" | "images" | "shadow">,
  ): PipelineHealth {
    return {
      state,
      paused,
      images,
      ...(shadow === undefined ? {} : { shadow }),
      frames: this.#frames,
      detections: this.#detections.snapshot(),
      stored: this.#stored,
      keptByRule: this.#keptByRule.snapshot(),
      dropped: this.#dropped.snapshot(),
      still: this.#still,
      notOwed: this.#notOwed,
      refused: this.#refused,
      ...(this.#unblurred.size === 0 ? {} : { unblurred: [...this.#unblurred] }),
      spoolFull: this.#spoolFull,
      unlabelled: this.#unlabelled,
      turnedUpright: this.#turnedUpright,
      ...(this.#lastStoredAtMs === undefined ? {} : { lastStoredAtMs: this.#lastStoredAtMs }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      stagesMs: snapshots(this.#stages),
      inferenceMs: this.#inference.snapshot(),
    };
  }

  /** Its round is not among those of the frames that the model saw. */
  #wasStill({ timings }: StillFrame): void {
    this.#still += 1;
    this.stage("decode", timings.decodeMs);
    if (timings.measureMs !== undefined) this.stage("measure", timings.measureMs);
  }

  #wasStored(recordId: string, rule: string, { cameraId, labelled }: SeenFrame): void {
    this.#stored += 1;
    if (!labelled) this.#unlabelled += 1;
    // What two models disagree on may be any mixture of labels: counted as one.
    this.#keptByRule.add(rule.startsWith("shadow:") ? "shadow" : rule);
    this.#lastStoredAtMs = this.#clock.nowMs();
    this.#log.debug("record.stored", { camera: cameraId, recordId, rule });
    if (!this.#spoolFull) return;
    this.#spoolFull = false;
    if (this.#fullSaid) this.#log.info("spool.takes-again");
    this.#fullSaid = false;
  }

  #wasRefused(error: AgentError, cameraId: string): void {
    this.#refused += 1;
    if (!isFull(error)) {
      this.#trouble("record.not-stored", error, { camera: cameraId });
      return;
    }
    this.#remember(error);
    if (this.#spoolFull) return;
    this.#spoolFull = true;
    // Where frames of one priority find room and those of another do not, this comes and goes with every frame.
    const suppressed = this.#gate.pass("spool.full");
    if (suppressed === undefined) return;
    this.#fullSaid = true;
    this.#log.error("spool.full", { code: error.code, message: error.message, suppressed });
  }

  #trouble(event: string, error: AgentError, fields: Readonly<Record<string, unknown>>): void {
    this.#remember(error);
    const suppressed = this.#gate.pass(`${event}:${error.code}`);
    if (suppressed === undefined) return;
    this.#log.warn(event, { ...fields, code: error.code, message: error.message, suppressed });
  }

  #remember(error: AgentError): void {
    this.#lastError = { code: error.code, message: error.message, atMs: this.#clock.nowMs() };
  }
}

/** There is no room for a record just now, neither this one nor another. */
export function isFull({ code }: AgentError): boolean {
  return code === "SPOOL_FULL" || code === "DISK_FULL";
}

function summaries(random: Random): Readonly<Record<Stage, Summary>> {
  const one = () => new Summary(random);
  return {
    upright: one(),
    decode: one(),
    measure: one(),
    fill: one(),
    run: one(),
    post: one(),
    round: one(),
    append: one(),
  };
}

function snapshots(byStage: Readonly<Record<Stage, Summary>>): Readonly<Record<string, SummarySnapshot>> {
  return Object.fromEntries(stages.map((stage) => [stage, byStage[stage].snapshot()]));
}
