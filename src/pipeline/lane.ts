import type { Camera, Seams } from "../core/ports.ts";
import { type Pulse, UnwatchedPulse } from "../core/pulse.ts";
import type { MotionGate } from "../core/vision-port.ts";
import { pipelineLimits } from "../core/limits.ts";
import type { Frame } from "../core/types.ts";
import { initialKeepState, type KeepRules, type KeepState, lookAgainFromMs } from "../keep/decide.ts";
import type { HiddenParts } from "./blur.ts";
import type { FrameWatch } from "./chain.ts";
import { Decisions } from "./decisions.ts";
import { ImageWatch } from "./image-watch.ts";
import type { Processed } from "./processed.ts";
import { CaptureRequests } from "./requests.ts";

export interface PipelineCamera {
  readonly camera: Pick<Camera, "id" | "pace" | "nextFrame" | "refuse"> & Partial<Pick<Camera, "hurry">>;
  readonly rules: KeepRules;
  /** Without one the model sees every frame. */
  readonly gate?: MotionGate;
  /** Whether the picture's health is watched. */
  readonly imageHealth?: boolean;
  /** Where something is hidden in its pictures: the mask is painted already, the blur is not. */
  readonly hidden?: HiddenParts;
  /** A drawn or replayed source: the same picture again is no sign of a frozen camera. */
  readonly mayRepeat?: boolean;
}

/** What the pipeline remembers of one camera between two of its frames. */
export class Lane {
  readonly camera: PipelineCamera["camera"];
  readonly rules: KeepRules;
  readonly hidden: HiddenParts | undefined;
  readonly requests = new CaptureRequests();
  readonly decisions: Decisions;
  readonly images: ImageWatch | undefined;
  readonly #gate: MotionGate | undefined;
  state: KeepState = initialKeepState;
  /** Of the loop that runs this lane. */
  pulse: Pulse;
  ended = false;
  /** How long to wait after the next frame that a full spool refuses. */
  pauseMs: number = pipelineLimits.pauseFirstMs;
  paused = false;
  /** From then on the next frame is detected, moved or not: something was seen that could not be kept at its time. */
  #forceFromMs = Infinity;

  constructor({ camera, rules, gate, imageHealth, hidden, mayRepeat = false }: PipelineCamera, seams: Seams) {
    this.camera = camera;
    this.hidden = hidden;
    this.rules = rules;
    this.#gate = gate;
    this.pulse = new UnwatchedPulse(seams.clock);
    this.decisions = new Decisions(seams.clock);
    if (imageHealth === true) this.images = new ImageWatch({ id: camera.id, mayRepeat }, seams);
  }

  /** How the vision process is to look at the next frame; undefined: just detect. */
  watchOf({ monotonicMs }: Frame, requested: boolean): FrameWatch | undefined {
    if (this.#gate === undefined && this.images === undefined) return undefined;
    return {
      force: requested || monotonicMs >= this.#forceFromMs,
      measure: this.images?.isDue(monotonicMs) ?? false,
      measureWithoutModel: this.images?.isDue(monotonicMs, { alone: true }) ?? false,
      ...(this.#gate === undefined ? {} : { gate: this.#gate }),
    };
  }

  /**
   * Without the gate, what stands before the camera would be kept as soon as the interval has run out, or the spool has
   * room again. With it the model has to see the first frame after that, though nothing moves.
   */
  became(processed: Processed, { monotonicMs }: Frame, state: KeepState): void {
    this.state = state;
    if (processed.kind === "dropped") return;
    const { measures } = processed.kind === "still" ? processed.still : processed.seen;
    if (measures !== undefined) this.images?.see(measures, monotonicMs);
    if (processed.kind === "still") return;
    const why = processed.kind === "not-kept" ? { why: processed.why } : {};
    this.#forceFromMs =
      processed.kind === "refused" ? monotonicMs : lookAgainFromMs(this.rules, state, { ...why, monotonicMs });
  }
}
