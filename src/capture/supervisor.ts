import { backoffMs } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { withHuffmanTables, type JpegFacts } from "../core/jpeg.ts";
import { captureLimits } from "../core/limits.ts";
import type {
  Camera,
  CameraDriver,
  CameraHealth,
  CameraState,
  CameraStream,
  Logger,
  Random,
  Seams,
  Shot,
} from "../core/ports.ts";
import type { Frame } from "../core/types.ts";
import { withDeadline } from "./deadline.ts";
import { judgePicture, type CaptureLimits } from "./judge.ts";
import { FrameSlot } from "./slot.ts";

export interface SupervisedCameraOptions {
  readonly id: string;
  readonly driver: CameraDriver;
  /** Between the starts of two shots. 0: a frame whenever one is asked for. */
  readonly intervalMs: number;
  /** Without a frame for this long the camera counts as dead. Five periods, at least 5 s, when absent. */
  readonly stallAfterMs?: number;
  /** For tests. */
  readonly limits?: Partial<CaptureLimits>;
}

/**
 * One frame source that never stays dead. A driver only starts, shoots and stops; everything that makes it dependable
 * is here, once for all drivers: deadlines, the judgement of every picture, endless capped back-off, pace, and the one
 * place where the newest frame waits.
 *
 * An `every` source is asked for a picture only when somebody waits for one, which tells its driver that the picture
 * before was dealt with; so nothing of it is dropped, and a crash repeats at most one picture.
 */
export class SupervisedCamera implements Camera {
  readonly id: string;
  readonly pace: CameraDriver["pace"];
  readonly #driver: CameraDriver;
  readonly #intervalMs: number;
  readonly #stallAfterMs: number | undefined;
  readonly #limits: CaptureLimits;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #slot = new FrameSlot();
  #state: CameraState = "stopped";
  #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  #framesCaptured = 0;
  #framesSkipped = 0;
  #framesBad = 0;
  #restarts = 0;
  #lastFrame: Frame | undefined;
  #lastError: CameraHealth["lastError"];
  #frozen = false;
  #badInARow = 0;
  #runningSinceMs: number | undefined;
  /** True from the first failure until frames flow again: a camera that is away for days is one line in the log. */
  #lost = false;

  constructor(options: SupervisedCameraOptions, seams: Seams) {
    this.id = options.id;
    this.pace = options.driver.pace;
    this.#driver = options.driver;
    this.#intervalMs = options.intervalMs;
    this.#stallAfterMs = options.stallAfterMs;
    this.#limits = { ...captureLimits, ...options.limits };
    this.#clock = seams.clock;
    this.#random = seams.random;
    this.#log = seams.log.child({ camera: options.id, driver: options.driver.kind });
  }

  /** Returns at once: a camera that is away is a state, not a failure to start. `signal` ends nothing afterwards. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#loop !== undefined) return;
    this.#stopping = new AbortController();
    this.#slot.open();
    this.#state = "starting";
    this.#loop = this.#run(this.#stopping.signal);
  }

  async nextFrame(signal: AbortSignal): Promise<Frame | undefined> {
    return this.#slot.take(signal);
  }

  health(): CameraHealth {
    return {
      id: this.id,
      driver: this.#driver.kind,
      state: this.#state,
      framesCaptured: this.#framesCaptured,
      framesSkipped: this.#framesSkipped,
      framesBad: this.#framesBad,
      restarts: this.#restarts,
      frozen: this.#frozen,
      ...(this.#lastFrame === undefined ? {} : { lastFrameAtMs: this.#lastFrame.capturedAtMs }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    this.#loop = undefined;
    this.#slot.close();
    this.#state = "stopped";
  }

  /** Never rejects: every failure of the driver ends in back-off and another try. */
  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    for (;;) {
      const error = await this.#session(signal);
      const healthyMs = this.#runningSinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#runningSinceMs;
      this.#runningSinceMs = undefined;
      if (error?.code === "CAMERA_STALLED") this.#state = "stalled";
      await this.#stopDriver();
      if (isAborted(signal)) return;
      if (error === undefined) break;
      failures = healthyMs >= this.#limits.healthyAfterMs ? 1 : failures + 1;
      const waitMs = backoffMs(failures, this.#limits.backoffFirstMs, this.#limits.backoffMaxMs, this.#random);
      this.#failed(error, waitMs);
      await this.#clock.sleep(waitMs, signal).catch(() => undefined);
      if (isAborted(signal)) return;
      this.#restarts += 1;
      this.#state = "starting";
    }
    this.#state = "ended";
    this.#slot.close();
    this.#log.info("camera.ended", { frames: this.#framesCaptured, bad: this.#framesBad });
  }

