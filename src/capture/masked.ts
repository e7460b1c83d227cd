import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { withHuffmanTables } from "../core/jpeg.ts";
import { captureLimits } from "../core/capture-limits.ts";
import { privacyLimits } from "../core/privacy-limits.ts";
import type { CameraDriver, CameraStream, Shot } from "../core/ports.ts";
import type { PrivacyMask } from "../core/privacy.ts";
import type { Vision } from "../core/vision-port.ts";
import { withDeadline } from "./deadline.ts";
import { judgePicture } from "./judge.ts";

export interface MaskParts {
  readonly cameraId: string;
  readonly mask: PrivacyMask;
  readonly paint: Vision["paint"];
  readonly clock: Clock;
}

/**
 * A driver whose pictures have the privacy mask painted over before anybody else sees them. What cannot be painted is no
 * picture: `CAMERA_MASK_MISFIT` says that its size is not the mask's, `CAMERA_MASK_UNPAINTED` that there is nobody to
 * paint, and `CAMERA_BAD_IMAGE` that it cannot be decoded.
 */
export function maskedDriver(inner: CameraDriver, parts: MaskParts): CameraDriver {
  return inner.stream === undefined ? new MaskedDriver(inner, parts) : new MaskedStreamDriver(inner, parts);
}

type Picture = Extract<Shot, { kind: "image" }>;

class MaskedDriver implements CameraDriver {
  readonly kind: string;
  readonly pace: CameraDriver["pace"];
  readonly mayRepeat: boolean;
  readonly inner: CameraDriver;
  readonly #parts: MaskParts;
  /** Of an `every` source: handed over by it, and not painted yet. Asking for the next one would give it up. */
  #held: Picture | undefined;
  /** How often the vision process has died or hung on it. */
  #tries = 0;

  constructor(inner: CameraDriver, parts: MaskParts) {
    this.inner = inner;
    this.kind = inner.kind;
    this.pace = inner.pace;
    this.mayRepeat = inner.mayRepeat === true;
    this.#parts = parts;
  }

  /** An `every` source waits for the vision process for as long as it takes. */
  get shotTimeMs(): number {
    if (this.pace === "every") return Infinity;
    const ownMs = this.inner.shotTimeMs ?? this.inner.stream?.framePeriodMs ?? 0;
    return ownMs + privacyLimits.visionAwayMs + privacyLimits.paintMs;
  }

  get startTimeMs(): number {
    return this.inner.startTimeMs ?? 0;
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.inner.start(signal);
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    const { clock } = this.#parts;
    const untilMs = clock.monotonicMs() + privacyLimits.visionAwayMs;
    for (;;) {
      const shot = this.#held ?? (await this.inner.shot(signal));
      signal.throwIfAborted();
      if (shot.kind === "end") return shot;
      if (this.pace === "every") this.#held = shot;
      try {
        return await this.#painted(shot, signal);
      } catch (error) {
        const isAway = error instanceof AgentError && error.code === "CAMERA_MASK_UNPAINTED";
        if (!isAway) throw error;
        if (this.pace === "newest" && clock.monotonicMs() >= untilMs) throw error;
        await clock.sleep(privacyLimits.visionLookMs, signal);
      }
    }
  }

  async refuse(fileName: string, why: string): Promise<void> {
    await this.inner.refuse?.(fileName, why);
  }

  async stop(): Promise<void> {
    // A source that is told of bad pictures takes back what it handed over last; one that is replayed goes on after it.
    if (this.inner.refuse !== undefined) this.#release();
    await this.inner.stop();
  }

  #release(): void {
    this.#held = undefined;
    this.#tries = 0;
  }

  async #painted(picture: Picture, signal: AbortSignal): Promise<Shot> {
    const { paint, mask, clock } = this.#parts;
    const judgement = judgePicture(picture.jpeg, captureLimits);
    if (judgement.kind === "bad") throw await this.#unusable(picture, judgement.why);
    const { jpeg: whole } = withHuffmanTables(picture.jpeg, judgement.facts);
    const late = () => this.#error("CAMERA_MASK_UNPAINTED", `painting took more than ${privacyLimits.paintMs} ms`);
    try {
      const work = (limited: AbortSignal) => paint(whole, mask, limited);
      const { jpeg } = await withDeadline(clock, privacyLimits.paintMs, signal, work, late);
      this.#release();
      return { ...picture, jpeg };
    } catch (error) {
      signal.throwIfAborted();
      throw await this.#failure(picture, asAgentError(error, "painting the privacy mask"));
    }
  }

  async #failure(picture: Picture, cause: AgentError): Promise<AgentError> {
    const { code, message } = cause;
    if (code === "IMAGE_MASK_MISFIT") {
      this.#release();
      return this.#error("CAMERA_MASK_MISFIT", message, cause);
    }
    if (code.startsWith("IMAGE_")) return this.#unusable(picture, message);
    if (code !== "VISION_UNAVAILABLE") this.#tries += 1;
    if (this.#tries < privacyLimits.paintTriesMax) return this.#error("CAMERA_MASK_UNPAINTED", message, cause);
    return this.#unusable(picture, message);
  }

  /** Its own pixels are nowhere kept for a look at them. */
  async #unusable(picture: Picture, why: string): Promise<AgentError> {
    this.#release();
    if (picture.fileName !== undefined) await this.inner.refuse?.(picture.fileName, why);
    const named = picture.fileName === undefined ? "" : `${JSON.stringify(picture.fileName)}: `;
    return this.#error("CAMERA_BAD_IMAGE", `${named}the privacy mask cannot be painted: ${why}`);
  }

  #error(code: string, what: string, cause?: unknown): AgentError {
    return new AgentError(code, `camera ${this.#parts.cameraId}: ${what}`, { disposition: "retry", cause });
  }
}

class MaskedStreamDriver extends MaskedDriver {
  get stream(): CameraStream {
    const { stream } = this.inner;
    if (stream === undefined) throw new Error("a driver's stream never goes away");
    return stream;
  }
}
