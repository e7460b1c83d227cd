import { constants } from "node:fs";
import { access, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import nodeWebcam from "node-webcam";
import type { Clock } from "../../core/clock.ts";
import { AgentError, errnoOf, messageOf } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CameraDriver, Shot } from "../../core/ports.ts";
import { judgePicture, type CaptureLimits } from "../judge.ts";
import { endProcessGroup } from "../stream/process-group.ts";
import { findProgram } from "../stream/find-program.ts";
import { environmentKept } from "../stream/program-environment.ts";
import { makeScratchFolder, memoryPlaces, scratchPlaces } from "./scratch.ts";
import { checkWebcamOptions, deviceFile, type WebcamOptions } from "./options.ts";

export interface WebcamSeams {
  readonly clock: Clock;
  /** For tests. */
  readonly limits?: Partial<CaptureLimits>;
  /** Where pictures lie for the moment between program and agent; the first that works is used. */
  readonly scratchPlaces?: readonly string[];
  /** Nobody may ever find its pictures on a disk: only places in memory will do. */
  readonly inMemoryOnly?: boolean;
}

/** How a run of the program ended. `said` is its stderr: foreign text that words an error and decides nothing. */
interface Ending {
  readonly timedOut: boolean;
  readonly said: string;
}

/** Whole seconds that `timeout` leaves a program between SIGTERM and SIGKILL. */
const killAfterSeconds = 1;
/** The shell fills it in. */
const environment = environmentKept.map((name) => `\${${name}+"${name}=$${name}"}`).join(" ");
/** Wall clock of the picture's file against ours: file systems keep coarse times. */
const mtimeSlackMs = 2_000;

/**
 * fswebcam through node-webcam: one run of the program for each picture, for intervals of seconds.
 *
 * node-webcam cannot be believed: fswebcam exits 0 on most failures, node-webcam answers with success and an old or
 * empty file, never ends a program that hangs, and builds an unquoted shell command. Hence a new file name for every
 * shot in a private folder, success judged by the picture alone, allow-lists for all that reaches the shell, and a
 * process group that `timeout` and we can end.
 */
export class WebcamDriver implements CameraDriver {
  readonly kind = "webcam";
  readonly pace = "newest";
  readonly shotTimeMs: number;
  readonly #options: WebcamOptions;
  readonly #clock: Clock;
  readonly #limits: CaptureLimits;
  readonly #places: readonly string[];
  readonly #inMemoryOnly: boolean;
  readonly #programTimeoutMs: number;
  #folder: string | undefined;
  #shots = 0;
  #running: { readonly ended: Promise<Ending>; readonly end: () => Promise<void> } | undefined;

