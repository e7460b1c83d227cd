import { backoffMs } from "../core/backoff.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { visionLimits } from "../core/vision-limits.ts";
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
import type { Box, Detection, TileGrid } from "../core/types.ts";
import { Calls, unavailable } from "./calls.ts";
import { spawnVision, type ChildReply, type VisionChild } from "./child.ts";
import type { Inspection, ProcessUsage } from "./inspection.ts";
import type { ReadGroupMemory } from "./memory-group.ts";
import type { ModelSpec } from "./model.ts";
import { errorFrom, type Reply, resultOf, type Task } from "./protocol.ts";
import { Silence } from "./silence.ts";
import { MemoryWatch, ModelTries } from "./upkeep.ts";

/** The vision process as the rest of the agent sees it: one life after another, and calls that do not notice. */

export interface VisionOptions {
  /** Without a model everything works except `detect`, which fails with `MODEL_NONE`. */
  readonly model: ModelSpec | undefined;
  /** Threads of one run. Default: 1 for a model that runs in under 10 ms, else one less than there are processors. */
  readonly threads?: number;
  readonly callTimeoutMs?: number;
  readonly loadTimeoutMs?: number;
  readonly backoffFirstMs?: number;
  readonly silentAfterPictures?: number;
  /** Up to `visionLimits.candidatesMax`; records hold 100. */
  readonly detectionsMax?: number;
  /** Parts of the picture that the model sees beside the whole. */
  readonly tiles?: TileGrid;
  /** A process whose resident set is larger is replaced between two calls; those that wait meanwhile are not lost. */
  readonly rssBytesMax?: number;
  /** What all processes of the service have and may have: near that bound, one that has grown is replaced. */
  readonly groupMemory?: ReadGroupMemory;
  /** How long a model is left alone on which processes keep dying; doubled every time. */
  readonly modelRetryFirstMs?: number;
  /** A program in place of the vision process. */
  readonly program?: string;
}

export class VisionProcess implements Vision {
  readonly #options: VisionOptions;
  readonly #seams: Seams;
  #state: VisionHealth["state"] = "stopped";
  #child: VisionChild | undefined;
  #model: ModelInfo | undefined;
  #modelError: AgentError | undefined;
  #lastError: AgentError | undefined;
  #restarts = 0;
  #rssPeakBytes = 0;
  readonly #silence: Silence;
  readonly #calls: Calls;
  #stopping = new AbortController();
  #lives: Promise<void> = Promise.resolve();
  /** Between a process that is replaced and the next one calls wait, instead of failing at once. */
  #replacing = false;
  readonly #memory: MemoryWatch;
  readonly #tries: ModelTries;

  constructor(options: VisionOptions, seams: Seams) {
    this.#options = options;
    this.#seams = seams;
    this.#silence = new Silence(options.silentAfterPictures ?? visionLimits.silentAfterPictures);
    const { rssBytesMax = visionLimits.rssBytesMax, backoffFirstMs = visionLimits.backoffFirstMs } = options;
    this.#calls = new Calls(callTimeoutMs(options), (reply, child) => this.#note(reply, child));
    this.#memory = new MemoryWatch(rssBytesMax, backoffFirstMs, options.groupMemory);
    this.#tries = new ModelTries(options.modelRetryFirstMs ?? visionLimits.modelRetryFirstMs);
  }

