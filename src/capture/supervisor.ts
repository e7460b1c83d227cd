import { backoffMs } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { Interruptible } from "../core/interruptible.ts";
import { captureLimits } from "../core/capture-limits.ts";
import type { Camera, CameraDriver, CameraHealth, Random, Seams, Shot } from "../core/ports.ts";
import { beginPulse, type Pulse, UnwatchedPulse } from "../core/pulse.ts";
import type { Frame } from "../core/types.ts";
import type { WeeklyPlan } from "../core/weekly.ts";
import { CameraBooks } from "./camera-books.ts";
import { withDeadline } from "./deadline.ts";
import { Intake } from "./intake.ts";
import type { CaptureLimits } from "./judge.ts";
import { OpeningHours } from "./opening-hours.ts";
import { Pace } from "./pace.ts";
import { Patience } from "./patience.ts";
import { Pause } from "./pause.ts";
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
  /** Of what is hidden in its pictures, for its health. */
  readonly maskVersion?: string | undefined;
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
  readonly #masked: { readonly maskVersion?: string };
  readonly #limits: CaptureLimits;
  readonly #seams: Seams;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #books: CameraBooks;
  readonly #intake: Intake;
  readonly #hours: OpeningHours;
  readonly #patience: Patience;
  readonly #pause: Pause;
  readonly #slot = new FrameSlot();
  /** One life of the driver, or the back-off before its next. */
  readonly #life = new Interruptible();
  readonly #untilDue = new Interruptible();
  #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  #pulse: Pulse;
  #startedAtMs = 0;
  #reopenAsked = false;
  #hurried = false;

  constructor(options: SupervisedCameraOptions, seams: Seams) {
    const { id, driver, schedule, intervalMs, stallAfterMs } = options;
    const log = seams.log.child({ camera: id, driver: driver.kind });
    this.id = id;
    this.pace = driver.pace;
    this.#driver = driver;
    this.#intervalMs = intervalMs;
    this.#masked = options.maskVersion === undefined ? {} : { maskVersion: options.maskVersion };
    this.#limits = { ...captureLimits, ...options.limits };
    this.#patience = new Patience(driver, { intervalMs, stallAfterMs }, this.#limits);
    this.#pause = new Pause(seams.clock);
    this.#seams = seams;
    this.#clock = seams.clock;
    this.#random = seams.random;
    this.#pulse = new UnwatchedPulse(seams.clock);
    this.#books = new CameraBooks(id, driver.kind, seams.clock, log);
    const mayRepeat = options.mayRepeat === true || driver.mayRepeat === true;
    const source = { cameraId: id, pace: driver.pace, mayRepeat, limits: this.#limits };
    this.#intake = new Intake(source, seams.clock, this.#books);
    this.#hours = new OpeningHours(schedule, seams.clock, log);
  }

  /** Returns at once: a camera that is away is a state, not a failure to start. `signal` ends nothing afterwards. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#loop !== undefined) return;
    this.#stopping = new AbortController();
    this.#slot.open();
    this.#startedAtMs = this.#clock.monotonicMs();
    this.#pulse = beginPulse(this.#seams, `camera:${this.id}`);
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
    const health = { ...this.#books.health(), ...this.#masked };
    const leftMs = this.#pause.leftMs();
    if (health.state !== "paused" || leftMs === undefined || leftMs === Infinity) return health;
    return { ...health, resumesInMs: Math.ceil(leftMs) };
  }

  async pause(forMs = Infinity): Promise<void> {
    await this.#pause.begin(forMs);
  }

  resume(): void {
    this.#pause.end();
  }

  pauseLeftMs(): number | undefined {
    return this.#pause.leftMs();
  }

  reopen(): void {
    this.#reopenAsked = true;
    this.#life.interrupt();
  }

  hurry(): void {
    this.#hurried = true;
    this.#untilDue.interrupt();
  }

  async stop(): Promise<void> {
    if (this.#loop === undefined) return;
    this.#stopping.abort();
    await this.#loop;
    this.#loop = undefined;
    this.#pulse.end();
    this.#slot.close();
    this.#books.stopped();
  }

  /** Never rejects: every failure of the driver ends in back-off and another try. */
  async #run(signal: AbortSignal): Promise<void> {
    for (let ended = false; !ended;) {
      while (this.#pause.leftMs() !== undefined && !isAborted(signal)) await this.#pausedUntilOver(signal);
      if (isAborted(signal)) return;
      ended = await this.#pause.whileOff(signal, (unpaused) => this.#inItsHours(unpaused));
      if (isAborted(signal)) return;
    }
    this.#pulse.end();
    this.#books.ended();
    this.#slot.close();
  }

  /** What was taken before a pause is nobody's after it. */
  async #pausedUntilOver(signal: AbortSignal): Promise<void> {
    const onPaused = (leftMs: number) => {
      this.#slot.empty();
      this.#books.paused(leftMs);
    };
    await this.#pause.over(signal, this.#pulse, onPaused).catch(() => undefined);
  }

  /** True at the end of the source. */
  async #inItsHours(signal: AbortSignal): Promise<boolean> {
    if (!this.#hours.isOpen()) {
      const onClosed = (opensAtMs: number | undefined) => this.#books.closed(opensAtMs);
      await this.#hours.opened(signal, this.#pulse, onClosed).catch(() => undefined);
    }
    if (isAborted(signal)) return false;
    return this.#hours.whileOpen(signal, (open) => this.#keepAlive(open));
  }

  /** True at the end of the source, false when `signal` aborted; the driver is stopped then. */
  async #keepAlive(signal: AbortSignal): Promise<boolean> {
    this.#books.starting();
    for (let failures = 0; ;) {
      this.#reopenAsked = false;
      const ending = await this.#life.run(signal, (life) => this.#session(life));
      const healthyMs = this.#books.halted();
      const error = ending instanceof AgentError ? ending : undefined;
      if (error?.code === "CAMERA_STALLED") this.#books.stalled(error);
      await this.#stopDriver();
      if (isAborted(signal)) return false;
      if (ending === "end") return true;
      failures = healthyMs >= this.#limits.healthyAfterMs ? 1 : failures + 1;
      if (error !== undefined) await this.#backOff(error, failures, signal);
      if (isAborted(signal)) return false;
      if (this.#isReopening()) failures = 0;
      this.#books.restarting();
    }
  }

  #isReopening(): boolean {
    if (this.#reopenAsked) this.#books.reopening();
    return this.#reopenAsked;
  }

  async #backOff(error: AgentError, failures: number, signal: AbortSignal): Promise<void> {
    if (this.#reopenAsked) return;
    const waitMs = Math.max(this.#backoffMs(failures), error.afterMs ?? 0);
    this.#books.lost(error, waitMs);
    await this.#life.run(signal, (life) => this.#pulse.sleep(waitMs, life)).catch(() => undefined);
  }

  /** Jitter down to nothing would let a source that dies at once take a whole core for its restarts. */
  #backoffMs(failures: number): number {
    const { backoffFirstMs, backoffMaxMs, backoffLeastShare } = this.#limits;
    const jitteredMs = backoffMs(failures, backoffFirstMs, backoffMaxMs, this.#random);
    return Math.max(jitteredMs, backoffFirstMs * backoffLeastShare);
  }

  /** From the driver's start to its failure, which is returned, to the end of the source, or until it is interrupted. */
  async #session(signal: AbortSignal): Promise<AgentError | "end" | "interrupted"> {
    try {
      const { startMs } = this.#patience;
      await this.#withinStartLimit("start", startMs, signal, (limited) => this.#driver.start(limited));
      // A source that may be silent for days has no first picture to wait for.
      if (this.#driver.shotTimeMs === Infinity) this.#books.running();
      await this.#shootUntilEnd(signal);
      return "end";
    } catch (error) {
      return signal.aborted ? "interrupted" : asAgentError(error, `camera ${this.id}`);
    }
  }

  async #shootUntilEnd(signal: AbortSignal): Promise<void> {
    const onDemand = this.#driver.pace === "every" || this.#intervalMs === 0;
    const earlyUntilMs = onDemand ? undefined : this.#earlyUntilMs();
    const nowMs = this.#clock.monotonicMs();
    const pace = new Pace(this.#intervalMs, earlyUntilMs === undefined ? nowMs : earlyUntilMs - this.#intervalMs);
    for (let shots = 1; ; shots += 1) {
      if (onDemand) {
        await this.#watched(signal, (limited) => this.#pulse.wait(limited, (wait) => this.#slot.asked(wait)));
        pace.begin(this.#clock.monotonicMs());
      }
      const shot = await this.#shoot(signal);
      if (shot?.kind === "end") return;
      const isEarly = shots === 1 && earlyUntilMs !== undefined && this.#clock.monotonicMs() < earlyUntilMs;
      if (shot !== undefined) this.#take(shot, isEarly);
      await this.#untilNextShot(pace, signal);
    }
  }

  /** A picture that somebody wants now comes beside the others: they stay due when they were. */
  async #untilNextShot(pace: Pace, signal: AbortSignal): Promise<void> {
    const waitMs = pace.waitMs(this.#clock.monotonicMs());
    if (waitMs > 0 && !this.#hurried) {
      await this.#watched(signal, async (limited) => {
        const sleeping = this.#untilDue.run(limited, (wait) => this.#pulse.sleep(waitMs, wait));
        await sleeping.catch(() => limited.throwIfAborted());
      });
    }
    if (waitMs > 0 && this.#hurried) pace.beside();
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
    const limitMs = this.#patience.watchdogMs;
    const silence = { limitMs, error: () => this.#silent("CAMERA_STALLED", limitMs) };
    return unlessBroken(stream, silence, this.#clock, signal, wait);
  }

  /** Undefined when the driver itself called the picture bad. */
  async #shoot(signal: AbortSignal): Promise<Shot | undefined> {
    const shoot = (limited: AbortSignal) => this.#driver.shot(limited);
    try {
      const { firstShotMs, shotMs: limitMs } = this.#patience;
      if (!this.#books.isRunning) return await this.#withinStartLimit("show a picture", firstShotMs, signal, shoot);
      return await this.#withinLimit(limitMs, signal, shoot, () => this.#silent("CAMERA_STALLED", limitMs));
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "CAMERA_BAD_IMAGE") throw error;
      this.#intake.bad(error);
      return undefined;
    }
  }

  async #withinStartLimit<T>(
    what: "start" | "show a picture",
    limitMs: number,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const silent = () => this.#silent("CAMERA_START_TIMEOUT", limitMs, what);
    return this.#withinLimit(limitMs, signal, work, silent);
  }

  /** Without end for a source that may be silent for days: it waits in its driver. */
  async #withinLimit<T>(
    limitMs: number,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
    expired: () => Error,
  ): Promise<T> {
    this.#pulse.beat(limitMs);
    try {
      return await withDeadline(this.#clock, limitMs, signal, work, expired);
    } finally {
      this.#pulse.beat();
    }
  }

  #silent(code: string, limitMs: number, what = "show a picture"): AgentError {
    const silence = what === "show a picture" ? this.#driver.stream?.silence?.() : undefined;
    const instead = silence === undefined ? "" : `: ${silence}`;
    const message = `camera ${this.id} did not ${what} within ${limitMs} ms${instead}`;
    return new AgentError(code, message, { disposition: "retry" });
  }

  #take(shot: Extract<Shot, { kind: "image" }>, isEarly: boolean): void {
    const frame = this.#intake.frameOf(shot, isEarly);
    if (frame === undefined) return;
    this.#hurried = false;
    if (this.#slot.put(frame)) this.#books.skipped();
  }

  /** A driver that cannot even stop must not keep its camera dead; one that still holds its device refuses to start. */
  async #stopDriver(): Promise<void> {
    const limitMs = 2 * this.#limits.stopGraceMs;
    const never = new AbortController().signal;
    const late = () => this.#silent("CAMERA_STOP_TIMEOUT", limitMs, "stop");
    try {
      await this.#withinLimit(limitMs, never, () => this.#driver.stop(), late);
    } catch (error) {
      this.#books.stopFailed(asAgentError(error, `stop camera ${this.id}`));
    }
  }
}

/** A call, so that the compiler does not take the answer of before an await for the one after it. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
