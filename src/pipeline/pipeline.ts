import { setMaxListeners } from "node:events";
import { backoffMs } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import type { PipelineHealth } from "../core/health.ts";
import { pipelineLimits } from "../core/limits.ts";
import type { Random, Seams } from "../core/ports.ts";
import { beginPulse } from "../core/pulse.ts";
import type { Detection, Frame } from "../core/types.ts";
import { initialKeepState, type KeepRules } from "../keep/decide.ts";
import { Books, isFull } from "./books.ts";
import { Chain, type ChainFacts, type ChainParts } from "./chain.ts";
import type { Decision } from "./decisions.ts";
import { Lane, type PipelineCamera } from "./lane.ts";
import type { Processed } from "./processed.ts";
import { captureStopped } from "./requests.ts";

export interface PipelineParts extends ChainParts {
  readonly cameras: readonly PipelineCamera[];
  /** After so many stored records no further frame is taken, as if the cameras had come to their end. */
  readonly recordsMax?: number;
}

export interface Submission {
  readonly cameraId: string;
  /** In pixels of the upright picture; without them the detector is asked. */
  readonly detections?: readonly Detection[];
  readonly targetIds?: readonly string[];
}

/**
 * Frames of every camera through the chain, one at a time and in turn. A camera's next frame is taken only when its last
 * one is done, so what a slow detector or disk cannot keep up with is replaced in the camera by newer frames, and a frame
 * is never older than one round over all cameras.
 */
