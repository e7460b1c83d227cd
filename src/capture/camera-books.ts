import type { Clock } from "../core/clock.ts";
import type { AgentError } from "../core/errors.ts";
import { captureLimits } from "../core/capture-limits.ts";
import { LogGate } from "../core/log-gate.ts";
import type { CameraHealth, CameraState, LogFields, Logger } from "../core/ports.ts";
import type { Frame } from "../core/types.ts";

/**
 * What one camera is doing and has done: its health, and the lines of the log about it. Each change of state is one
 * line. While a camera stays lost, for days perhaps, its further tries are lines for debugging only, and so are the comings
 * and goings of one that is lost again and again for the same reason.
 */
export class CameraBooks {
  readonly #id: string;
  readonly #driver: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gate: LogGate;
  #state: CameraState = "stopped";
  #framesCaptured = 0;
  #framesSkipped = 0;
  #framesBad = 0;
  #badInARow = 0;
  #restarts = 0;
  #frozen = false;
  /** When the picture came that all since then are equal to. */
  #sameSinceMs: number | undefined;
  #lost = false;
  /** The loss that was told last, and whether the one since then was a repeat of it. */
  #told: { readonly code: string; readonly atMs: number } | undefined;
  #repeats = false;
  #runningSinceMs: number | undefined;
  #lastFrame: Frame | undefined;
  #lastError: CameraHealth["lastError"];
  #failing = false;
  #opensAtMs: number | undefined;

  constructor(id: string, driver: string, clock: Clock, log: Logger) {
    this.#id = id;
    this.#driver = driver;
    this.#clock = clock;
    this.#log = log;
    this.#gate = new LogGate(clock);
  }

  get lastFrame(): Frame | undefined {
    return this.#lastFrame;
  }

  get framesCaptured(): number {
    return this.#framesCaptured;
  }

  get badInARow(): number {
    return this.#badInARow;
  }

  get isRunning(): boolean {
    return this.#runningSinceMs !== undefined;
  }

  starting(): void {
    this.#enter("starting");
    this.#badInARow = 0;
    this.#log[this.#lost || this.#repeats ? "debug" : "info"]("camera.starting");
  }

  restarting(): void {
    this.#restarts += 1;
    this.starting();
  }