  /** From the driver's start to its failure, which is returned; undefined at the end of the source, or when stopped. */
  async #session(signal: AbortSignal): Promise<AgentError | undefined> {
    try {
      await this.#withinStartLimit("start", signal, (limited) => this.#driver.start(limited));
      // A source that may be silent for days has no first picture to wait for.
      if (this.#driver.shotTimeMs === Infinity) this.#running();
      this.#badInARow = 0;
      await this.#shootUntilEnd(signal);
      return undefined;
    } catch (error) {
      return signal.aborted ? undefined : asAgentError(error, `camera ${this.id}`);
    }
  }

  async #shootUntilEnd(signal: AbortSignal): Promise<void> {
    const onDemand = this.#driver.pace === "every" || this.#intervalMs === 0;
    let dueMs = this.#clock.monotonicMs();
    for (;;) {
      if (onDemand) await this.#unlessBroken(signal, (limited) => this.#slot.asked(limited));
      const shot = await this.#shoot(signal);
      if (shot?.kind === "end") return;
      if (shot !== undefined) this.#take(shot);
      // A late shot moves the schedule; pictures are never taken in a burst to catch up.
      dueMs = Math.max(dueMs + this.#intervalMs, this.#clock.monotonicMs());
      const waitMs = dueMs - this.#clock.monotonicMs();
      if (waitMs > 0) await this.#unlessBroken(signal, (limited) => this.#clock.sleep(waitMs, limited));
    }
  }