export class Pipeline {
  readonly #lanes: ReadonlyMap<string, Lane>;
  readonly #chain: Chain;
  readonly #books: Books;
  readonly #seams: Seams;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #recordsMax: number;
  readonly #watchers = new Set<(cameraId: string, processed: Processed) => void>();
  #stopping = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(parts: PipelineParts, facts: ChainFacts, seams: Seams) {
    this.#books = new Books(seams);
    this.#chain = new Chain(parts, facts, seams, this.#books);
    this.#seams = seams;
    this.#clock = seams.clock;
    this.#random = seams.random;
    this.#recordsMax = parts.recordsMax ?? Infinity;
    this.#lanes = new Map(parts.cameras.map((camera) => [camera.camera.id, new Lane(camera, seams)]));
  }

  /** Returns at once. Cameras, vision and spool are started by whoever made them. */
  start(): void {
    if (this.#running !== undefined) return;
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    // Each camera waits for its next frame with it: many listeners are no leak.
    setMaxListeners(0, signal);
    this.#running = Promise.all([...this.#lanes.values()].map((lane) => this.#watch(lane, signal)));
  }

  /** Resolves when every camera has come to its end, or after `stop`. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** A frame whose append has begun is stored; nothing else is begun. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#running = undefined;
  }

  health(): PipelineHealth {
    const lanes = [...this.#lanes.values()];
    const paused = lanes.filter((lane) => lane.paused).map(({ camera }) => camera.id);
    const images = Object.fromEntries(
      lanes.flatMap((lane) => {
        const health = lane.images?.health();
        return health === undefined ? [] : [[lane.camera.id, health]];
      }),
    );
    const shadow = this.#chain.shadowHealth();
    const more = { paused, images, ...(shadow === undefined ? {} : { shadow }) };
    return this.#books.health(this.#running === undefined ? "stopped" : "running", more);
  }

  /** Calls back with what became of each frame of a camera; dry runs are not told. The answer stops that. */
  onProcessed(watcher: (cameraId: string, processed: Processed) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /**
   * One picture of this camera, taken after the call and kept whatever the rules say. Works beside the running pipeline
   * and without it. Fails with `CAMERA_UNKNOWN`, `CAMERA_ENDED`, `CAPTURE_BUSY` or `ABORTED`.
   */
  async captureOnce(cameraId: string, options: { readonly dryRun: boolean }, signal: AbortSignal): Promise<Processed> {
    const lane = this.#lanes.get(cameraId);
    if (lane === undefined) throw unknownCamera(cameraId, [...this.#lanes.keys()]);
    if (this.#running !== undefined) {
      if (lane.ended) throw cameraEnded(cameraId);
      lane.camera.hurry?.();
      return lane.requests.add(cameraId, this.#clock.monotonicMs(), options.dryRun, signal);
    }
    const frame = await lane.camera.nextFrame(signal);
    if (frame === undefined) throw cameraEnded(cameraId);
    return this.#process(lane, frame, { requested: true, dryRun: options.dryRun }, signal);
  }

  /** What became of the latest frames of each camera, oldest first. */
  decisions(): ReadonlyMap<string, readonly Decision[]> {
    return new Map([...this.#lanes].map(([id, lane]) => [id, lane.decisions.list()]));
  }

  /** A picture that comes from no camera, kept whatever the rules say. */
  async submit(jpeg: Buffer, submission: Submission, signal: AbortSignal): Promise<Processed> {
    const { cameraId, detections, targetIds } = submission;
    const { processed } = await this.#chain.process(
      { cameraId, jpeg, capturedAtMs: this.#clock.nowMs(), monotonicMs: this.#clock.monotonicMs() },
      {
        rules: rulesOfRequests,
        state: initialKeepState,
        requested: true,
        dryRun: false,
        ...(detections === undefined ? {} : { givenDetections: detections }),
        ...(targetIds === undefined ? {} : { targetIds }),
      },
      signal,
    );
    return processed;
  }

  async #watch(lane: Lane, signal: AbortSignal): Promise<void> {
    const { id } = lane.camera;
    lane.ended = false;
    const pulse = beginPulse(this.#seams, `pipeline:${id}`);
    lane.pulse = pulse;
    while (!signal.aborted && !lane.ended) {
      try {
        const frame = await pulse.wait(signal, (wait) => lane.camera.nextFrame(wait));
        if (frame === undefined) lane.ended = true;
        else await this.#bringIn(lane, frame, signal);
        if (this.#books.stored() >= this.#recordsMax) lane.ended = true;
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        this.#books.cameraFailed(id, asAgentError(error, `taking a frame of ${id}`));
        await pulse.sleep(pipelineLimits.cameraFailedMs, signal).catch(() => undefined);
      }
    }
    pulse.end();
    lane.requests.failAll(lane.ended ? cameraEnded(id) : captureStopped(id));
  }

  /**
   * Asking an `every` camera for its next frame says that this one was dealt with: a watched folder then removes the
   * file. So a frame that the spool or the vision process cannot take now is tried again instead.
   */
  async #bringIn(lane: Lane, frame: Frame, signal: AbortSignal): Promise<void> {
    const { repeatFirstMs, repeatMaxMs } = pipelineLimits;
    for (let tries = 1; ; tries += 1) {
      const processed = await this.#handle(lane, frame, tries > 1, signal);
      if (lane.camera.pace === "newest") {
        await this.#pauseWhileFull(lane, processed, signal);
        return;
      }
      if (!willPass(processed)) return;
      await lane.pulse.sleep(backoffMs(tries, repeatFirstMs, repeatMaxMs, this.#random), signal);
    }
  }

  /** While the spool or its disk is full neither the detector nor the disk is worked in vain. */
  async #pauseWhileFull(lane: Lane, processed: Processed, signal: AbortSignal): Promise<void> {
    if (processed.kind === "stored") lane.pauseMs = pipelineLimits.pauseFirstMs;
    if (processed.kind !== "refused" || !isFull(processed.error)) return;
    const { pauseMs } = lane;
    lane.pauseMs = Math.min(2 * pauseMs, pipelineLimits.pauseMaxMs);
    lane.paused = true;
    try {
      await lane.pulse.sleep(pauseMs, signal);
    } finally {
      lane.paused = false;
    }
  }

  /** A dry run sees the frame beside its ordinary way, and changes nothing of it. */
  async #handle(lane: Lane, frame: Frame, again: boolean, signal: AbortSignal): Promise<Processed> {
    const requests = lane.requests.take(frame);
    const dry = requests.filter(({ dryRun }) => dryRun);
    const real = requests.filter(({ dryRun }) => !dryRun);
    try {
      if (dry.length > 0) {
        const processed = await this.#process(lane, frame, { requested: true, dryRun: true }, signal);
        for (const { answer } of dry) answer(processed);
      }
      const processed = await this.#process(lane, frame, { requested: real.length > 0, dryRun: false, again }, signal);
      for (const { answer } of real) answer(processed);
      return processed;
    } catch (error) {
      for (const { fail } of requests) fail(error);
      throw error;
    }
  }

  /** What comes beside a camera's own frames, or for the second time, is no sign of motion or of a frozen picture. */
  async #process(
    lane: Lane,
    frame: Frame,
    { requested, dryRun, again = false }: { requested: boolean; dryRun: boolean; again?: boolean },
    signal: AbortSignal,
  ): Promise<Processed> {
    const { rules, state: before, hidden, pulse } = lane;
    const watch = dryRun || again ? undefined : lane.watchOf(frame, requested);
    const how = { ...(watch === undefined ? {} : { watch }), ...(hidden === undefined ? {} : { hidden }) };
    const treatment = { rules, state: before, requested, dryRun, pulse, ...how };
    const { processed, state } = await this.#chain.process(frame, treatment, signal);
    if (dryRun) return processed;
    lane.became(processed, frame, state);
    for (const watcher of this.#watchers) watcher(lane.camera.id, processed);
    lane.decisions.add(processed, requested);
    const isBad = processed.kind === "dropped" && processed.why === "image-corrupt";
    if (isBad) await lane.camera.refuse?.(frame, processed.error.message);
    return processed;
  }
}

/** The frame is good; only the moment is not. */
function willPass(processed: Processed): boolean {
  if (processed.kind === "refused") return processed.error.disposition === "retry";
  return processed.kind === "dropped" && /^(orientation-unapplied|not-blurred)$/.test(processed.why);
}

/** Never asked: a request is kept beside the rules. */
const rulesOfRequests: KeepRules = {
  labels: [],
  minScore: 0,
  minIntervalMs: 0,
  negativesEvery: 0,
  whenAway: "keep-unlabelled",
};

function unknownCamera(cameraId: string, known: readonly string[]): AgentError {
  const message = `capturing from ${cameraId}: there is no such camera (known: ${known.join(", ") || "none"})`;
  return new AgentError("CAMERA_UNKNOWN", message, { disposition: "reject" });
}

function cameraEnded(cameraId: string): AgentError {
  return new AgentError("CAMERA_ENDED", `capturing from ${cameraId}: it has no more pictures`, {
    disposition: "reject",
  });
}
