import { backoffMs } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { withHuffmanTables, type JpegFacts } from "../core/jpeg.ts";
import { captureLimits } from "../core/limits.ts";
import type { Camera, CameraDriver, CameraHealth, Random, Seams, Shot } from "../core/ports.ts";
import type { Frame } from "../core/types.ts";
import type { WeeklyPlan } from "../core/weekly.ts";
import { CameraBooks } from "./camera-books.ts";
import { withDeadline } from "./deadline.ts";
import { judgePicture, type CaptureLimits } from "./judge.ts";
import { OpeningHours } from "./opening-hours.ts";
import { Pace } from "./pace.ts";
import { FrameSlot } from "./slot.ts";
import { unlessBroken } from "./stream-watch.ts";

export interface SupervisedCameraOptions {
  readonly id: string;
  readonly driver: CameraDriver;
  /** Between two shots. 0: a frame whenever one is asked for. */
  readonly intervalMs: number;
  /** Without a frame for this long the camera counts as dead. Five periods, at least 5 s, when absent. */
  readonly stallAfterMs?: number;
  /** Outside of its windows the driver is stopped and holds nothing. Always on when absent. */
  readonly schedule?: WeeklyPlan;
  /** Its pictures may stay the same: that is no alarm, as it is none of a source that is replayed. */
  readonly mayRepeat?: boolean;
  /** For tests. */
  readonly limits?: Partial<CaptureLimits>;
}

