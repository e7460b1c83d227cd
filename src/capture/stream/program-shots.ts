import type { Clock } from "../../core/clock.ts";
import { AgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CameraDriver, Shot } from "../../core/ports.ts";
import type { CaptureLimits } from "../judge.ts";
import { CameraProgram, type ProgramCommand, type ProgramEnding } from "./camera-program.ts";
import { JpegSplitter } from "./jpeg-splitter.ts";

/** What distinguishes one camera program that runs once for each picture from another. */
export interface ShotRecipe {
  readonly kind: string;
  /** Names the source in errors; never with a secret. */
  readonly source: string;
  /** A run that takes longer is ended. */
  readonly runTimeMs: number;
  /** What to run, found out anew for every picture. Fails with a `CAMERA_…` code. */
  command(signal: AbortSignal): Promise<ProgramCommand>;
}

interface Run {
  readonly ending: ProgramEnding;
  readonly isOverdue: boolean;
  readonly bytesCame: number;
  readonly picture: Buffer | undefined;
}

/**
 * A camera program that is run for every picture, which it writes to its standard output. The picture alone counts, and
 * of several the last: no exit status, and nothing that comes before it or behind.
 */
export class ProgramShotDriver implements CameraDriver {
  readonly kind: string;
  readonly pace = "newest";
  readonly shotTimeMs: number;
  readonly #recipe: ShotRecipe;
  readonly #clock: Clock;
  readonly #limits: CaptureLimits;
  /** From a start to the stop. */
  #life: AbortController | undefined;
  #isShooting = false;
  #program: CameraProgram | undefined;

  constructor(recipe: ShotRecipe, clock: Clock, limits: Partial<CaptureLimits> = {}) {
    this.kind = recipe.kind;
    this.#recipe = recipe;
    this.#clock = clock;
    this.#limits = { ...captureLimits, ...limits };
    this.shotTimeMs = recipe.runTimeMs + this.#limits.stopGraceMs;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#refuseOverlap();
    const life = new AbortController();
    this.#life = life;
    try {
      // A program that is missing is known now, and not only when the first picture is due.
      await this.#recipe.command(signal);
      signal.throwIfAborted();
      life.signal.throwIfAborted();
    } catch (error) {
      if (this.#life === life) this.#life = undefined;
      throw error;
    }
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    signal.throwIfAborted();
    this.#refuseOverlap();
    const life = this.#life;
    if (life === undefined) throw this.#error("CAMERA_NOT_STARTED", "it was not started");
    const ended = new AbortController();
    const unlink = [signal, life.signal].map((source) => {
      const onAbort = () => ended.abort(source.reason);
      source.addEventListener("abort", onAbort, { once: true });
      return () => source.removeEventListener("abort", onAbort);
    });
    this.#isShooting = true;
    try {
      return { kind: "image", jpeg: this.#pictureOf(await this.#run(ended.signal)) };
    } finally {
      this.#isShooting = false;
      for (const undo of unlink) undo();
    }
  }

  async stop(): Promise<void> {
    this.#life?.abort(this.#error("CAMERA_NOT_STARTED", "it was stopped"));
    this.#life = undefined;
    await this.#program?.stop();
  }

  /** Two programs on one device disturb each other; one that cannot be killed keeps it for good. */
  #refuseOverlap(): void {
    if (this.#isShooting) throw this.#error("CAMERA_BUSY", "the program of the last shot is still running");
  }

  async #run(signal: AbortSignal): Promise<Run> {
    const command = await this.#recipe.command(signal);
    signal.throwIfAborted();
    let picture: Buffer | undefined;
    let bytesCame = 0;
    const splitter = new JpegSplitter(this.#limits.jpegBytesMax, (view) => (picture = Buffer.from(view)));
    const take = (chunk: Buffer) => {
      bytesCame += chunk.length;
      if (bytesCame <= this.#limits.jpegBytesMax) splitter.push(chunk);
      else void this.#program?.stop();
    };
    const program = CameraProgram.start(command, take, this.#clock, this.#limits);
    this.#program = program;
    const end = () => void program.stop();
    const finished = new AbortController();
    let isOverdue = false;
    const overdue = () => {
      isOverdue = true;
      end();
    };
    this.#clock.sleep(this.#recipe.runTimeMs, finished.signal).then(overdue, () => undefined);
    signal.addEventListener("abort", end, { once: true });
    try {
      const ending = await program.ended;
      signal.throwIfAborted();
      return { ending, isOverdue, bytesCame, picture };
    } finally {
      this.#program = undefined;
      finished.abort();
      signal.removeEventListener("abort", end);
    }
  }

  #pictureOf({ ending, isOverdue, bytesCame, picture }: Run): Buffer {
    if (picture !== undefined) return picture;
    const said = ending.said === "" ? "" : `: ${ending.said}`;
    if (isOverdue)
      throw this.#error("CAMERA_TIMEOUT", `its program was ended after ${this.#recipe.runTimeMs} ms${said}`);
    if (bytesCame > 0) {
      throw this.#error("CAMERA_BAD_IMAGE", `${bytesCame} bytes came, and no whole picture was among them${said}`);
    }
    const code = ending.code === "CAMERA_LOST" ? "CAMERA_NO_PICTURE" : ending.code;
    throw this.#error(code, `no picture came, and ${ending.how}${said}`);
  }

  #error(code: string, what: string): AgentError {
    return new AgentError(code, `${this.#recipe.kind} ${this.#recipe.source}: ${what}`, { disposition: "retry" });
  }
}
