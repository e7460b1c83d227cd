import { asAgentError, type AgentError } from "../core/errors.ts";
import { Summary } from "../core/counters.ts";
import type { PictureMeasures } from "../core/picture.ts";
import type { PrivacyMask } from "../core/privacy.ts";
import type { Seams } from "../core/ports.ts";
import type {
  DetectResult,
  EncodedImage,
  ModelInfo,
  ReencodeOptions,
  Vision,
  VisionHealth,
  WatchOptions,
  WatchResult,
} from "../core/vision-port.ts";
import { Turns } from "../core/turns.ts";
import type { Box } from "../core/types.ts";
import { VisionProcess, type VisionOptions } from "./client.ts";
import type { ModelSpec } from "./model.ts";

/**
 * The vision process in use, which can be changed for another while frames flow. Every call goes whole to one process: to
 * the one in use when it begins. So a change falls between two frames, what is under way ends where it began, and only
 * then is the old process stopped. Two run for no longer than that.
 */

/** A second process, with its model loaded, that nobody else asks anything. */
export interface PreparedVision {
  readonly vision: VisionProcess;
  readonly model: ModelSpec;
}

/** How one look of the model in use ended; not told of looks that were given up. */
export type Look =
  { readonly kind: "seen"; readonly runMs: number } | { readonly kind: "failed"; readonly error: AgentError };

class Tenant {
  readonly vision: VisionProcess;
  readonly runMs: Summary;
  #calls = 0;
  #onIdle: () => void = () => undefined;

  constructor(vision: VisionProcess, { random }: Seams) {
    this.vision = vision;
    this.runMs = new Summary(random);
  }

  async call<T>(work: (vision: VisionProcess) => Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await work(this.vision);
    } finally {
      this.#calls -= 1;
      if (this.#calls === 0) this.#onIdle();
    }
  }

