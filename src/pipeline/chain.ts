import { clipDetection, faintDetections, shownDetections } from "../core/detections.ts";
import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import type { ShadowHealth } from "../core/health.ts";
import { pipelineLimits } from "../core/limits.ts";
import { visionLimits } from "../core/vision-limits.ts";
import type { PictureMeasures } from "../core/picture.ts";
import type { Seams, Spool, Target } from "../core/ports.ts";
import type { Pulse } from "../core/pulse.ts";
import { Turns } from "../core/turns.ts";
import type { DetectResult, MotionGate, Vision, WatchResult } from "../core/vision-port.ts";
import type { ClockQuality, ClockStamp, Detection, Frame, KeepReason, ModelStamp, RecordDraft } from "../core/types.ts";
import { afterStill, decide, type KeepRules, type KeepState } from "../keep/decide.ts";
import { withBlur, type HiddenParts } from "./blur.ts";
import type { Books } from "./books.ts";
import type { DropReason, Processed, SeenFrame, StillFrame } from "./processed.ts";
import { Shadow, type ShadowParts } from "./shadow.ts";
import { uprightImage, type UprightImage } from "./upright.ts";

export interface ChainParts {
  readonly vision: Pick<Vision, "detect" | "watch" | "measure" | "reencode" | "pixelate">;
  readonly spool: Pick<Spool, "append">;
  readonly targets: readonly Pick<Target, "id" | "wants">[];
  /** A second model that is only compared. */
  readonly shadow?: ShadowParts;
}

export interface ChainFacts {
  readonly bootId: string;
  readonly agentVersion: string;
  /** Of the clock that stamped a frame. */
  readonly clockQuality: (stamp: ClockStamp) => ClockQuality;
  /** Exact but slower resizing for the detector. */
  readonly exact: boolean;
}

type FrameSource = Pick<Frame, "cameraId" | "jpeg" | "capturedAtMs" | "monotonicMs" | "facts" | "fileName">;

export interface FrameWatch {
  readonly gate?: MotionGate;
  /** The model sees it, moved or not. */
  readonly force: boolean;
  /** It is time to say how the camera's picture is. */
  readonly measure: boolean;
  /** Decode it for its measures where there is no model. */
  readonly measureWithoutModel: boolean;
}

interface Treatment {
  readonly rules: KeepRules;
  readonly state: KeepState;
  readonly requested: boolean;
  /** Everything but the append. */
  readonly dryRun: boolean;
  /** Of the loop that waits for this, where one does. */
  readonly pulse?: Pulse;
  /** A camera's own frame, for the first time: it is measured, and may be still. */
  readonly watch?: FrameWatch;
  /** Labels that somebody else made, in pixels of the upright picture: the detector is not asked. */
  readonly givenDetections?: readonly Detection[];
  /** Where something is hidden in the camera's pictures. */
  readonly hidden?: HiddenParts;
  /** Only these targets; each is still asked whether it wants the record. */
  readonly targetIds?: readonly string[];
}

/** What the vision process says of a frame. */
type Labels = Pick<SeenFrame, "labelled" | "detections" | "model" | "timings" | "measures">;

/**
 * One frame through the whole chain: upright, detect, blur, decide, append. Whatever the picture, the detector or the spool
 * does becomes a result; only an abort is thrown. The vision process is one, so frames see it one at a time, in turn.
 */
export class Chain {
  readonly #parts: ChainParts;
  readonly #facts: ChainFacts;
  readonly #clock: Clock;
  readonly #books: Books;
  readonly #turns = new Turns();
  readonly #shadow: Shadow | undefined;

  constructor(parts: ChainParts, facts: ChainFacts, seams: Seams, books: Books) {
    this.#parts = parts;
    this.#facts = facts;
    this.#clock = seams.clock;
    this.#books = books;
    if (parts.shadow !== undefined) this.#shadow = new Shadow(parts.shadow, facts, seams);
  }

  /** Of the second model, where there is one. */
  shadowHealth(): ShadowHealth | undefined {
    return this.#shadow?.health();
  }

  /** `state` is what the next frame of this camera is judged with. */
  async process(
    frame: FrameSource,
    treatment: Treatment,
    signal: AbortSignal,
  ): Promise<{ readonly processed: Processed; readonly state: KeepState }> {
    const result = await this.#process(frame, treatment, signal);
    if (!treatment.dryRun) this.#books.became(result.processed, frame);
    return result;
  }

