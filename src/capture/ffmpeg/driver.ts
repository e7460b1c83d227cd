import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import type { Clock } from "../../core/clock.ts";
import { AgentError, errnoOf, type AgentErrorOptions } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CameraDriver, Shot } from "../../core/ports.ts";
import type { CaptureLimits } from "../judge.ts";
import { CameraProgram, type ProgramCommand, type ProgramEnding } from "../stream/camera-program.ts";
import { installedProgram } from "../stream/find-program.ts";
import { ProgramDriver, type ProgramRecipe } from "../stream/program-driver.ts";
import { offersJpeg, problemIn, videoCodecOf } from "./answers.ts";
import { askRun, streamRun } from "./arguments.ts";
import { sourceName, type FfmpegInput } from "./input.ts";
import { encodedPerSecond, type Encoding, type FfmpegOptions } from "./options.ts";

/** One ffmpeg that runs all the time. A file that is played once ends with `end`; all else that ends is a lost camera. */
export function ffmpegDriver(options: FfmpegOptions, clock: Clock, limits: Partial<CaptureLimits> = {}): CameraDriver {
  const recipe = new FfmpegRecipe(options, clock, { ...captureLimits, ...limits });
  const driver = new ProgramDriver(recipe, clock, limits);
  return isPlayedOnce(options) ? new PlayedOnce(driver) : driver;
}

class FfmpegRecipe implements ProgramRecipe {
  readonly kind = "ffmpeg";
  readonly source: string;
  readonly framing = "multipart";
  readonly framePeriodMs: number;
  readonly mayRepeat: boolean;
  readonly #options: FfmpegOptions;
  readonly #clock: Clock;
  readonly #limits: CaptureLimits;
  /** What `auto` came to; forgotten after a run that showed nothing. */
  #encoding: Encoding | undefined;

  constructor(options: FfmpegOptions, clock: Clock, limits: CaptureLimits) {
    this.#options = options;
    this.#clock = clock;
    this.#limits = limits;
    this.source = sourceName(options.input);
    this.framePeriodMs = framePeriodMs(options);
    this.mayRepeat = options.input.kind === "file" || options.input.kind === "lavfi";
  }

  async command(signal: AbortSignal): Promise<ProgramCommand> {
    const program = await installedProgram([this.#options.program], " (Debian package ffmpeg)");
    await this.#findInput(this.#options.input);
    this.#encoding ??= await this.#chooseEncoding(program, signal);
    return { program, ...streamRun(this.#options, this.#encoding) };
  }

  lost(ending: ProgramEnding, framesSeen: number): AgentError | undefined {
    if (framesSeen === 0) {
      this.#encoding = undefined;
      return this.#problem(ending);
    }
    // What it said while it worked, perhaps days ago, is no reason for its end.
    if (ending.status !== 0 || !isPlayedOnce(this.#options)) return undefined;
    return this.#error(endedCode, "it was played to its end");
  }

  /** A camera that counts wrong passwords must not be asked again at once. */
  #problem({ code, how, said, lines }: ProgramEnding): AgentError {
    const known = problemIn(lines);
    const isRefused = known?.code === "CAMERA_LOGIN_REFUSED";
    const isNobody = isRefused && this.#options.username === undefined;
    const what = isNobody ? "it wants a user name and password, and none is configured" : (known?.what ?? how);
    // The address that it names is that of the list on its standard input.
    const words = said === "" ? what : `${what}: ${said.replace(/^pipe:0: /, "")}`;
    const afterMs = isRefused ? this.#limits.backoffMaxMs : undefined;
    return this.#error(known?.code ?? code, words, afterMs === undefined ? {} : { afterMs });
  }

  async #chooseEncoding(program: string, signal: AbortSignal): Promise<Encoding> {
    const { encoding, input, width, height } = this.#options;
    if (encoding !== "auto") return encoding;
    if (input.kind === "lavfi") return "jpeg";
    if (input.kind === "v4l2") return offersJpeg(await this.#ask(program, signal)) ? "copy" : "jpeg";
    if (width !== undefined || height !== undefined) return "jpeg";
    return videoCodecOf(await this.#ask(program, signal)) === "mjpeg" ? "copy" : "jpeg";
  }

  /** A run of its own, which has ended before the real one begins: some cameras serve one connection at a time. */
  async #ask(program: string, signal: AbortSignal): Promise<readonly string[]> {
    signal.throwIfAborted();
    const command = { program, ...askRun(this.#options) };
    const asked = CameraProgram.start(command, () => undefined, this.#clock, this.#limits);
    const onAbort = () => void asked.stop();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const ending = await asked.ended;
      signal.throwIfAborted();
      // A source that cannot be asked cannot be read either, and a camera that refuses us wants no second try at once.
      const isV4l2 = this.#options.input.kind === "v4l2";
      const isAnswer = isV4l2 ? problemIn(ending.lines) === undefined : videoCodecOf(ending.lines) !== undefined;
      if (!isAnswer) throw this.#problem(ending);
      return ending.lines;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Before ffmpeg is started: its words about a missing device do not say which one. */
  async #findInput(input: FfmpegInput): Promise<void> {
    if (input.kind !== "v4l2" && input.kind !== "file") return;
    const isDevice = input.kind === "v4l2";
    const path = isDevice ? input.device : input.path;
    try {
      const file = await stat(path);
      if (isDevice && !file.isCharacterDevice()) throw this.#error("CAMERA_NO_DEVICE", "it is not a device");
      await access(path, isDevice ? constants.R_OK | constants.W_OK : constants.R_OK);
    } catch (error) {
      if (error instanceof AgentError) throw error;
      const isDenied = errnoOf(error) === "EACCES" || errnoOf(error) === "EPERM";
      const what = isDenied ? "it may not be opened" : "it is not there";
      if (!isDevice) throw this.#error("CAMERA_NO_FILE", what, { cause: error });
      if (!isDenied) throw this.#error("CAMERA_NO_DEVICE", what, { cause: error });
      throw this.#error("CAMERA_DENIED", `${what}; is the user in group video?`, { cause: error });
    }
  }

  #error(code: string, what: string, more: Omit<AgentErrorOptions, "disposition"> = {}): AgentError {
    return new AgentError(code, `ffmpeg ${this.source}: ${what}`, { disposition: "retry", ...more });
  }
}

/** A file without a loop. Its frames come by themselves, yet it is no stream to be watched: it may end at any time. */
class PlayedOnce implements CameraDriver {
  readonly kind = "ffmpeg";
  readonly pace = "newest";
  readonly mayRepeat = true;
  readonly #driver: ProgramDriver;

  constructor(driver: ProgramDriver) {
    this.#driver = driver;
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#driver.start(signal);
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    try {
      return await this.#driver.shot(signal);
    } catch (error) {
      if (error instanceof AgentError && error.code === endedCode) return { kind: "end" };
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.#driver.stop();
  }
}

/** Between the recipe and `PlayedOnce` alone. */
const endedCode = "CAMERA_ENDED";

function isPlayedOnce({ input, loop }: FfmpegOptions): boolean {
  return input.kind === "file" && !loop;
}

function framePeriodMs(options: FfmpegOptions): number {
  const { encoding, sourceFramesPerSecond } = options;
  const perSecond = encoding === "copy" ? undefined : encodedPerSecond(options);
  const slowest = Math.min(perSecond ?? Infinity, sourceFramesPerSecond ?? Infinity);
  return slowest === Infinity ? 0 : 1_000 / slowest;
}
