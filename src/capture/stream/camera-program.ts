import { spawn, type ChildProcess } from "node:child_process";
import type { Clock } from "../../core/clock.ts";
import { errnoOf, messageOf } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CaptureLimits } from "../judge.ts";
import { ownersMark } from "./orphans.ts";
import { endProcessGroup, killLeftovers } from "./process-group.ts";
import { keptEnvironment } from "./program-environment.ts";
import { ProgramSpeech } from "./program-speech.ts";

export interface ProgramCommand {
  /** An absolute path: it was looked up, so that a missing program is told apart from one that fails. */
  readonly program: string;
  readonly argv: readonly string[];
  /** Beside the few variables that every program gets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Written to its standard input, which is then closed: the place for an address with a password. */
  readonly input?: string;
  /** Never in `said`. */
  readonly secrets: readonly string[];
}

/** How a program ended. No status of it means anything: ffmpeg ends with 0 when its server is killed. */
export interface ProgramEnding {
  /** `CAMERA_LOST` of one that ran. */
  readonly code: string;
  readonly how: string;
  /** Undefined when a signal ended it, or when it did not start. */
  readonly status: number | undefined;
  /** The last line of its stderr: foreign text that words an error and decides nothing. */
  readonly said: string;
  /** The end of its stderr by lines, without secrets: for a program that is asked for what it knows. */
  readonly lines: readonly string[];
}

type Ending = Pick<ProgramEnding, "code" | "how" | "status">;

/**
 * One run of a camera program in a process group of its own, without a shell. Its standard output is always read, or a
 * program that queues without limit (rpicam-vid) would grow, and one that does not (ffmpeg) would hold up its camera.
 * With the program ends all that it started.
 */
export class CameraProgram {
  readonly #clock: Clock;
  readonly #limits: CaptureLimits;
  readonly #speech: ProgramSpeech;
  readonly #ended: Promise<ProgramEnding>;
  readonly #closed = new AbortController();
  #resolveEnded: (ending: ProgramEnding) => void = () => undefined;
  #pid: number | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(secrets: readonly string[], clock: Clock, limits: CaptureLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#speech = new ProgramSpeech(secrets, limits.stderrTailBytes);
    this.#ended = new Promise((resolve) => (this.#resolveEnded = resolve));
  }

  /** A program that cannot be started has ended. */
  static start(
    command: ProgramCommand,
    onOutput: (chunk: Buffer) => void,
    clock: Clock,
    limits: CaptureLimits = captureLimits,
  ): CameraProgram {
    const program = new CameraProgram(command.secrets, clock, limits);
    try {
      program.#attend(launched(command), command.input, onOutput);
    } catch (error) {
      program.#end(notStarted(error, (text) => program.#speech.without(text)));
    }
    return program;
  }

  /** Of the leader of its process group; undefined when it did not start. */
  get pid(): number | undefined {
    return this.#pid;
  }

  get hasEnded(): boolean {
    return this.#closed.signal.aborted;
  }

  /** Resolves once it has gone and all its output was read. */
  get ended(): Promise<ProgramEnding> {
    return this.#ended;
  }

  /** What it said last on its stderr, redacted; empty when nothing. */
  said(): string {
    return this.#speech.lastLine();
  }

  /**
   * SIGINT, which all camera programs take for a request to end; then SIGKILL to everything it started. Returns after
   * twice the grace time even when it lives on, as a process does that is stuck inside a kernel driver.
   */
  async stop(): Promise<void> {
    const group = { leader: async () => this.#pid, hasEnded: () => this.hasEnded };
    this.#stopping ??= endProcessGroup(group, "SIGINT", this.#limits.stopGraceMs, this.#clock).finally(() => {
      this.#stopping = undefined;
    });
    await this.#stopping;
  }

  #attend(child: ChildProcess, input: string | undefined, onOutput: (chunk: Buffer) => void): void {
    this.#pid = child.pid;
    child.stdout?.on("data", onOutput);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#speech.add(text));
    // A program that ended before it read its input, or whose pipes fail, is an ending like any other.
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.on("error", () => undefined);
    child.stdin?.end(input);
    child.once("error", (error) => this.#end(notStarted(error, (text) => this.#speech.without(text))));
    child.once("exit", () => void this.#letGo(child));
    child.once("close", (status, signal) => this.#end(ended(status, signal)));
  }

  /** What it started and left behind may hold its output open for ever, and the camera with it. */
  async #letGo(child: ChildProcess): Promise<void> {
    const pid = this.#pid;
    // Its number may soon be another's.
    this.#pid = undefined;
    if (pid !== undefined) killLeftovers(pid);
    await this.#clock.sleep(this.#limits.outputGraceMs, this.#closed.signal).catch(() => undefined);
    child.stdout?.destroy();
    child.stderr?.destroy();
  }

  #end(ending: Ending): void {
    this.#closed.abort();
    this.#resolveEnded({ ...ending, said: this.said(), lines: this.#speech.lines() });
  }
}

/** Throws where Node does so instead of telling later: too long an argument, or one with a zero byte. */
function launched({ program, argv, environment = {}, input }: ProgramCommand): ChildProcess {
  return spawn(program, argv, {
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    env: { ...keptEnvironment(), ...environment, ...ownersMark() },
    detached: true,
  });
}

function notStarted(error: unknown, redacted: (text: string) => string): Ending {
  const [code, how] = notStartedAs(errnoOf(error));
  return { code, how: `${how} (${messageOf(redacted(messageOf(error)), 120)})`, status: undefined };
}

function notStartedAs(errno: string | undefined): readonly [code: string, how: string] {
  switch (errno) {
    case "ENOENT":
      return ["CAMERA_PROGRAM_MISSING", "its program, or what that is to be run with, is gone"];
    case "EACCES":
    case "EPERM":
      return ["CAMERA_DENIED", "its program may not be run"];
    case "EAGAIN":
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return ["CAMERA_NO_RESOURCES", "the system has no room for its program"];
    default:
      return ["CAMERA_PROGRAM_REFUSED", "its program does not start"];
  }
}

function ended(status: number | null, signal: NodeJS.Signals | null): Ending {
  const how = signal === null ? `its program ended with status ${status ?? -1}` : `its program was ended by ${signal}`;
  return { code: "CAMERA_LOST", how, status: status ?? undefined };
}