  async #process(frame: FrameSource, treatment: Treatment, signal: AbortSignal) {
    const { rules, state, pulse } = treatment;
    let raw: SeenFrame | StillFrame;
    try {
      raw = await this.#inTurn(treatment, signal, () => this.#see(frame, treatment, signal));
    } catch (error) {
      if (signal.aborted) throw error;
      const failure = asAgentError(error, `processing a frame of ${frame.cameraId}`);
      return { processed: { kind: "dropped", why: dropReason(failure), error: failure } as const, state };
    }
    if (!("image" in raw)) {
      return { processed: { kind: "still", still: raw } as const, state: afterStill(state, frame.monotonicMs) };
    }
    // Out of turn: only this camera's next frame waits for the second model, and nobody who asked for a picture.
    pulse?.beat(pipelineLimits.turnBusyMs);
    const isCompared = !treatment.requested && !treatment.dryRun;
    const disagreement = isCompared ? await this.#shadow?.compare(raw, signal) : undefined;
    const seen = await this.#blurred(raw, treatment, signal);
    if ("error" in seen) {
      return { processed: { kind: "dropped", why: "not-blurred", error: seen.error } as const, state };
    }
    const decision = decide(rules, state, {
      monotonicMs: frame.monotonicMs,
      requested: treatment.requested,
      labelled: seen.labelled,
      detections: shownDetections(seen),
      faint: faintDetections(seen),
      ...(disagreement === undefined ? {} : { disagreement }),
    });
    if (!decision.keep) {
      return { processed: { kind: "not-kept", seen, why: decision.why } as const, state: decision.state };
    }
    const processed = await this.#store(seen, decision.reason, treatment);
    // What could not be stored used up no interval: the next frame may take its place.
    return { processed, state: processed.kind === "refused" ? decision.stateIfRefused : decision.state };
  }

  async #inTurn<T>({ pulse }: Treatment, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    // Its turn comes when those before have had theirs, and each of these has a bound.
    pulse?.beat(Infinity);
    return this.#turns.take(signal, () => {
      pulse?.beat(pipelineLimits.turnBusyMs);
      return work();
    });
  }

  async #see(frame: FrameSource, treatment: Treatment, signal: AbortSignal): Promise<SeenFrame | StillFrame> {
    const startedMs = this.#clock.monotonicMs();
    const { turned, ...image } = await uprightImage(frame, this.#parts.vision, signal);
    this.#books.stage("upright", this.#clock.monotonicMs() - startedMs);
    const { cameraId, capturedAtMs, monotonicMs } = frame;
    const labels = await this.#labels({ ...image, turned }, frame, treatment, signal);
    if ("kind" in labels) return { cameraId, timings: labels.timings, ...measuresOf(labels) };
    const seen: SeenFrame = { cameraId, capturedAtMs, monotonicMs, image, ...labels };
    if (!treatment.dryRun) this.#books.seen(seen, turned);
    return seen;
  }

  /** Nobody is handed the frame as it was before. */
  async #blurred(
    seen: SeenFrame,
    treatment: Treatment,
    signal: AbortSignal,
  ): Promise<SeenFrame | { readonly error: AgentError }> {
    const blur = treatment.hidden?.blur;
    if (blur === undefined) return seen;
    try {
      return await this.#inTurn(treatment, signal, () => withBlur(seen, blur, this.#parts.vision, signal));
    } catch (error) {
      if (signal.aborted) throw error;
      return { error: asAgentError(error, `blurring a frame of ${seen.cameraId}`) };
    }
  }

  async #labels(
    image: UprightImage,
    frame: FrameSource,
    treatment: Treatment,
    signal: AbortSignal,
  ): Promise<Labels | Extract<WatchResult, { kind: "still" }>> {
    const { givenDetections, watch } = treatment;
    if (givenDetections !== undefined) return { labelled: true, detections: ordered(givenDetections, image) };
    try {
      const found: WatchResult = await this.#detect(image, frame, watch, signal);
      assertSameSize(found, image);
      this.#books.vision(undefined, frame.cameraId);
      if (found.kind === "still") return found;
      const { detections, model, timings } = found;
      return { labelled: true, detections, model, timings, ...measuresOf(found) };
    } catch (error) {
      if (signal.aborted || !isVisionAway(error)) throw error;
      this.#books.vision(error, frame.cameraId);
      const measures = await this.#measure(error, image, frame, watch, signal);
      return { labelled: false, detections: [], ...(measures === undefined ? {} : { measures }) };
    }
  }

  async #detect(image: UprightImage, frame: FrameSource, watch: FrameWatch | undefined, signal: AbortSignal) {
    const { exact } = this.#facts;
    if (watch === undefined) {
      const found = await this.#parts.vision.detect(image.jpeg, { exact }, signal);
      return { ...found, kind: "detected" } as const;
    }
    const { gate, force, measure } = watch;
    const { cameraId, monotonicMs } = frame;
    const options = { exact, cameraId, monotonicMs, force, measure, ...(gate === undefined ? {} : { gate }) };
    return this.#parts.vision.watch(image.jpeg, options, signal);
  }

  /** Without a model the vision process is there all the same; when it is not, nothing is measured. */
  async #measure(
    { code }: AgentError,
    image: UprightImage,
    { cameraId }: FrameSource,
    watch: FrameWatch | undefined,
    signal: AbortSignal,
  ): Promise<PictureMeasures | undefined> {
    if (watch?.measureWithoutModel !== true || !code.startsWith("MODEL_")) return undefined;
    try {
      return await this.#parts.vision.measure(image.jpeg, signal, cameraId);
    } catch (error) {
      if (signal.aborted || !isVisionAway(error)) throw error;
      return undefined;
    }
  }

  async #store(seen: SeenFrame, reason: KeepReason, treatment: Treatment): Promise<Processed> {
    const { dryRun, targetIds, hidden, pulse } = treatment;
    const draft = this.#draft(seen, reason, hidden);
    const asked = this.#parts.targets.filter(({ id }) => targetIds === undefined || targetIds.includes(id));
    const owedTo = asked.filter((target) => target.wants(draft)).map(({ id }) => id);
    if (owedTo.length === 0) return { kind: "not-owed", seen, reason };
    if (dryRun) return { kind: "kept", seen, reason, owedTo };
    const startedMs = this.#clock.monotonicMs();
    pulse?.beat();
    try {
      const record = await this.#parts.spool.append(draft, seen.image.jpeg, owedTo);
      this.#books.stage("append", this.#clock.monotonicMs() - startedMs);
      return { kind: "stored", seen, reason, owedTo, record };
    } catch (error) {
      return { kind: "refused", seen, reason, error: asAgentError(error, `storing a frame of ${seen.cameraId}`) };
    }
  }

  #draft(seen: SeenFrame, reason: KeepReason, hidden: HiddenParts | undefined): RecordDraft {
    return {
      cameraId: seen.cameraId,
      capturedAtMs: seen.capturedAtMs,
      monotonicMs: seen.monotonicMs,
      monotonicFrom: "boot",
      bootId: this.#facts.bootId,
      clockQuality: this.#facts.clockQuality(seen),
      imageWidth: seen.image.width,
      imageHeight: seen.image.height,
      labelled: seen.labelled,
      detections: seen.detections,
      ...(seen.model === undefined ? {} : { model: stampOf(seen.model, seen.detections) }),
      ...(hidden === undefined ? {} : { maskVersion: hidden.maskVersion }),
      reason,
      agentVersion: this.#facts.agentVersion,
    };
  }
}