/**
 * One frame source that never stays dead. A driver only starts, shoots and stops; everything that makes it dependable
 * is here, once for all drivers: deadlines, the judgement of every picture, endless capped back-off, pace, opening hours,
 * and the one place where the newest frame waits.
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
  readonly #mayRepeat: boolean;
  readonly #limits: CaptureLimits;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #books: CameraBooks;
  readonly #hours: OpeningHours;
  readonly #slot = new FrameSlot();
  #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  #startedAtMs = 0;

  constructor(options: SupervisedCameraOptions, seams: Seams) {
    const { id, driver, schedule } = options;
    const log = seams.log.child({ camera: id, driver: driver.kind });
    this.id = id;
    this.pace = driver.pace;
    this.#driver = driver;
    this.#intervalMs = options.intervalMs;
    this.#stallAfterMs = options.stallAfterMs;
    this.#mayRepeat = options.mayRepeat === true || driver.mayRepeat === true;
    this.#limits = { ...captureLimits, ...options.limits };
    this.#clock = seams.clock;
    this.#random = seams.random;
    this.#books = new CameraBooks(id, driver.kind, seams.clock, log);
    this.#hours = new OpeningHours(schedule, seams.clock, log);
  }

  /** Returns at once: a camera that is away is a state, not a failure to start. `signal` ends nothing afterwards. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#loop !== undefined) return;
    this.#stopping = new AbortController();
    this.#slot.open();
    this.#startedAtMs = this.#clock.monotonicMs();
    this.#loop = this.#run(this.#stopping.signal);
  }

  async nextFrame(signal: AbortSignal): Promise<Frame | undefined> {
    return this.#slot.take(signal);
  }

  async refuse({ sequence, fileName }: Frame, why: string): Promise<void> {
    const message = `camera ${this.id} gave a picture that cannot be decoded: ${why}`;
    this.#books.refused(new AgentError("CAMERA_BAD_IMAGE", message, { disposition: "retry" }), fileName);
    if (fileName === undefined || sequence !== this.#books.lastFrame?.sequence) return;
    try {
      await this.#driver.refuse?.(fileName, why);
    } catch (error) {
      this.#books.refuseFailed(asAgentError(error, `set a picture of camera ${this.id} aside`), fileName);
    }
  }

  health(): CameraHealth {
    return this.#books.health();
  }

  async stop(): Promise<void> {
    if (this.#loop === undefined) return;
    this.#stopping.abort();
    await this.#loop;
    this.#loop = undefined;
    this.#slot.close();
    this.#books.stopped();
  }

  /** Never rejects: every failure of the driver ends in back-off and another try. */
  async #run(signal: AbortSignal): Promise<void> {
    for (let ended = false; !ended;) {
      if (!this.#hours.isOpen()) await this.#closedUntilOpen(signal);
      if (isAborted(signal)) return;
      ended = await this.#hours.whileOpen(signal, (open) => this.#keepAlive(open));
      if (isAborted(signal)) return;
    }
    this.#books.ended();
    this.#slot.close();
  }

  async #closedUntilOpen(signal: AbortSignal): Promise<void> {
    const onClosed = (opensAtMs: number | undefined) => this.#books.closed(opensAtMs);
    await this.#hours.opened(signal, onClosed).catch(() => undefined);
  }

  /** True at the end of the source, false when `signal` aborted; the driver is stopped then. */
  async #keepAlive(signal: AbortSignal): Promise<boolean> {
    this.#books.starting();
    for (let failures = 0; ;) {
      const error = await this.#session(signal);
      const healthyMs = this.#books.halted();
      if (error?.code === "CAMERA_STALLED") this.#books.stalled(error);
      await this.#stopDriver();
      if (isAborted(signal)) return false;
      if (error === undefined) return true;
      failures = healthyMs >= this.#limits.healthyAfterMs ? 1 : failures + 1;
      const waitMs = Math.max(this.#backoffMs(failures), error.afterMs ?? 0);
      this.#books.lost(error, waitMs);
      await this.#clock.sleep(waitMs, signal).catch(() => undefined);
      if (isAborted(signal)) return false;
      this.#books.restarting();
    }
  }

  /** Jitter down to nothing would let a source that dies at once take a whole core for its restarts. */
  #backoffMs(failures: number): number {
    const { backoffFirstMs, backoffMaxMs, backoffLeastShare } = this.#limits;
    const jitteredMs = backoffMs(failures, backoffFirstMs, backoffMaxMs, this.#random);
    return Math.max(jitteredMs, backoffFirstMs * backoffLeastShare);
  }

  /** From the driver's start to its failure, which is returned; undefined at the end of the source, or when stopped. */
  async #session(signal: AbortSignal): Promise<AgentError | undefined> {
    try {
      await this.#withinStartLimit("start", signal, (limited) => this.#driver.start(limited));
      // A source that may be silent for days has no first picture to wait for.
      if (this.#driver.shotTimeMs === Infinity) this.#books.running();
      await this.#shootUntilEnd(signal);
      return undefined;
    } catch (error) {
      return signal.aborted ? undefined : asAgentError(error, `camera ${this.id}`);
    }
  }

  async #shootUntilEnd(signal: AbortSignal): Promise<void> {
    const onDemand = this.#driver.pace === "every" || this.#intervalMs === 0;
    const earlyUntilMs = onDemand ? undefined : this.#earlyUntilMs();
    const nowMs = this.#clock.monotonicMs();
    const pace = new Pace(this.#intervalMs, earlyUntilMs === undefined ? nowMs : earlyUntilMs - this.#intervalMs);
    for (let shots = 1; ; shots += 1) {
      if (onDemand) {
        await this.#watched(signal, (limited) => this.#slot.asked(limited));
        pace.begin(this.#clock.monotonicMs());
      }
      const shot = await this.#shoot(signal);
      if (shot?.kind === "end") return;
      const isEarly = shots === 1 && earlyUntilMs !== undefined && this.#clock.monotonicMs() < earlyUntilMs;
      if (shot !== undefined) this.#take(shot, isEarly);
      const waitMs = pace.waitMs(this.#clock.monotonicMs());
      if (waitMs > 0) await this.#watched(signal, (limited) => this.#clock.sleep(waitMs, limited));
    }
  }

  /**
   * When the interval since the last frame is over, where that lies ahead. A stream that breaks every minute has to show
   * each time that it is back, and must not make a frame a minute of one an hour.
   */
  #earlyUntilMs(): number | undefined {
    const { lastFrame } = this.#books;
    if (this.#driver.stream === undefined || lastFrame === undefined) return undefined;
    // Whoever started it anew wants a frame now.
    if (lastFrame.monotonicMs < this.#startedAtMs) return undefined;
    const dueMs = lastFrame.monotonicMs + this.#intervalMs;
    return dueMs > this.#clock.monotonicMs() ? dueMs : undefined;
  }

  /** Between two shots a continuous source is watched; others show what they are when they are asked. */
  async #watched(signal: AbortSignal, wait: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { stream } = this.#driver;
    if (stream === undefined) return wait(signal);
    const limitMs = this.#watchdogMs();
    const silence = { limitMs, error: () => this.#silent("CAMERA_STALLED", limitMs) };
    return unlessBroken(stream, silence, this.#clock, signal, wait);
  }

  /**
   * Of a continuous source its own frames count, not how seldom one of them is wanted. Where nobody knows how often they
   * come, one that is wanted seldom may come as seldom; within bounds, as most come far more often.
   */
  #watchdogMs(): number {
    if (this.#stallAfterMs !== undefined) return this.#stallAfterMs;
    const { watchdogMinMs, watchdogPeriods, watchdogUnknownMaxMs } = this.#limits;
    const framePeriodMs = this.#driver.stream?.framePeriodMs;
    if (framePeriodMs !== 0) return Math.max(watchdogMinMs, watchdogPeriods * (framePeriodMs ?? this.#intervalMs));
    return Math.max(watchdogMinMs, Math.min(watchdogUnknownMaxMs, watchdogPeriods * this.#intervalMs));
  }

  /** Undefined when the driver itself called the picture bad. */
  async #shoot(signal: AbortSignal): Promise<Shot | undefined> {
    const shoot = (limited: AbortSignal) => this.#driver.shot(limited);
    try {
      if (!this.#books.isRunning) return await this.#withinStartLimit("show a picture", signal, shoot);
      const limitMs = this.#watchdogMs() + (this.#driver.shotTimeMs ?? 0);
      return await withDeadline(this.#clock, limitMs, signal, shoot, () => this.#silent("CAMERA_STALLED", limitMs));
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "CAMERA_BAD_IMAGE") throw error;
      this.#bad(error);
      return undefined;
    }
  }

  async #withinStartLimit<T>(what: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const oneFrameMs = this.#driver.shotTimeMs ?? this.#driver.stream?.framePeriodMs ?? 0;
    const usualMs = Math.max(this.#limits.startTimeoutMs, this.#stallAfterMs ?? 0);
    const limitMs = Math.max(usualMs + oneFrameMs, what === "start" ? (this.#driver.startTimeMs ?? 0) : 0);
    return withDeadline(this.#clock, limitMs, signal, work, () => this.#silent("CAMERA_START_TIMEOUT", limitMs, what));
  }

  #silent(code: string, limitMs: number, what = "show a picture"): AgentError {
    const silence = what === "show a picture" ? this.#driver.stream?.silence?.() : undefined;
    const instead = silence === undefined ? "" : `: ${silence}`;
    const message = `camera ${this.id} did not ${what} within ${limitMs} ms${instead}`;
    return new AgentError(code, message, { disposition: "retry" });
  }

  /** `isEarly`: it shows that the camera runs, and is nobody's frame. */
  #take({ jpeg, fileName }: Extract<Shot, { kind: "image" }>, isEarly: boolean): void {
    const judgement = judgePicture(jpeg, this.#limits);
    if (judgement.kind === "bad") {
      const message = `camera ${this.id} gave a bad picture: ${judgement.why}`;
      this.#bad(new AgentError("CAMERA_BAD_IMAGE", message, { disposition: "retry" }));
      return;
    }
    if (isEarly) {
      this.#books.running();
      return;
    }
    const frame = {
      ...this.#frameOf(jpeg, judgement.facts),
      ...(fileName === undefined ? {} : { fileName }),
    };
    this.#books.took(frame, !this.#mayRepeat);
    if (this.#slot.put(frame)) this.#books.skipped();
  }

  #frameOf(bytes: Buffer, judged: JpegFacts): Frame {
    const { jpeg, facts } = withHuffmanTables(bytes, judged);
    return {
      cameraId: this.id,
      sequence: this.#books.framesCaptured + 1,
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
    this.#books.bad(error, this.#driver.pace === "every");
    // Bad files among many are not the fault of the folder they lie in: a finite source goes on with the next.
    const { badInARow } = this.#books;
    if (this.#driver.pace !== "newest" || badInARow < this.#limits.badImagesInARowMax) return;
    const message = `camera ${this.id} gave ${badInARow} bad pictures in a row: ${error.message}`;
    throw new AgentError("CAMERA_BAD_IMAGES", message, { disposition: "retry", cause: error });
  }

  /** A driver that cannot even stop must not keep its camera dead; one that still holds its device refuses to start. */
  async #stopDriver(): Promise<void> {
    const limitMs = 2 * this.#limits.stopGraceMs;
    const never = new AbortController().signal;
    const late = () => this.#silent("CAMERA_STOP_TIMEOUT", limitMs, "stop");
    try {
      await withDeadline(this.#clock, limitMs, never, () => this.#driver.stop(), late);
    } catch (error) {
      this.#books.stopFailed(asAgentError(error, `stop camera ${this.id}`));
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
