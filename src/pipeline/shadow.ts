import type { Clock } from "../core/clock.ts";
import { Summary } from "../core/counters.ts";
import { faintDetections, shownDetections } from "../core/detections.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import type { LastError, ShadowHealth } from "../core/health.ts";
import { configLimits } from "../core/limits.ts";
import { shadowLimits } from "../core/vision-limits.ts";
import { LogGate } from "../core/log-gate.ts";
import type { Logger, Seams } from "../core/ports.ts";
import type { DetectResult, Vision } from "../core/vision-port.ts";
import { compareOpinions, type Disagreement, disagreementPhrase, type Opinion } from "../keep/disagreement.ts";
import type { SeenFrame } from "./processed.ts";

/**
 * A second model that sees some of the frames that the first one saw, and is only compared. Whatever it does, a frame
 * waits for it no longer than `shadowLimits.waitMs`, all its frames together wait a bounded share of the time, and
 * nothing that it does is an error of the frame.
 */

export interface ShadowParts {
  /** Started and stopped by whoever made it. */
  readonly vision: Pick<Vision, "detect" | "model" | "health">;
  /** Every so many frames of each camera. */
  readonly every: number;
  readonly minIou: number;
}

export class Shadow {
  readonly #parts: ShadowParts;
  readonly #exact: boolean;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gate: LogGate;
  readonly #ms: Summary;
  readonly #untilNext = new Map<string, number>();
  #isBusy = false;
  #restsUntilMs = 0;
  #frames = 0;
  #disagreements = 0;
  #added = 0;
  #missing = 0;
  #failed = 0;
  #lastError: LastError | undefined;

  constructor(parts: ShadowParts, { exact }: { readonly exact: boolean }, seams: Seams) {
    this.#parts = parts;
    this.#exact = exact;
    this.#clock = seams.clock;
    this.#log = seams.log;
    this.#gate = new LogGate(seams.clock);
    this.#ms = new Summary(seams.random);
  }

  /** What the second model sees differently; undefined when it agrees, or was not asked. Only an abort is thrown. */
  async compare(seen: SeenFrame, signal: AbortSignal): Promise<string | undefined> {
    const { model, cameraId } = seen;
    if (model === undefined || !this.#isDue(cameraId)) return undefined;
    const startedMs = this.#clock.monotonicMs();
    this.#isBusy = true;
    try {
      const found = await this.#ask(seen, signal);
      this.#ms.add(this.#clock.monotonicMs() - startedMs);
      return this.#count(compareOpinions(opinionOf({ ...seen, model }), opinionOf(found), this.#parts.minIou));
    } catch (error) {
      signal.throwIfAborted();
      this.#trouble(asAgentError(error, "asking the shadow model"), cameraId);
      return undefined;
    } finally {
      this.#isBusy = false;
      this.#restsUntilMs = startedMs + (this.#clock.monotonicMs() - startedMs) / shadowLimits.workShareMax;
    }
  }

  health(): ShadowHealth {
    const { vision } = this.#parts;
    const { state, restarts, rssPeakBytes, lastError = this.#lastError } = vision.health();
    const model = vision.model()?.name;
    return {
      ...(model === undefined ? {} : { model }),
      state,
      restarts,
      rssPeakBytes,
      frames: this.#frames,
      disagreements: this.#disagreements,
      added: this.#added,
      missing: this.#missing,
      failed: this.#failed,
      ms: this.#ms.snapshot(),
      ...(lastError === undefined ? {} : { lastError: { code: lastError.code, message: lastError.message } }),
    };
  }

  /** Counted by camera: one count for all would meet the same camera again and again where they take turns. */
  #isDue(cameraId: string): boolean {
    if (this.#parts.vision.health().state === "starting") return false;
    const left = this.#untilNext.get(cameraId) ?? 1;
    this.#untilNext.set(cameraId, Math.max(1, left - 1));
    if (this.#untilNext.size > configLimits.camerasMax) this.#untilNext.clear();
    if (left > 1 || this.#isBusy || this.#clock.monotonicMs() < this.#restsUntilMs) return false;
    this.#untilNext.set(cameraId, this.#parts.every);
    return true;
  }

  /** Waits no longer than it may; what nobody waits for any more ends by the process's own deadline. */
  async #ask({ image }: SeenFrame, signal: AbortSignal): Promise<DetectResult> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const late = this.#clock.sleep(shadowLimits.waitMs, either).then(() => {
      throw new AgentError("SHADOW_LATE", `it took more than ${shadowLimits.waitMs} ms`, { disposition: "retry" });
    });
    try {
      const asked = this.#parts.vision.detect(image.jpeg, { exact: this.#exact }, either);
      const found = await Promise.race([asked, late]);
      if (found.width === image.width && found.height === image.height) return found;
      throw new AgentError("VISION_WRONG_SIZE", `it saw ${found.width}x${found.height}`, { disposition: "retry" });
    } finally {
      over.abort();
    }
  }

  #count(disagreement: Disagreement): string | undefined {
    this.#frames += 1;
    this.#added += disagreement.added.length;
    this.#missing += disagreement.missing.length;
    const phrase = disagreementPhrase(disagreement);
    if (phrase !== undefined) this.#disagreements += 1;
    return phrase;
  }

  #trouble(error: AgentError, camera: string): void {
    const { code, message } = error;
    this.#failed += 1;
    this.#lastError = { code, message, atMs: this.#clock.nowMs() };
    const suppressed = this.#gate.pass(code);
    if (suppressed !== undefined) this.#log.warn("shadow.failed", { camera, code, message, suppressed });
  }
}

function opinionOf(seen: Pick<DetectResult, "detections" | "model">): Opinion {
  return { shown: shownDetections(seen), faint: faintDetections(seen), labels: seen.model.labels };
}
