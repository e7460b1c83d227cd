import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { framepostInside } from "./command-inside.ts";
import { until } from "./poll.ts";
import { repositoryFolder } from "./shared.ts";

/** The built program, as a child process that a test watches from outside only. */

const program = join(repositoryFolder, "dist", "agent", "main.js");

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface AgentOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Runs the agent inside another program, whose words these are; `@` stands for the agent's own command. */
  readonly inside?: readonly string[];
}

/** Started at once, in a process group of its own. Killed with everything it started by `await using`. */
export class AgentProcess {
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  /** As it came, for what is drawn and not written line by line. */
  stdoutText = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ending>;
  readonly #logs: LogLine[] = [];

  constructor(words: readonly string[], { env = {}, inside }: AgentOptions = {}) {
    const command = [process.execPath, program, ...words];
    const [file = "", ...rest] =
      inside === undefined ? command : inside.map((word) => (word === "@" ? command.join(" ") : word));
    const child = spawn(file, rest, {
      detached: true,
      stdio: [inside === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      env: { ...process.env, JOURNAL_STREAM: undefined, ...env },
    });
    this.#child = child;
    // `close` and not `exit`: only then has everything that it wrote arrived.
    this.#ended = once(child, "close").then(([code, signal]: Ending[keyof Ending][]) => ({ code, signal }) as Ending);
    if (child.stdout === null || child.stderr === null) return;
    child.stdout.on("data", (text: Buffer) => (this.stdoutText += text.toString()));
    createInterface({ input: child.stdout }).on("line", (line) => this.stdout.push(line));
    createInterface({ input: child.stderr }).on("line", (line) => {
      this.stderr.push(line);
      if (line.startsWith("{")) this.#logs.push(JSON.parse(line) as LogLine);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  logged(event: string): readonly LogLine[] {
    return this.#logs.filter((line) => line.event === event);
  }

  /** Polls; fails with the end of its stderr when the agent is gone or too slow. */
  async until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
    try {
      await until(() => holds(), what, withinMs);
    } catch (error) {
      throw new Error(`the agent said last:\n${this.stderr.slice(-15).join("\n")}`, { cause: error });
    }
  }

  async untilLogged(event: string, times = 1, withinMs = 10_000): Promise<void> {
    await this.until(`"${event}" logged ${times} times`, () => this.logged(event).length >= times, withinMs);
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** To the agent alone, as a service manager does. */
  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** To all of its group, as Ctrl-C in a terminal does. */
  killGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  async ended(): Promise<Ending> {
    return this.#ended;
  }

  /** SIGTERM, and its end; fails when it ends badly. */
  async stop(): Promise<void> {
    this.kill("SIGTERM");
    const { code, signal } = await this.#ended;
    if (code !== 0) throw new Error(`ended with ${signal ?? code}:\n${this.stderr.slice(-15).join("\n")}`);
  }

  /** True while any process of its group is there. */
  groupLives(): boolean {
    try {
      process.kill(-this.pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.groupLives()) this.killGroup("SIGKILL");
    await this.#ended;
  }
}

/** What a command prints on stdout, line by line. It runs inside the test: a process for it would cost half a second. */
export async function agentOutput(...words: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await framepostInside(words);
  if (code !== 0) throw new Error(`framepost ${words.join(" ")} ended with ${code}: ${stderr}`);
  return stdout.trimEnd().split("\n");
}

/** A config file; JSON is YAML. */
export async function writeConfig(folder: string, config: object): Promise<string> {
  const file = join(folder, "framepost.yaml");
  await writeFile(file, JSON.stringify(config, null, 2));
  return file;
}