  constructor(options: WebcamOptions, seams: WebcamSeams) {
    this.#options = options;
    this.#clock = seams.clock;
    this.#limits = { ...captureLimits, ...seams.limits };
    this.#places = seams.scratchPlaces ?? scratchPlaces(process.env, tmpdir());
    this.#inMemoryOnly = seams.inMemoryOnly === true;
    const framesMs = (options.skip + options.frames) * this.#limits.programFrameMs;
    this.#programTimeoutMs = this.#limits.programTimeoutMs + options.delaySeconds * 1_000 + framesMs;
    this.shotTimeMs = this.#programTimeoutMs + killAfterSeconds * 1_000;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    checkWebcamOptions(this.#options);
    this.#refuseOverlap();
    await this.#findProgram();
    await this.#findDevice();
    const places = this.#inMemoryOnly ? await memoryPlaces(this.#places) : this.#places;
    this.#folder ??= await makeScratchFolder(places);
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    signal.throwIfAborted();
    this.#refuseOverlap();
    if (this.#folder === undefined) throw this.#error("CAMERA_NOT_STARTED", "the driver was not started");
    this.#shots += 1;
    const picture = join(this.#folder, `shot-${this.#shots}.jpg`);
    const pidFile = join(this.#folder, `shot-${this.#shots}.pid`);
    const startedAtMs = this.#clock.nowMs();
    try {
      const ending = await this.#runProgram(picture, pidFile, signal);
      signal.throwIfAborted();
      return { kind: "image", jpeg: await this.#readPicture(picture, startedAtMs, ending) };
    } finally {
      await rm(picture, { force: true });
      await rm(pidFile, { force: true });
    }
  }

  async stop(): Promise<void> {
    await this.#running?.end();
    const folder = this.#folder;
    this.#folder = undefined;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }

  /** Two programs on one device disturb each other; one that cannot be killed keeps it for good. */
  #refuseOverlap(): void {
    if (this.#running !== undefined) throw this.#error("CAMERA_BUSY", "the program of the last shot is still running");
  }

  async #runProgram(picture: string, pidFile: string, signal: AbortSignal): Promise<Ending> {
    let hasEnded = false;
    const ended = this.#launch(picture, pidFile).finally(() => {
      hasEnded = true;
      this.#running = undefined;
    });
    const group = { leader: async () => readPid(pidFile), hasEnded: () => hasEnded };
    const end = () => endProcessGroup(group, "SIGTERM", this.#limits.stopGraceMs, this.#clock);
    this.#running = { ended, end };
    const onAbort = () => void end();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await ended;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /**
   * node-webcam keeps its child process to itself, so the shell writes its process id down before it becomes
   * `timeout`, which makes a group of its own and ends a hung program even when this agent is gone.
   */
  async #launch(picture: string, pidFile: string): Promise<Ending> {
    const { delaySeconds, program = "fswebcam", ...options } = this.#options;
    // The library fills its defaults into the object it is given, and keeps every shot unless told not to.
    const webcam = new nodeWebcam.FSWebcam({
      ...options,
      delay: delaySeconds,
      output: "jpeg",
      callbackReturn: "location",
      saveShots: false,
      verbose: false,
    });
    const limitSeconds = this.#programTimeoutMs / 1_000;
    const limited = `timeout -k ${killAfterSeconds} ${limitSeconds} ${program}`;
    webcam.bin = `echo $$ >${pidFile}; exec env -i ${environment} ${limited}`;
    let said = "";
    const startedMs = this.#clock.monotonicMs();
    // The library's own check reads stderr and mistakes a missing folder for a missing camera.
    webcam.runCaptureValidations = (stderr) => {
      said = stderr;
      return null;
    };
    return new Promise((resolve) => {
      webcam.capture(picture, (error) => {
        // `timeout` may die with the program it kills, so that no exit status tells a kill by it from any other.
        const timedOut = this.#clock.monotonicMs() - startedMs >= this.#programTimeoutMs;
        resolve({ timedOut, said: said === "" ? stderrOf(error) : said });
      });
    });
  }

  async #readPicture(picture: string, startedAtMs: number, ending: Ending): Promise<Buffer> {
    const file = await stat(picture).catch(() => undefined);
    if (file === undefined) throw await this.#noPicture(ending);
    if (file.mtimeMs < startedAtMs - mtimeSlackMs)
      throw this.#error("CAMERA_NO_PICTURE", "the program left an old file");
    if (file.size > this.#limits.jpegBytesMax) throw this.#error("CAMERA_BAD_IMAGE", `it has ${file.size} bytes`);
    const bytes = await readFile(picture);
    const judgement = judgePicture(bytes, this.#limits);
    if (judgement.kind === "good") return bytes;
    if (ending.timedOut) throw await this.#noPicture(ending);
    throw this.#error("CAMERA_BAD_IMAGE", `the picture is damaged: ${judgement.why}`);
  }

  async #noPicture(ending: Ending): Promise<AgentError> {
    if (ending.timedOut) {
      return this.#error("CAMERA_TIMEOUT", `the program was ended after ${this.#programTimeoutMs} ms`);
    }
    try {
      await this.#findProgram();
      await this.#findDevice();
    } catch (error) {
      if (error instanceof AgentError) return error;
    }
    const said = readable(ending.said);
    const busy = /\bbusy\b/i.test(said);
    return this.#error(busy ? "CAMERA_BUSY" : "CAMERA_NO_PICTURE", `the program made no picture${said && `: ${said}`}`);
  }

  async #findProgram(): Promise<void> {
    const program = this.#options.program ?? "fswebcam";
    if ((await findProgram(program, process.env["PATH"] ?? "")) !== undefined) return;
    const hint = program === "fswebcam" ? " (Debian package fswebcam)" : "";
    throw this.#error("CAMERA_PROGRAM_MISSING", `the program ${program} is not installed${hint}`);
  }

  async #findDevice(): Promise<void> {
    const path = deviceFile(this.#options.device);
    if (path === undefined) return;
    const isNode = !/^(?:FILE|RAW):/.test(this.#options.device);
    try {
      const file = await stat(path);
      if (isNode && !file.isCharacterDevice()) throw this.#error("CAMERA_NO_DEVICE", `${path} is not a device`);
      await access(path, isNode ? constants.R_OK | constants.W_OK : constants.R_OK);
    } catch (error) {
      if (error instanceof AgentError) throw error;
      const code = errnoOf(error);
      if (code === "EACCES" || code === "EPERM") {
        throw this.#error("CAMERA_DENIED", `${path} may not be opened; is the user in group video?`, error);
      }
      throw this.#error("CAMERA_NO_DEVICE", `${path} is not there`, error);
    }
  }

  #error(code: string, what: string, cause?: unknown): AgentError {
    return new AgentError(code, `webcam ${this.#options.device}: ${what}`, { disposition: "retry", cause });
  }
}

async function readPid(pidFile: string): Promise<number | undefined> {
  const text = await readFile(pidFile, "latin1").catch(() => "");
  return /^\d+\n$/.test(text) ? Number.parseInt(text, 10) : undefined;
}

/** Node's text is the whole command, then what the program wrote. */
function stderrOf(error: Error | null): string {
  return error === null ? "" : error.message.slice(error.message.indexOf("\n") + 1);
}

/** Without colours and control characters; short. */
function readable(text: string): string {
  return messageOf(text.replaceAll(/\u001b\[[0-9;]*m/g, "").replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " "), 200);
}