/** The stamp alone, with the thresholds of what was found: a model's hundreds of labels do not belong in every record. */
function stampOf(model: ModelStamp, detections: readonly Detection[]): ModelStamp {
  const { name, sha256, inputWidth, inputHeight, threshold, nmsIou, runtime, tiles } = model;
  const stamp = { name, sha256, inputWidth, inputHeight, threshold, nmsIou, runtime };
  const found = new Set(detections.map(({ label }) => label));
  const single = Object.entries(model.thresholds ?? {}).filter(([label]) => found.has(label));
  return {
    ...stamp,
    ...(single.length === 0 ? {} : { thresholds: Object.fromEntries(single) }),
    ...(tiles === undefined ? {} : { tiles }),
  };
}

function measuresOf({ measures }: Pick<WatchResult, "measures">): Pick<WatchResult, "measures"> {
  return measures === undefined ? {} : { measures };
}

/** Given labels may come from anywhere: they get the same bounds as the detector's. */
function ordered(detections: readonly Detection[], image: UprightImage): readonly Detection[] {
  return detections
    .flatMap((detection) => {
      const clipped = clipDetection(detection, image.width, image.height);
      return clipped === undefined ? [] : [clipped];
    })
    .sort((a, b) => b.score - a.score)
    .slice(0, visionLimits.detectionsMax);
}

/** Boxes of another size would lie in the wrong place for ever. */
function assertSameSize(found: Pick<DetectResult, "width" | "height">, image: UprightImage): void {
  if (found.width === image.width && found.height === image.height) return;
  const sizes = `${found.width}x${found.height} instead of ${image.width}x${image.height}`;
  throw new AgentError("VISION_WRONG_SIZE", `detecting: the picture was seen as ${sizes}`, { disposition: "retry" });
}

/** Everything but the picture's own fault: a crash, a hang, a model that is missing, broken or of an unknown family. */
function isVisionAway(error: unknown): error is AgentError {
  return error instanceof AgentError && !error.code.startsWith("IMAGE_");
}

/** A frame is never stored turned wrongly, nor with its EXIF: without the vision process a turned one is lost. */
function dropReason(failure: AgentError): DropReason {
  if (failure.code.startsWith("IMAGE_")) return "image-corrupt";
  return isVisionAway(failure) ? "orientation-unapplied" : "failed";
}
