import type { Clock } from "../../core/clock.ts";
import { AgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/limits.ts";
import type { CameraDriver, Shot } from "../../core/ports.ts";
import { CameraProgram, type ProgramCommand, type ProgramEnding } from "./camera-program.ts";
import { FrameStream } from "./frame-stream.ts";
import { JpegSplitter } from "./jpeg-splitter.ts";
import { MultipartSplitter } from "./multipart-splitter.ts";

/** What distinguishes one camera program that runs all the time from another. */
export interface ProgramRecipe {
  /** The driver's kind in health and logs. */
  readonly kind: string;
  /** Names the source in errors; never with a secret. */
  readonly source: string;
  /** `multipart` only where the sender is ours. */
  readonly framing: "jpegs" | "multipart";
  /** As configured; 0 when nobody knows. */
  readonly framePeriodMs: number;
  readonly mayRepeat: boolean;
  /** What to run, found out anew at every start. Fails with a `CAMERA_…` code. */
  command(signal: AbortSignal): Promise<ProgramCommand>;
  /** Told of every end of the program. May name the loss better than `CAMERA_LOST`. */
  lost?(ending: ProgramEnding, framesSeen: number): AgentError | undefined;
}

/** A camera program that writes frames to its standard output for as long as it lives. */
export class ProgramDriver implements CameraDriver {
  readonly kind: string;
  readonly pace = "newest";
  readonly mayRepeat: boolean;
  readonly #recipe: ProgramRecipe;
  readonly #clock: Clock;
  #program: CameraProgram | undefined;
  #stream: FrameStream;

  constructor(recipe: ProgramRecipe, clock: Clock) {
    this.kind = recipe.kind;
    this.mayRepeat = recipe.mayRepeat;
    this.#recipe = recipe;
    this.#clock = clock;
    this.#stream = this.#brokenStream();
  }

  get stream(): FrameStream {
    return this.#stream;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#program !== undefined) throw this.#error("CAMERA_BUSY", "its program is still running");
    const command = await this.#recipe.command(signal);
    signal.throwIfAborted();
    const stream = new FrameStream(this.#recipe.framePeriodMs);
    const Splitter = this.#recipe.framing === "jpegs" ? JpegSplitter : MultipartSplitter;
    const splitter = new Splitter(captureLimits.jpegBytesMax, (view) => stream.offer(view));
    const program = new CameraProgram(command, (chunk) => splitter.push(chunk), this.#clock);
    this.#program = program;
    this.#stream = stream;
    // Any end of the stream is a lost camera, whatever the exit status: ffmpeg ends with 0 when its server is killed.
    void program.ended.then((ending) => {
      const { how, said } = ending;
      const lost = this.#recipe.lost?.(ending, stream.framesSeen());
      stream.fail(lost ?? this.#error("CAMERA_LOST", said === "" ? how : `${how}: ${said}`));
    });
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    return { kind: "image", jpeg: await this.#stream.next(signal) };
  }

  async stop(): Promise<void> {
    const program = this.#program;
    this.#stream.fail(this.#error("CAMERA_NOT_STARTED", "it was stopped"));
    await program?.stop();
    this.#program = undefined;
  }

  #brokenStream(): FrameStream {
    const stream = new FrameStream(0);
    stream.fail(this.#error("CAMERA_NOT_STARTED", "it was not started"));
    return stream;
  }

  #error(code: string, what: string): AgentError {
    return new AgentError(code, `${this.#recipe.kind} ${this.#recipe.source}: ${what}`, { disposition: "retry" });
  }
}