  /** Between two shots a continuous source is watched: it must not be found dead when the next picture is due. */
  async #unlessBroken(signal: AbortSignal, wait: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { stream } = this.#driver;
    if (stream === undefined) return wait(signal);
    const watch = new AbortController();
    const onAbort = () => watch.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const unwatch = stream.onBroken((error) => watch.abort(error));
    this.#watchForSilence(stream, watch.signal).catch((error: unknown) => watch.abort(error));
    try {
      signal.throwIfAborted();
      await wait(watch.signal);
    } catch (error) {
      throw watch.signal.aborted ? watch.signal.reason : error;
    } finally {
      unwatch();
      signal.removeEventListener("abort", onAbort);
      watch.abort();
    }
  }

  /** Fails when no frame has come for a whole watchdog's time. */
  async #watchForSilence(stream: CameraStream, signal: AbortSignal): Promise<void> {
    const limitMs = this.#watchdogMs();
    for (let before = -1; before !== stream.framesSeen();) {
      before = stream.framesSeen();
      await this.#clock.sleep(limitMs, signal);
    }
    throw this.#silent("CAMERA_STALLED", limitMs);
  }

  /** Of a continuous source its own frames count, not how seldom one of them is wanted. */
  #watchdogMs(): number {
    if (this.#stallAfterMs !== undefined) return this.#stallAfterMs;
    const periodMs = this.#driver.stream?.framePeriodMs ?? this.#intervalMs;
    return Math.max(this.#limits.watchdogMinMs, this.#limits.watchdogPeriods * periodMs);
  }

  /** Undefined when the driver itself called the picture bad. */
  async #shoot(signal: AbortSignal): Promise<Shot | undefined> {
    const shoot = (limited: AbortSignal) => this.#driver.shot(limited);
    try {
      if (this.#runningSinceMs === undefined) return await this.#withinStartLimit("show a picture", signal, shoot);
      const limitMs = this.#watchdogMs() + (this.#driver.shotTimeMs ?? 0);
      return await withDeadline(this.#clock, limitMs, signal, shoot, () => this.#silent("CAMERA_STALLED", limitMs));
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "CAMERA_BAD_IMAGE") throw error;
      this.#bad(error);
      return undefined;
    }
  }

  async #withinStartLimit<T>(what: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limitMs = this.#limits.startTimeoutMs + (this.#driver.shotTimeMs ?? 0);
    return withDeadline(this.#clock, limitMs, signal, work, () => this.#silent("CAMERA_START_TIMEOUT", limitMs, what));
  }

  #silent(code: string, limitMs: number, what = "show a picture"): AgentError {
    const silence = this.#driver.stream?.silence?.();
    const instead = silence === undefined ? "" : `: ${silence}`;
    const message = `camera ${this.id} did not ${what} within ${limitMs} ms${instead}`;
    return new AgentError(code, message, { disposition: "retry" });
  }

  #take({ jpeg, fileName }: Extract<Shot, { kind: "image" }>): void {
    const judgement = judgePicture(jpeg, this.#limits);
    if (judgement.kind === "bad") {
      const message = `camera ${this.id} gave a bad picture: ${judgement.why}`;
      this.#bad(new AgentError("CAMERA_BAD_IMAGE", message, { disposition: "retry" }));
      return;
    }
    this.#badInARow = 0;
    const frame = {
      ...this.#frameOf(jpeg, judgement.facts),
      ...(fileName === undefined ? {} : { fileName }),
    };
    if (this.#driver.mayRepeat !== true) this.#watchForFrozen(frame);
    this.#lastFrame = frame;
    this.#running();
    if (this.#slot.put(frame)) this.#framesSkipped += 1;
  }

  #frameOf(bytes: Buffer, judged: JpegFacts): Frame {
    this.#framesCaptured += 1;
    const { jpeg, facts } = withHuffmanTables(bytes, judged);
    return {
      cameraId: this.id,
      sequence: this.#framesCaptured,
      jpeg: ownedCopy(jpeg, facts.sizeBytes),
      width: facts.width,
      height: facts.height,
      capturedAtMs: this.#clock.nowMs(),
      monotonicMs: this.#clock.monotonicMs(),
      facts,
    };
  }

  /** One bad picture is an error that counts and nothing more; several in a row are a broken source. */
  #bad(error: AgentError): void {
    this.#framesBad += 1;
    this.#badInARow += 1;
    this.#remember(error);
    // Noise of a camera is one line; files are each named, because somebody will want to look at them.
    const isNews = this.#badInARow === 1 || this.#driver.pace === "every";
    if (isNews) this.#log.warn("camera.bad_image", { code: error.code, message: error.message });
    // Bad files among many are not the fault of the folder they lie in: a finite source goes on with the next.
    if (this.#driver.pace === "newest" && this.#badInARow >= this.#limits.badImagesInARowMax) throw this.#broken(error);
  }

  #broken(cause: AgentError): AgentError {
    const message = `camera ${this.id} gave ${this.#badInARow} bad pictures in a row: ${cause.message}`;
    return new AgentError("CAMERA_BAD_IMAGES", message, { disposition: "retry", cause });
  }

  #watchForFrozen(frame: Frame): void {
    const frozen = this.#lastFrame?.jpeg.equals(frame.jpeg) ?? false;
    if (frozen && !this.#frozen) this.#log.warn("camera.frozen", { message: "two pictures are identical to the byte" });
    if (!frozen && this.#frozen) this.#log.info("camera.unfrozen");
    this.#frozen = frozen;
  }

  #running(): void {
    if (this.#runningSinceMs !== undefined) return;
    this.#runningSinceMs = this.#clock.monotonicMs();
    this.#state = "running";
    this.#lost = false;
    this.#log.info("camera.running", { restarts: this.#restarts });
  }

  #failed(error: AgentError, waitMs: number): void {
    this.#state = "backoff";
    this.#remember(error);
    const fields = { code: error.code, message: error.message, waitMs, ...error.facts };
    if (this.#lost) this.#log.debug("camera.still_lost", fields);
    else this.#log.warn("camera.lost", fields);
    this.#lost = true;
  }

  #remember(error: AgentError): void {
    this.#lastError = { code: error.code, message: error.message, atMs: this.#clock.nowMs() };
  }

  /** A driver that cannot even stop must not keep its camera dead. */
  async #stopDriver(): Promise<void> {
    const limitMs = 2 * this.#limits.stopGraceMs;
    const never = new AbortController().signal;
    const late = () => this.#silent("CAMERA_STOP_TIMEOUT", limitMs, "stop");
    try {
      await withDeadline(this.#clock, limitMs, never, () => this.#driver.stop(), late);
    } catch (error) {
      const { code, message } = asAgentError(error, `stop camera ${this.id}`);
      this.#log[this.#lost ? "debug" : "warn"]("camera.stop_failed", { code, message });
    }
  }
}

/** A call, so that the compiler does not take the answer of before an await for the one after it. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Bytes that no driver's buffer shares, without what follows the end marker. */
function ownedCopy(jpeg: Buffer, sizeBytes: number): Buffer {
  if (jpeg.buffer.byteLength === sizeBytes && jpeg.length === sizeBytes) return jpeg;
  const copy = Buffer.allocUnsafeSlow(sizeBytes);
  jpeg.copy(copy, 0, 0, sizeBytes);
  return copy;
}
