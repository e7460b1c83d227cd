import type { Clock } from "../../core/clock.ts";
import { AgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CameraDriver, Shot } from "../../core/ports.ts";
import type { CaptureLimits } from "../judge.ts";
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
  /** Told of every end of the program. May name the loss better than its ending's code. */
  lost?(ending: ProgramEnding, framesSeen: number): AgentError | undefined;
}

/** A camera program that writes frames to its standard output for as long as it lives. */
export class ProgramDriver implements CameraDriver {
  readonly kind: string;
  readonly pace = "newest";
  readonly mayRepeat: boolean;
  readonly #recipe: ProgramRecipe;
  readonly #clock: Clock;
  readonly #limits: CaptureLimits;
  /** Of a start that is under way: what it may wait for. */
  #starting: AbortController | undefined;
  /** Settled once the last start runs nothing of its own any more. Never rejects. */
  #prepared: Promise<unknown> = Promise.resolve();
  /** The last one that was started, until it has gone. */
  #program: CameraProgram | undefined;
  #stream: FrameStream;

  constructor(recipe: ProgramRecipe, clock: Clock, limits: Partial<CaptureLimits> = {}) {
    this.kind = recipe.kind;
    this.mayRepeat = recipe.mayRepeat;
    this.#recipe = recipe;
    this.#clock = clock;
    this.#limits = { ...captureLimits, ...limits };
    this.#stream = this.#brokenStream();
  }

  get stream(): FrameStream {
    return this.#stream;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#starting !== undefined) throw this.#error("CAMERA_BUSY", "it is being started already");
    if (this.#program !== undefined) throw this.#error("CAMERA_BUSY", "its program is still running");
    const starting = new AbortController();
    const onAbort = () => starting.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#starting = starting;
    try {
      const preparing = this.#recipe.command(starting.signal);
      this.#prepared = preparing.catch(() => undefined);
      const command = await preparing;
      starting.signal.throwIfAborted();
      this.#launch(command);
    } finally {
      signal.removeEventListener("abort", onAbort);
      if (this.#starting === starting) this.#starting = undefined;
    }
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    return { kind: "image", jpeg: await this.#stream.next(signal) };
  }

  async stop(): Promise<void> {
    const stopped = this.#error("CAMERA_NOT_STARTED", "it was stopped");
    this.#starting?.abort(stopped);
    this.#starting = undefined;
    this.#stream.fail(stopped);
    await this.#prepared;
    await this.#program?.stop();
  }

  #launch(command: ProgramCommand): void {
    const stream = new FrameStream(this.#recipe.framePeriodMs, () => program.said());
    const Splitter = this.#recipe.framing === "jpegs" ? JpegSplitter : MultipartSplitter;
    const splitter = new Splitter(this.#limits.jpegBytesMax, (view) => {
      // ffmpeg copies whatever the source has turned to into its parts: of those that are no pictures none is a frame.
      if (view[0] === 0xff && view[1] === 0xd8) stream.offer(view);
    });
    const take = (chunk: Buffer) => {
      stream.received(chunk.length);
      splitter.push(chunk);
    };
    const program = CameraProgram.start(command, take, this.#clock, this.#limits);
    this.#program = program;
    this.#stream = stream;
    // Any end of the stream is a lost camera, whatever the exit status: ffmpeg ends with 0 when its server is killed.
    void program.ended.then((ending) => {
      if (this.#program === program) this.#program = undefined;
      const { code, how, said } = ending;
      const lost = this.#recipe.lost?.(ending, stream.framesSeen());
      stream.fail(lost ?? this.#error(code, said === "" ? how : `${how}: ${said}`));
    });
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