  /**
   * Resolves once the model has run on an empty picture. Rejects with the model's error (`MODEL_NOT_FOUND`,
   * `MODEL_NOT_ONNX`, `MODEL_TRUNCATED`, `MODEL_UNKNOWN_FAMILY`, `MODEL_INPUT`, `MODEL_FAILED`, …) when it cannot be
   * used: the process is up all the same, pictures are re-encoded and drawn, and `detect` repeats that error. So it does
   * with `MODEL_CRASHES`, when one process after another has died while loading, until the model is tried again. Any other
   * rejection (`VISION_CRASHED`, `VISION_TIMEOUT`) is an attempt that is already being repeated with back-off.
   */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state !== "stopped") return;
    this.#stopping = new AbortController();
    const onAbort = () => this.#stopping.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const stopped = this.#stopping.signal;
    let settled: (error: AgentError | undefined) => void = () => undefined;
    const first = new Promise<AgentError | undefined>((resolve) => (settled = resolve));
    this.#lives = this.#live(stopped, (error) => settled(error));
    const error = await first;
    signal.removeEventListener("abort", onAbort);
    if (signal.aborted) await this.#lives;
    signal.throwIfAborted();
    if (error !== undefined) throw error;
  }

  model(): ModelInfo | undefined {
    return this.#model;
  }

  async detect(jpeg: Buffer, options: { readonly exact: boolean }, signal: AbortSignal): Promise<DetectResult> {
    const startedMs = this.#seams.clock.monotonicMs();
    if (this.#modelError !== undefined) throw this.#modelError;
    const { reply } = await this.#ask({ kind: "detect", exact: options.exact }, jpeg, signal);
    const answer = resultOf("detect", reply);
    if (this.#model === undefined) throw unavailable("it lost its model");
    const roundMs = this.#seams.clock.monotonicMs() - startedMs;
    await this.#heed(answer.detections, jpeg, signal);
    return { ...answer, model: this.#model, timings: { ...answer.timings, roundMs } };
  }

  async watch(jpeg: Buffer, options: WatchOptions, signal: AbortSignal): Promise<WatchResult> {
    const startedMs = this.#seams.clock.monotonicMs();
    if (this.#modelError !== undefined) throw this.#modelError;
    const { reply } = await this.#ask({ kind: "watch", options }, jpeg, signal);
    const answer = resultOf("watch", reply);
    if (this.#model === undefined) throw unavailable("it lost its model");
    const roundMs = this.#seams.clock.monotonicMs() - startedMs;
    if (answer.kind === "still") return { ...answer, timings: { ...answer.timings, roundMs } };
    await this.#heed(answer.detections, jpeg, signal);
    return { ...answer, model: this.#model, timings: { ...answer.timings, roundMs } };
  }

  async measure(jpeg: Buffer, signal: AbortSignal, cameraId?: string): Promise<PictureMeasures> {
    const { reply } = await this.#ask(
      { kind: "measure", ...(cameraId === undefined ? {} : { cameraId }) },
      jpeg,
      signal,
    );
    return resultOf("measure", reply);
  }

  async reencode(jpeg: Buffer, options: ReencodeOptions, signal: AbortSignal): Promise<EncodedImage> {
    return this.#askImage({ kind: "reencode", options }, jpeg, signal);
  }

  async thumbnail(
    jpeg: Buffer,
    options: { readonly sideMax: number; readonly quality: number },
    signal: AbortSignal,
  ): Promise<EncodedImage> {
    return this.#askImage({ kind: "thumbnail", ...options }, jpeg, signal);
  }

  async paint(jpeg: Buffer, mask: PrivacyMask, signal: AbortSignal): Promise<EncodedImage> {
    return this.#askImage({ kind: "paint", mask }, jpeg, signal);
  }

  async pixelate(jpeg: Buffer, boxes: readonly Box[], signal: AbortSignal): Promise<EncodedImage> {
    return this.#askImage({ kind: "pixelate", boxes }, jpeg, signal);
  }

  async render(
    svg: string,
    options: { readonly quality: number; readonly under?: Buffer },
    signal: AbortSignal,
  ): Promise<EncodedImage> {
    return this.#askImage({ kind: "render", svg, quality: options.quality }, options.under, signal);
  }

  /** Runs a picture through the model and says all that is known of both; slow, for people who doubt a model. */
  async inspect(jpeg: Buffer, signal: AbortSignal): Promise<Inspection> {
    if (this.#modelError !== undefined) throw this.#modelError;
    return resultOf("inspect", (await this.#ask({ kind: "inspect" }, jpeg, signal)).reply);
  }

  /** What the vision process takes of the machine right now. */
  async usage(signal: AbortSignal): Promise<ProcessUsage> {
    return resultOf("usage", (await this.#ask({ kind: "usage" }, undefined, signal)).reply);
  }

  health(): VisionHealth {
    const pid = this.#child?.pid;
    const error = this.#lastError;
    return {
      state: this.#state,
      ...(pid === undefined ? {} : { pid }),
      restarts: this.#restarts,
      rssPeakBytes: this.#rssPeakBytes,
      ...(this.#silence.silent ? { silent: true } : {}),
      ...(error === undefined ? {} : { lastError: { code: error.code, message: error.message } }),
    };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#lives;
  }

  // ---------------------------------------------------------------------------------------------------- one life

  /** One vision process after another until stopped. `onSettled` hears how the first load ended. */
  async #live(stopped: AbortSignal, onSettled: (error: AgentError | undefined) => void): Promise<void> {
    const { clock, random, log } = this.#seams;
    for (let failures = 0, rested = true; rested;) {
      const bornMs = clock.monotonicMs();
      this.#state = "starting";
      const end = await this.#liveOnce(stopped, onSettled);
      this.#child = undefined;
      this.#calls.hold();
      if (this.#replacing && !stopped.aborted) {
        this.#restarts += 1;
        continue;
      }
      this.#state = "backoff";
      // A stop can come between: then there is no next process, and nothing may wait for one.
      this.#replacing = false;
      this.#calls.failAll(unavailable("it has just ended"));
      failures = clock.monotonicMs() - bornMs >= visionLimits.healthyAfterMs ? 1 : failures + 1;
      const firstMs = this.#options.backoffFirstMs ?? visionLimits.backoffFirstMs;
      const pauseMs = backoffMs(failures, firstMs, visionLimits.backoffMaxMs, random);
      if (!stopped.aborted) {
        this.#lastError = end;
        log.warn("vision.ended", { code: end.code, error: end.message, failures, pauseMs });
      }
      rested = await clock.sleep(pauseMs, stopped).then(
        () => true,
        () => false,
      );
      if (rested) this.#restarts += 1;
    }
    this.#state = "stopped";
  }

  /** Resolves with why it ended. */
  async #liveOnce(stopped: AbortSignal, onSettled: (error: AgentError | undefined) => void): Promise<AgentError> {
    let child: VisionChild;
    try {
      child = spawnVision(this.#options.program);
    } catch (error) {
      const failure = asAgentError(error, "starting the vision process");
      this.#replacing = false;
      onSettled(failure);
      return failure;
    }
    const over = new AbortController();
    const onStop = () => void child.stop();
    stopped.addEventListener("abort", onStop, { once: true });
    this.#child = child;
    this.#memory.born(this.#seams.clock.monotonicMs());
    const problem = await this.#load(child);
    this.#replacing = false;
    onSettled(problem);
    if (problem?.code === "MODEL_CRASHES") void this.#tryModelAgain(child, problem, over.signal);
    const end = await child.ended;
    over.abort();
    stopped.removeEventListener("abort", onStop);
    return end;
  }

  /** Resolves with what is wrong with the model or the process; undefined when all is well. */
  async #load(child: VisionChild): Promise<AgentError | undefined> {
    const { model } = this.#options;
    const { clock, log } = this.#seams;
    this.#modelError = this.#tries.refusal(clock.monotonicMs());
    if (model !== undefined && this.#modelError === undefined) {
      try {
        await this.#loadModel(child, model);
        this.#tries.survived();
      } catch (error) {
        const died = error instanceof AgentError ? error : unavailable("it could not be asked");
        // One that was stopped meanwhile did not die of its model.
        if (!this.#stopping.signal.aborted) this.#tries.died(died, clock.monotonicMs());
        return died;
      }
    }
    this.#state = "ready";
    this.#lastError = this.#modelError ?? this.#lastError;
    if (this.#modelError !== undefined) {
      log.error("vision.model-refused", { code: this.#modelError.code, error: this.#modelError.message });
    } else {
      log.info("vision.ready", { pid: child.pid, model: this.#model?.name, family: this.#model?.family });
      for (const warning of this.#model?.warnings ?? []) log.warn("vision.label-unknown", { warning });
    }
    this.#calls.serve(child);
    return this.#modelError;
  }

  /** Rejects when the process dies of it. */
  async #loadModel(child: VisionChild, model: ModelSpec): Promise<void> {
    const { threads, tiles, detectionsMax = visionLimits.detectionsMax, loadTimeoutMs } = this.#options;
    const { candidatesMax } = visionLimits;
    const bounds = { detectionsMax: Math.min(detectionsMax, candidatesMax), candidatesMax };
    const settings = { threads, ...bounds, ...(tiles === undefined ? {} : { tiles }) };
    const timeoutMs = loadTimeoutMs ?? visionLimits.loadTimeoutMs;
    const { reply } = await child.ask({ kind: "load", model, settings }, undefined, timeoutMs);
    this.#rssPeakBytes = Math.max(this.#rssPeakBytes, reply.rssPeakBytes);
    this.#silence.forget();
    this.#model = reply.error === undefined ? resultOf("load", reply) : undefined;
    if (reply.error !== undefined) this.#modelError = errorFrom(reply.error);
  }

  /** A process without the model serves pictures until then. */
  async #tryModelAgain(child: VisionChild, problem: AgentError, over: AbortSignal): Promise<void> {
    const { clock } = this.#seams;
    try {
      await clock.sleep(this.#tries.waitMs(clock.monotonicMs()), over);
    } catch {
      return;
    }
    this.#replace(child, problem);
  }

  /** Ends the process after what it is working on; calls wait for the next one. */
  #replace(child: VisionChild, reason: AgentError): void {
    if (this.#child !== child || this.#stopping.signal.aborted) return;
    this.#lastError = reason;
    this.#seams.log.warn("vision.replaced", { code: reason.code, error: reason.message });
    this.#replacing = true;
    this.#state = "starting";
    this.#calls.hold(() => void child.stop(reason));
  }

  // ------------------------------------------------------------------------------------------------------- calls

  /** Says once of a model that it seems to be dead. */
  async #heed(detections: readonly Detection[], jpeg: Buffer, signal: AbortSignal): Promise<void> {
    if (!this.#silence.isSuspicious(detections)) return;
    try {
      this.#silence.judge((await this.inspect(jpeg, signal)).scoreMax);
    } catch {
      // The detection is there; who asked for it does not depend on this.
      return;
    }
    if (this.#silence.silent) this.#seams.log.warn("vision.model-silent", { model: this.#model?.name });
  }

  async #askImage(task: Task, body: Buffer | undefined, signal: AbortSignal): Promise<EncodedImage> {
    const answer = await this.#ask(task, body, signal);
    const { width, height } = resultOf("render", answer.reply);
    return { jpeg: answer.body, width, height };
  }

  async #ask(task: Task, body: Buffer | undefined, signal: AbortSignal): Promise<ChildReply> {
    signal.throwIfAborted();
    if (this.#state !== "ready" && !this.#replacing) throw unavailable(`it is ${this.#state}`);
    return this.#calls.make(task, body, signal);
  }

  /** A process that has grown too large is replaced. */
  #note({ rssBytes, rssPeakBytes }: Reply, child: VisionChild): void {
    this.#rssPeakBytes = Math.max(this.#rssPeakBytes, rssPeakBytes);
    if (this.#replacing) return;
    const tooMuch = this.#memory.verdict(rssBytes, this.#seams.clock.monotonicMs());
    if (tooMuch !== undefined) this.#replace(child, tooMuch);
  }
}

function callTimeoutMs({ tiles, callTimeoutMs: timeoutMs = visionLimits.callTimeoutMs }: VisionOptions): number {
  return timeoutMs + (tiles === undefined ? 0 : tiles.columns * tiles.rows * visionLimits.tileTimeoutMs);
}