  /** Every call has a deadline of its own, so this comes. */
  async idle(): Promise<void> {
    if (this.#calls > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }
}

export class VisionSwitch implements Vision {
  readonly #options: VisionOptions;
  readonly #seams: Seams;
  #current: Tenant;
  /** All that may be alive: in use, prepared, or ending. */
  readonly #processes = new Set<VisionProcess>();
  /** Of processes that are no longer in use. */
  #restartsBefore = 0;
  /** Dozens of cameras may have a picture to paint at the same time: they must not take each other's places. */
  readonly #painting = new Turns();
  #isStopped = false;
  #watcher: (look: Look) => void = () => undefined;

  constructor(options: VisionOptions, seams: Seams) {
    this.#options = options;
    this.#seams = seams;
    this.#current = this.#tenant(new VisionProcess(options, seams));
  }

  /** As `VisionProcess.start`. `model` replaces the one that was given to the constructor. */
  async start(signal: AbortSignal, model?: ModelSpec): Promise<void> {
    if (model !== undefined) this.#current = this.#tenant(new VisionProcess({ ...this.#options, model }, this.#seams));
    this.#isStopped = false;
    this.#processes.add(this.#current.vision);
    await this.#current.vision.start(signal);
  }

  /**
   * Loads a model beside the one in use; without the config's tiles for a proof, which is about the model alone. Fails as
   * `VisionProcess.start` does, and leaves nothing behind then.
   */
  async prepare(model: ModelSpec, signal: AbortSignal, purpose: "use" | "proof" = "use"): Promise<PreparedVision> {
    const { tiles, ...options } = this.#options;
    const whole = purpose === "proof" || tiles === undefined;
    const vision = new VisionProcess({ ...options, ...(whole ? {} : { tiles }), model }, this.#seams);
    this.#processes.add(vision);
    try {
      await vision.start(signal);
      return { vision, model };
    } catch (error) {
      await this.#end(vision);
      throw error;
    }
  }

  /** Gives a prepared process up. */
  async discard({ vision }: PreparedVision): Promise<void> {
    if (vision !== this.#current.vision) await this.#end(vision);
  }

  /** From now on every call goes to the prepared process. Resolves when the old one has ended. */
  async switchTo({ vision }: PreparedVision): Promise<void> {
    const old = this.#current;
    // A stop that came between has ended it already.
    if (this.#isStopped || old.vision === vision) return;
    this.#restartsBefore += old.vision.health().restarts;
    this.#current = this.#tenant(vision);
    await old.idle();
    await this.#end(old.vision);
  }

  /** Hears of every look of the model in use. One at a time may listen. */
  watchLooks(watcher: (look: Look) => void): void {
    this.#watcher = watcher;
  }

  /** Milliseconds that the model in use needs for a run: the median; undefined before the first. */
  runMs(): number | undefined {
    const { count, p50 } = this.#current.runMs.snapshot();
    return count === 0 ? undefined : p50;
  }

  model(): ModelInfo | undefined {
    return this.#current.vision.model();
  }

  async detect(jpeg: Buffer, options: { readonly exact: boolean }, signal: AbortSignal): Promise<DetectResult> {
    return this.#look((vision) => vision.detect(jpeg, options, signal), signal);
  }

  async watch(jpeg: Buffer, options: WatchOptions, signal: AbortSignal): Promise<WatchResult> {
    return this.#look((vision) => vision.watch(jpeg, options, signal), signal);
  }

  async measure(jpeg: Buffer, signal: AbortSignal, cameraId?: string): Promise<PictureMeasures> {
    return this.#current.call((vision) => vision.measure(jpeg, signal, cameraId));
  }

  async reencode(jpeg: Buffer, options: ReencodeOptions, signal: AbortSignal): Promise<EncodedImage> {
    return this.#current.call((vision) => vision.reencode(jpeg, options, signal));
  }

  async thumbnail(
    jpeg: Buffer,
    options: { readonly sideMax: number; readonly quality: number },
    signal: AbortSignal,
  ): Promise<EncodedImage> {
    return this.#current.call((vision) => vision.thumbnail(jpeg, options, signal));
  }

  async paint(jpeg: Buffer, mask: PrivacyMask, signal: AbortSignal): Promise<EncodedImage> {
    return this.#painting.take(signal, () => this.#current.call((vision) => vision.paint(jpeg, mask, signal)));
  }

  async pixelate(jpeg: Buffer, boxes: readonly Box[], signal: AbortSignal): Promise<EncodedImage> {
    return this.#current.call((vision) => vision.pixelate(jpeg, boxes, signal));
  }

  async render(
    svg: string,
    options: { readonly quality: number; readonly under?: Buffer },
    signal: AbortSignal,
  ): Promise<EncodedImage> {
    return this.#current.call((vision) => vision.render(svg, options, signal));
  }

  /** Of the process in use; the restarts are counted over all that were. */
  health(): VisionHealth {
    const health = this.#current.vision.health();
    return { ...health, restarts: this.#restartsBefore + health.restarts };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#processes].map((vision) => this.#end(vision)));
  }

  async #look<T extends DetectResult | WatchResult>(
    work: (vision: VisionProcess) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const tenant = this.#current;
    try {
      const answer = await tenant.call(work);
      if ("detections" in answer) this.#saw(tenant, { kind: "seen", runMs: answer.timings.runMs });
      return answer;
    } catch (error) {
      if (!signal.aborted) this.#saw(tenant, { kind: "failed", error: asAgentError(error, "detecting") });
      throw error;
    }
  }

  #saw(tenant: Tenant, look: Look): void {
    if (look.kind === "seen") tenant.runMs.add(look.runMs);
    if (tenant === this.#current) this.#watcher(look);
  }

  #tenant(vision: VisionProcess): Tenant {
    return new Tenant(vision, this.#seams);
  }

  async #end(vision: VisionProcess): Promise<void> {
    await vision.stop();
    this.#processes.delete(vision);
  }
}
