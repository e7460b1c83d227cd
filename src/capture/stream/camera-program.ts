import { spawn, type ChildProcess } from "node:child_process";
import type { Clock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import { captureLimits } from "../../core/limits.ts";
import { endProcessGroup } from "./process-group.ts";

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

/** How a program ended. `said` is the end of its stderr: foreign text that words an error and decides nothing. */
export interface ProgramEnding {
  readonly how: string;
  readonly said: string;
  /** The end of its stderr by lines, without secrets: for a program that is asked for what it knows. */
  readonly lines: readonly string[];
  /** Undefined when a signal ended it, or when it did not start. */
  readonly status: number | undefined;
}

/** All that a camera program gets of our environment, where secrets of the config may stand. */
const environmentKept: readonly string[] = ["PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LD_LIBRARY_PATH"];

/**
 * One run of a camera program in a process group of its own, without a shell. Its standard output is always read, or a
 * program that queues without limit (rpicam-vid) would grow, and one that does not (ffmpeg) would hold up its camera.
 */
export class CameraProgram {
  readonly #process: ChildProcess;
  readonly #clock: Clock;
  readonly #secrets: readonly string[];
  readonly #ended: Promise<ProgramEnding>;
  #stderrTail = "";
  #hasEnded = false;

  constructor(command: ProgramCommand, onOutput: (chunk: Buffer) => void, clock: Clock) {
    const { program, argv, input, environment = {}, secrets } = command;
    this.#clock = clock;
    this.#secrets = secrets;
    const kept = environmentKept.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    this.#process = spawn(program, argv, {
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      env: { ...Object.fromEntries(kept), ...environment },
      detached: true,
    });
    this.#process.stdout?.on("data", onOutput);
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-captureLimits.stderrTailBytes);
    });
    // A program that ended before it read its input is an ending like any other.
    this.#process.stdin?.on("error", () => undefined);
    this.#process.stdin?.end(input);
    this.#ended = new Promise((resolve) => {
      this.#process.once("error", (error) => resolve(this.#ending(`it does not start: ${messageOf(error)}`, null)));
      this.#process.once("close", (code, signal) => resolve(this.#ending(howItEnded(code, signal), code)));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resolves once it has gone and all its output was read. */
  get ended(): Promise<ProgramEnding> {
    return this.#ended;
  }

  /** SIGINT, which all camera programs take for a request to end; then SIGKILL to everything it started. */
  async stop(): Promise<void> {
    const group = { leader: async () => this.#process.pid, hasEnded: () => this.#hasEnded };
    await endProcessGroup(group, "SIGINT", captureLimits.stopGraceMs, this.#clock);
  }

  #ending(how: string, status: number | null): ProgramEnding {
    this.#hasEnded = true;
    const lines = readable(this.#stderrTail, this.#secrets);
    return { how, said: messageOf(lines.at(-1) ?? "", 200), lines, status: status ?? undefined };
  }
}

function howItEnded(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `it ended with status ${code ?? -1}` : `it was ended by ${signal}`;
}

/** The lines of what a program said, without secrets, colours and control characters. */
function readable(text: string, secrets: readonly string[]): readonly string[] {
  let masked = text;
  for (const secret of secrets) masked = masked.replaceAll(secret, "***");
  return masked
    .replaceAll(/\u001b\[[0-9;]*m/g, "")
    .split("\n")
    .map((line) => line.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ").trim())
    .filter((line) => line !== "");
}