  /** Frames flow, or may rightly not. */
  running(): void {
    if (this.#runningSinceMs !== undefined) return;
    this.#enter("running");
    this.#runningSinceMs = this.#clock.monotonicMs();
    this.#lost = false;
    this.#log[this.#repeats ? "debug" : "info"]("camera.running", { restarts: this.#restarts });
  }

  /** For how long it ran; 0 when it did not. It runs no more. */
  halted(): number {
    const sinceMs = this.#runningSinceMs;
    this.#runningSinceMs = undefined;
    return sinceMs === undefined ? 0 : this.#clock.monotonicMs() - sinceMs;
  }

  /** Its loss follows, with the same words. */
  stalled({ code, message }: AgentError): void {
    this.#enter("stalled");
    this.#log.debug("camera.stalled", { code, message });
  }

  lost(error: AgentError, waitMs: number): void {
    this.#enter(error.code === "CAMERA_MASK_MISFIT" ? "blocked" : "backoff");
    this.#remember(error);
    const fields = { code: error.code, message: error.message, waitMs, ...error.facts };
    if (this.#lost) this.#log.debug("camera.still_lost", fields);
    else this.#tellLoss(error.code, fields);
    this.#lost = true;
  }

  #tellLoss(code: string, fields: LogFields): void {
    this.#repeats = this.#isTold(code);
    if (!this.#repeats) this.#told = { code, atMs: this.#clock.monotonicMs() };
    this.#log[this.#repeats ? "debug" : "warn"]("camera.lost", fields);
  }

  #isTold(code: string): boolean {
    const told = this.#told;
    return told?.code === code && this.#clock.monotonicMs() - told.atMs < captureLimits.sameLossAgainMs;
  }

  /** By its schedule. */
  closed(opensAtMs: number | undefined): void {
    this.#enter("stopped");
    this.#opensAtMs = opensAtMs;
    const opensAt = opensAtMs === undefined ? undefined : new Date(opensAtMs).toISOString();
    this.#log.info("camera.closed", { opensAt });
  }

  /** By an operator. */
  paused(leftMs: number): void {
    this.#enter("paused");
    this.#log.info("camera.paused", leftMs === Infinity ? {} : { forMs: Math.ceil(leftMs) });
  }

  /** On somebody's word. */
  reopening(): void {
    this.#log.info("camera.reopening");
  }

  stopped(): void {
    this.#enter("stopped");
    this.#lost = false;
    this.#repeats = false;
    this.#told = undefined;
    const [frames, skipped, bad] = [this.#framesCaptured, this.#framesSkipped, this.#framesBad];
    this.#log.info("camera.stopped", { frames, skipped, bad, restarts: this.#restarts });
  }

  ended(): void {
    this.#enter("ended");
    this.#log.info("camera.ended", { frames: this.#framesCaptured, bad: this.#framesBad });
  }

  stopFailed({ code, message }: AgentError): void {
    this.#log[this.#lost ? "debug" : "warn"]("camera.stop_failed", { code, message });
  }

  refuseFailed({ code, message }: AgentError, fileName: string): void {
    this.#log.warn("camera.refuse_failed", { code, message, file: fileName });
  }

  /** `watched`: pictures that stay the same are an alarm. */
  took(frame: Frame, watched: boolean): void {
    this.#framesCaptured += 1;
    this.#badInARow = 0;
    if (watched) this.#watchForFrozen(frame);
    [this.#lastFrame, this.#failing] = [frame, false];
    this.running();
  }

  skipped(): void {
    this.#framesSkipped += 1;
  }

  /** Files are `named` each, because somebody will want to look at them. */
  bad(error: AgentError, named: boolean): void {
    this.#badInARow += 1;
    this.#tellBad(error, named, {});
  }

  /** A frame that turned out bad only later: the source goes on, and is not suspected for it. */
  refused(error: AgentError, fileName: string | undefined): void {
    this.#tellBad(error, fileName !== undefined, { file: fileName });
  }

  /** A camera that gives damaged pictures between good ones may do so for years: a line a minute, which counts the rest. */
  #tellBad(error: AgentError, named: boolean, more: LogFields): void {
    this.#framesBad += 1;
    this.#remember(error);
    const suppressed = named ? 0 : this.#gate.pass("bad");
    if (suppressed === undefined) return;
    const { code, message } = error;
    this.#log.warn("camera.bad_image", { code, message, ...more, ...(suppressed === 0 ? {} : { suppressed }) });
  }

  health(): CameraHealth {
    return {
      id: this.#id,
      driver: this.#driver,
      state: this.#state,
      framesCaptured: this.#framesCaptured,
      framesSkipped: this.#framesSkipped,
      framesBad: this.#framesBad,
      restarts: this.#restarts,
      frozen: this.#frozen,
      ...(this.#lastFrame === undefined ? {} : { lastFrameAtMs: this.#lastFrame.capturedAtMs }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#failing ? { failing: true } : {}),
      ...(this.#opensAtMs === undefined ? {} : { opensAtMs: this.#opensAtMs }),
    };
  }

  #enter(state: CameraState): void {
    this.#state = state;
    this.#opensAtMs = undefined;
  }

  /** A camera that is asked more often than it takes pictures gives each of them several times: that is no alarm. */
  #watchForFrozen(frame: Frame): void {
    const before = this.#lastFrame;
    this.#sameSinceMs =
      before?.jpeg.equals(frame.jpeg) === true ? (this.#sameSinceMs ?? before.monotonicMs) : undefined;
    const sameMs = this.#sameSinceMs === undefined ? 0 : frame.monotonicMs - this.#sameSinceMs;
    const frozen = sameMs >= captureLimits.frozenMs;
    const message = `its pictures have been the same to the byte for ${Math.round(sameMs / 1_000)} s`;
    if (frozen && !this.#frozen) this.#log.warn("camera.frozen", { message });
    if (!frozen && this.#frozen) this.#log.info("camera.unfrozen");
    this.#frozen = frozen;
  }

  /** Health leaves the device by ways that know no secrets, so its texts are masked as those of the log are. */
  #remember({ code, message }: AgentError): void {
    this.#lastError = { code, message: this.#log.redacted(message), atMs: this.#clock.nowMs() };
    this.#failing = true;
  }
}
